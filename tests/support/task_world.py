"""The part of a core that has to do with tasks, its lives, its disk, and real executors on this machine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from free_ports import instance_id
from msgspec.structs import replace

from executor.api.messages import DeviceEvent
from occ.errors import AliecsError
from server.api.states import Status
from server.deploy.backend import Demand, KnownExecutor
from server.deploy.executors import LocalParts, LocalSettings
from server.deploy.local import LocalBackend
from server.ids import new_id
from server.task.acquire import Acquired, Acquirer
from server.task.commander import Commander
from server.task.outputs import Outputs
from server.task.placement import TaskDescriptor
from server.task.reception import Reception
from server.task.roster import Roster, TaskChange
from server.task.task import Task, from_record
from server.template.model import Command, Constraint, TaskClass, Traits

DEVICE = """
import sys
from occ import Device

class Quiet(Device):
    pass

sys.exit(Quiet.main())
"""
DEADLINE_S = 60.0
ENVIRONMENT = "2env"


@dataclass(frozen=True)
class Entry:
    name: str
    address: str = "127.0.0.1"
    detector: str = "TST"
    attributes: dict[str, str] = field(default_factory=dict)
    cpus: float = 4.0
    memory_mb: float = 1000.0


class Core:
    """The part of a core that has to do with tasks: one life of it."""

    def __init__(self, folder: Path, instance: str, disk: Disk, command: Sequence[str]) -> None:
        self.disk = disk
        self.events: list[DeviceEvent] = []
        self._changed = asyncio.Event()
        self.backend = LocalBackend(
            LocalParts(
                instance=instance, state_directory=folder, core_epoch=new_id(), inventory=self._inventory,
                new_id=new_id, record_executor=disk.put_executor, forget_executor=disk.forget_executor,
                command=command,
            ),
            LocalSettings(),
        )  # fmt: skip
        self.roster = Roster()
        self.commander = Commander(self.backend, self.roster)
        self.reception = Reception(
            self.backend, self.roster, self.commander, on_device_events=self._happened, on_host=lambda host: None,
            on_output=Outputs(self.backend, self.roster).took,
        )  # fmt: skip
        self.acquirer = Acquirer(self.backend, self.roster, record=disk.put_tasks)
        self.roster.listen(self._tasks_changed)

    async def start(self) -> None:
        tasks = [from_record(record) for record in self.disk.tasks.values()]
        self.roster.restore(tasks)
        for task in tasks:
            demand = Demand(cpus=task.cpus, memory_mb=task.memory_mb)
            self.backend.occupy(task.host, task.task_id, demand, task.ports)
        await self.backend.start(self.reception, list(self.disk.executors.values()))
        self.reception.check(self.backend.hosts())

    async def acquire(self, *descriptors: TaskDescriptor) -> Acquired:
        return await self.acquirer.acquire(ENVIRONMENT, descriptors, timeout_s=DEADLINE_S, ids=new_id)

    async def until(self, condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
        async with asyncio.timeout(deadline_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def active(self, acquired: Acquired) -> list[Task]:
        """Wait until all are ACTIVE, and return them."""
        assert acquired.undeployable == {}
        ids = [task_id for _, task_id in sorted(acquired.assigned.items())]
        await self.until(lambda: all(self.task(task_id).status is Status.ACTIVE for task_id in ids))
        return [self.task(task_id) for task_id in ids]

    def task(self, task_id: str) -> Task:
        task = self.roster.get(task_id)
        assert task is not None
        return task

    async def drive(self, event: str, source: str, destination: str, ids: Sequence[str]) -> dict[str, str]:
        results = await self.commander.transition(
            new_id(), ENVIRONMENT, event, source, destination, arguments={}, per_task={one: {} for one in ids},
            timeout_s=DEADLINE_S,
        )  # fmt: skip
        return {task_id: result.error for task_id, result in results.items()}

    async def _inventory(self) -> Sequence[Entry]:
        return [Entry(name, attributes={"machine_id": name}) for name in ("flp001", "flp002")]

    def _happened(self, events: Sequence[DeviceEvent]) -> None:
        self.events += events
        self._changed.set()

    def _tasks_changed(self, changes: Sequence[TaskChange]) -> None:
        for before, after, _ in changes:
            if after:
                self.disk.tasks[after.task_id] = after.to_record()
            elif before:
                del self.disk.tasks[before.task_id]
        self._changed.set()


class Disk:
    """What survives a core."""

    def __init__(self) -> None:
        self.tasks: dict[str, bytes] = {}
        self.executors: dict[str, KnownExecutor] = {}
        self.is_full = False

    async def put_tasks(self, tasks: Sequence[Task]) -> None:
        if self.is_full:
            raise AliecsError("disk is full")
        self.tasks.update({task.task_id: task.to_record() for task in tasks})

    async def put_executor(self, known: KnownExecutor) -> None:
        self.executors[known.executor_id] = known

    def forget_executor(self, executor_id: str) -> None:
        self.executors.pop(executor_id, None)


class Facility:
    """One instance on this machine and the lives of its core."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.instance = instance_id()
        self.disk = Disk()
        self.cores: list[Core] = []
        (folder / "device.py").write_text(DEVICE)

    async def core(self, command: Sequence[str] = (sys.executable, "-P", "-m", "executor")) -> Core:
        core = Core(self.folder, self.instance, self.disk, command)
        self.cores.append(core)
        await core.start()
        return core

    def direct(self, **fields: object) -> TaskClass:
        command = Command(value=sys.executable, arguments=("-P", str(self.folder / "device.py")))
        plain = TaskClass(identifier="/r/tasks/quiet@local", name="quiet", command=command)
        return replace(plain, **fields)

    def processes(self) -> set[int]:
        found = set()
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    environment = Path(f"/proc/{name}/environ").read_bytes()
                except OSError:
                    continue
                if f"ALIECS_INSTANCE={self.instance}".encode() in environment.split(b"\0"):
                    found.add(int(name))
        return found

    async def empty(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.processes():  # noqa: ASYNC110  # the kernel does not tell
                await asyncio.sleep(0.01)


def wants(key: int, task_class: TaskClass, host: str = "flp001", **fields: object) -> TaskDescriptor:
    values: dict[str, object] = {
        "key": key, "role_path": f"top.{host}.{key}", "task_class": task_class, "stack": {}, "inbound": (),
        "constraints": (Constraint(attribute="machine_id", value=host),) if host else (), "outbound": (),
        "traits": Traits(), "detector": "TST", "critical": True, "environment_id": ENVIRONMENT,
    }  # fmt: skip
    return TaskDescriptor(**(values | fields))  # type: ignore[arg-type]
