"""An agent: it starts executors, brings tasks and messages to them, and their updates to the master (6.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING

from mesos.clock import Clock, duration_text
from mesos.command_executor import CommandExecutor
from mesos.container import Container, LaunchError
from mesos.courier import Courier, Parcel
from mesos.door import Door
from mesos.executor_run import (
    ExecutorRun,
    LaunchedTask,
    Phase,
    VirtualAgent,
    executor_environment,
    run_folder,
    task_update,
)
from mesos.ledger import Task
from mesos.resources import AGENT_ORDER, Resources
from mesos.streams import EventStream
from mesos.terms import Json, Timing, value
from mesos.update_lines import UpdateLines

if TYPE_CHECKING:
    from mesos.master import Master

RECOVERY_TIMEOUT_S = 900.0
BACKOFF_MAX_S = 15.0
LAUNCH_FAILED = -1
"""The status of an executor that never ran."""


class Agent:
    """One agent. Its processes outlive ``lose``, as they do on a host; ``end`` ends them."""

    def __init__(self, wanted: VirtualAgent, work_dir: Path, clock: Clock, timing: Timing, courier: Courier) -> None:
        self.id = ""
        self.hostname = wanted.hostname
        self.total = wanted.total
        self.capabilities = wanted.capabilities
        self.attributes: list[Json] = [
            {"name": name, "type": "TEXT", "text": value(text)} for name, text in wanted.attributes.items()
        ]
        self.door: Door
        self.runs: dict[tuple[str, str], ExecutorRun] = {}
        self.master: Callable[[], Master | None] = lambda: None
        self.is_up = True
        self._work_dir = work_dir
        self._clock = clock
        self._timing = timing
        self._courier = courier
        self._updates = UpdateLines(clock, timing, self._forward)
        self._commands = CommandExecutor(self, clock, timing)
        self._tasks: set[asyncio.Task[None]] = set()
        self._containers: list[Container] = []

    @property
    def info(self) -> Json:
        """Return what executors are told of their agent."""
        return {
            "hostname": self.hostname,
            "port": self.door.port,
            "resources": self.total.to_json(AGENT_ORDER),
            **({"attributes": self.attributes} if self.attributes else {}),
            "id": value(self.id),
        }

    # ---- what the master asks ------------------------------------------------------------------

    def launch(self, framework: Json, task: Json) -> None:
        """Bring a task to its executor, which is started if it is not there yet."""
        launched = LaunchedTask(task)
        info = task.get("executor")
        executor_id = info["executor_id"]["value"] if info is not None else launched.id
        key = (framework["id"]["value"], executor_id)
        run = self.runs.get(key)
        if run is None or run.phase is Phase.TERMINATED:
            container = Container(run_folder(self._work_dir, self.id, *key))
            run = self.runs[key] = ExecutorRun(framework, info, executor_id, container)
            self._containers.append(container)
            if info is not None:
                run.queued[launched.id] = launched
                self._own(self._run_executor(run))
            else:
                run.phase = Phase.RUNNING
                run.launched[launched.id] = launched
                self._own(self._commands.run(run, launched))
        elif run.phase is Phase.REGISTERING:
            run.queued[launched.id] = launched
        elif run.phase is Phase.RUNNING:
            # An executor that is away does not get it: it will be missed when the executor subscribes again.
            run.launched[launched.id] = launched
            if run.stream is not None:
                run.stream.send({"type": "LAUNCH", "launch": {"task": task}})
        else:
            self.say(run, launched, _lost(framework), "Executor terminating", "REASON_EXECUTOR_TERMINATED")

    def kill(self, framework_id: str, task_id: str) -> None:
        """Have a task killed: by its executor, or here where that did not get it yet."""
        run = self._run_of(framework_id, task_id)
        if run is None:
            return
        if task_id in run.queued and run.phase is Phase.REGISTERING and run.info is not None:
            task = run.queued.pop(task_id)
            message = "Killed before delivery to the executor"
            self.say(run, task, "TASK_KILLED", message, "REASON_TASK_KILLED_DURING_LAUNCH")
            if not run.live_tasks:
                self._shut_down(run)
        elif run.info is None:
            self._commands.kill(run, run.launched[task_id])
        elif run.stream is not None:
            run.stream.send({"type": "KILL", "kill": {"task_id": value(task_id)}})

    def acknowledge(self, framework_id: str, task_id: str, update_id: str) -> None:
        """Take the scheduler's acknowledgement of an update."""
        self._updates.acknowledge(framework_id, task_id, update_id)

    def message(self, framework_id: str, executor_id: str, data: str) -> None:
        """Bring a message to an executor; it is lost where none listens."""
        run = self.runs.get((framework_id, executor_id))
        if run is not None and run.stream is not None:
            run.stream.send({"type": "MESSAGE", "message": {"data": data}})

    def shutdown_executor(self, framework_id: str, executor_id: str) -> None:
        """Ask an executor to end, and kill it if it has not ended in time."""
        run = self.runs.get((framework_id, executor_id))
        if run is not None and run.phase in (Phase.REGISTERING, Phase.RUNNING):
            self._shut_down(run)

    def shutdown_framework(self, framework_id: str) -> None:
        """End all that a framework has here."""
        self._updates.forget(framework_id)
        for run in [run for run in self.runs.values() if run.framework_id == framework_id]:
            run.is_disowned = True
            if run.phase in (Phase.REGISTERING, Phase.RUNNING):
                self._shut_down(run)

    def framework_is_back(self, framework_id: str) -> None:
        """Send again what a framework may have missed."""
        self._updates.resume(framework_id)

    def registered(self) -> None:
        """Go on where the agent was: there is a master."""
        self._updates.resume()

    def framework_ids(self) -> set[str]:
        """Return the frameworks of which something lives here."""
        return {run.framework_id for run in self._live()}

    def executor_infos(self) -> list[tuple[str, str, Json]]:
        """Return framework, id and info of the custom executors that live here."""
        return [(run.framework_id, run.id, run.info) for run in self._live() if run.info is not None]

    def known_tasks(self) -> list[tuple[str, Json, Task]]:
        """Return framework, its info and the task, for all that are not over."""
        found = []
        for run in self._live():
            for task in run.live_tasks:
                container = run.container_status if task.id in run.launched else None
                executor_id = run.id if run.info is not None else None
                resources = Resources.from_json(task.info["resources"])
                record = Task(task.id, self.id, executor_id, resources, task.state, container)
                found.append((run.framework_id, run.framework, record))
        return found

    # ---- what executors say --------------------------------------------------------------------

    def subscribe(self, run: ExecutorRun, subscription: Json, stream: EventStream) -> None:
        """Take the connection of an executor; one before it is closed."""
        if run.stream is not None:
            run.stream.close()
        run.stream = stream
        is_first = run.phase is Phase.REGISTERING
        subscribed = {
            "executor_info": run.info,
            "framework_info": run.framework,
            "agent_info": self.info,
            "container_id": value(run.container.id),
        }
        stream.send({"type": "SUBSCRIBED", "subscribed": subscribed})
        if run.phase is Phase.TERMINATING:
            stream.send({"type": "SHUTDOWN"})
            return
        run.still()
        run.phase = Phase.RUNNING
        run.heartbeat = self._clock.later(self._timing.executor_heartbeat_s, lambda: self._heartbeat(run))
        for update in subscription.get("unacknowledged_updates", []):
            self.update(run, update["status"])
        if not is_first:
            self._miss_tasks(run, subscription)
        run.deliver_queued()

    def disconnected(self, run: ExecutorRun, stream: EventStream) -> None:
        """Take note that an executor's connection is gone; that alone changes nothing."""
        if run.stream is stream:
            run.stream = None

    def update(self, run: ExecutorRun, status: Json) -> None:
        """Take a status update of an executor; one of a framework that is gone is ignored."""
        if run.is_disowned:
            return
        task = run.launched.get(status["task_id"]["value"])
        status = {**status, "agent_id": value(self.id)}
        if task is None:
            # Of a task that is not known the word is passed on, but to the executor nothing is confirmed.
            self._updates.add(run.framework_id, status)
            return
        task.state = status["state"]
        status["container_status"] = run.container_status
        self._updates.add(run.framework_id, status)
        if run.stream is not None:
            acknowledged = {"task_id": status["task_id"], "uuid": status["uuid"]}
            run.stream.send({"type": "ACKNOWLEDGED", "acknowledged": acknowledged})

    def message_from(self, run: ExecutorRun, data: str) -> None:
        """Pass a message on to the scheduler."""
        master = self.master()
        if master is not None:
            self._courier.carry(
                Parcel.TO_SCHEDULER, lambda: master.tasks.message_from_executor(run.framework_id, self.id, run.id, data)
            )

    # ---- life of the agent ---------------------------------------------------------------------

    async def lose(self) -> None:
        """Die: the port is shut, connections break; what runs goes on."""
        self.is_up = False
        self._updates.pause()
        for run in self.runs.values():
            run.still()
        await self.door.close()

    async def restart(self) -> None:
        """Come back on the same port: with the executors of checkpointing frameworks, without those of others."""
        for key, run in list(self.runs.items()):
            if not run.is_checkpointed or run.info is None:
                run.container.destroy()
                del self.runs[key]
            elif run.phase is Phase.RUNNING:
                run.end_reason = ("Executor did not reregister in time", "REASON_EXECUTOR_REREGISTRATION_TIMEOUT")
                run.timer = self._clock.later(self._timing.recovery_s, run.container.destroy)
        self.is_up = True
        await self.door.open()

    def finish_recovery(self) -> None:
        """Report what ended while the agent was away."""
        for run in list(self.runs.values()):
            if run.wait_status is not None and run.phase is not Phase.TERMINATED:
                self._executor_exited(run, run.wait_status)

    async def end(self) -> None:
        """Kill all that was started here and wait for its end."""
        self.is_up = False
        self._updates.pause()
        for run in self.runs.values():
            run.still()
        await self.door.close()
        for container in self._containers:
            container.destroy()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    # ---- executors -----------------------------------------------------------------------------

    async def _run_executor(self, run: ExecutorRun) -> None:
        assert run.info is not None
        command = run.info["command"]
        run.timer = self._clock.later(self._timing.registration_s, lambda: self._never_registered(run))
        try:
            await self.start(run, command)
            status = await run.container.wait()
        except (LaunchError, OSError) as error:
            run.end_reason = (str(error), "REASON_CONTAINER_LAUNCH_FAILED")
            status = LAUNCH_FAILED
        run.wait_status = status
        if self.is_up:
            self._executor_exited(run, status)

    async def start(self, run: ExecutorRun, command: Json) -> None:
        """Start the process of a run; raise LaunchError or OSError where that fails."""
        real_s = self._clock.real_s
        durations = {
            "grace": duration_text(real_s(self._timing.shutdown_grace_s)),
            "recovery": duration_text(real_s(RECOVERY_TIMEOUT_S)),
            "backoff": duration_text(real_s(BACKOFF_MAX_S)),
        }
        environment = executor_environment(run, self.id, self.door.address, durations)
        await run.container.run(command, environment, command.get("user") or run.framework.get("user", ""))

    def _never_registered(self, run: ExecutorRun) -> None:
        limit = duration_text(self._timing.registration_s)
        run.end_reason = (f"Executor did not register within {limit}", "REASON_EXECUTOR_REGISTRATION_TIMEOUT")
        run.phase = Phase.TERMINATING
        run.container.destroy()

    def _executor_exited(self, run: ExecutorRun, status: int) -> None:
        run.still()
        run.phase = Phase.TERMINATED
        live = run.live_tasks
        master = self.master()
        if master is not None:
            master.tasks.executor_exited(run.framework_id, self.id, run.id, status)
        for task in live if not run.is_disowned else []:
            self.say(run, task, "TASK_FAILED", *run.end_reason)

    def _shut_down(self, run: ExecutorRun) -> None:
        run.still()
        run.phase = Phase.TERMINATING
        if run.info is None:
            run.container.destroy()
            return
        if run.stream is not None:
            run.stream.send({"type": "SHUTDOWN"})
        run.timer = self._clock.later(self._timing.shutdown_grace_s, run.container.destroy)

    def _heartbeat(self, run: ExecutorRun) -> None:
        if run.stream is not None:
            run.stream.send({"type": "HEARTBEAT"})
        run.heartbeat = self._clock.later(self._timing.executor_heartbeat_s, lambda: self._heartbeat(run))

    def _miss_tasks(self, run: ExecutorRun, subscription: Json) -> None:
        """Give up tasks that an executor which is back never heard of."""
        listed = {task["task_id"]["value"] for task in subscription.get("unacknowledged_tasks", [])}
        for task in list(run.launched.values()):
            if task.state == "TASK_STAGING" and task.id not in listed:
                message = "Task launched during agent restart"
                self.say(run, task, _lost(run.framework), message, "REASON_AGENT_RESTARTED")

    # ---- updates -------------------------------------------------------------------------------

    def say(self, run: ExecutorRun, task: LaunchedTask, state: str, message: str, reason: str) -> None:
        """Make an update of the agent's own."""
        task.state = state
        status = task_update(task, state, "SOURCE_AGENT", executor_id=run.id, agent_id=self.id)
        self._updates.add(run.framework_id, {**status, "message": message, "reason": reason})

    def _forward(self, framework_id: str, status: Json, latest_state: str) -> None:
        master = self.master()
        if master is not None:
            self._courier.carry(Parcel.UPDATE, lambda: master.tasks.update(framework_id, status, latest_state))

    def _live(self) -> list[ExecutorRun]:
        return [run for run in self.runs.values() if run.phase is not Phase.TERMINATED]

    def _run_of(self, framework_id: str, task_id: str) -> ExecutorRun | None:
        for run in self._live():
            if run.framework_id == framework_id and (task_id in run.launched or task_id in run.queued):
                return run
        return None

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _lost(framework: Json) -> str:
    """Return the state of a task that never ran, as a framework knows it."""
    return "TASK_DROPPED" if {"type": "PARTITION_AWARE"} in framework.get("capabilities", []) else "TASK_LOST"
