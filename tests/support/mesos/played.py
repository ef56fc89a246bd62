"""An executor that the test plays: its process waits to be told how to end, the test speaks HTTP in its place."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from mesos.client import DEADLINE_S, ExecutorClient, SchedulerClient, amounts
from mesos.double import MesosDouble
from mesos.executor_run import ExecutorRun
from mesos.terms import Json, new_uuid, value

WAIT_FOR_ORDERS = 'read code < "$ORDERS"; exit "$code"'
"""A process that ends with the code that the test gives."""


class Orders:
    """A pipe through which a process is told how to end; what is said before it listens is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def exit(self, code: int) -> None:
        os.write(self._descriptor, b"%d\n" % code)

    def close(self) -> None:
        os.close(self._descriptor)


def executor_info(executor_id: str, orders: Orders | None = None, command: str = "", **more: object) -> Json:
    """Return an executor with 0.1 of a processor and 32 MB."""
    variables = [{"name": "ORDERS", "value": str(orders.path)}] if orders is not None else []
    return {
        "executor_id": value(executor_id),
        "name": "played",
        "command": {
            "shell": True,
            "value": command or WAIT_FOR_ORDERS,
            "environment": {"variables": variables},
            **more,
        },
        "resources": amounts(0.1, 32),
    }


def task_info(task_id: str, executor: Json | None = None, **more: object) -> Json:
    """Return a task with half a processor and 64 MB."""
    task: Json = {"task_id": value(task_id), "name": task_id, "resources": amounts(0.5, 64), **more}
    return task if executor is None else {**task, "executor": executor}


class PlayedExecutor(ExecutorClient):
    """An executor whose process runs, and whose part the test plays. Entered, it is subscribed."""

    def __init__(
        self, mesos: MesosDouble, hostname: str, framework_id: str, executor_id: str, orders: Orders | None = None
    ) -> None:
        agent = mesos.agents[hostname]
        super().__init__(agent.door.address, framework_id, executor_id)
        self.run: ExecutorRun = agent.runs[framework_id, executor_id]
        self._orders = orders

    async def __aenter__(self) -> PlayedExecutor:
        await asyncio.wait_for(self.run.container.is_started.wait(), DEADLINE_S)
        await self.subscribe()
        return self

    async def close(self) -> None:
        await super().close()
        if self._orders is not None:
            self._orders.close()

    def exit(self, code: int) -> None:
        """Let the process end."""
        assert self._orders is not None
        self._orders.exit(code)

    async def say(self, scheduler: SchedulerClient, task_id: str, state: str, **more: object) -> Json:
        """Send an update and have the scheduler acknowledge it; return the status that it got."""
        await self.send_update(task_id, state, new_uuid(), **more)
        status = await scheduler.update(task_id, state)
        await scheduler.acknowledge(status)
        return status


async def launch_played(
    mesos: MesosDouble, scheduler: SchedulerClient, *tasks: str, hostname: str = "host1", executor_id: str = "ex"
) -> PlayedExecutor:
    """Launch tasks under a played executor; return it, to be entered or closed."""
    offer = await scheduler.offer(hostname)
    orders = Orders(mesos.work_dir / f"{executor_id}.orders")
    executor = executor_info(executor_id, orders)
    await scheduler.launch(offer, *(task_info(task, executor) for task in tasks))
    return PlayedExecutor(mesos, hostname, scheduler.framework_id, executor_id, orders)
