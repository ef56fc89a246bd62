"""Executors that answer by a script, behind a backend in this process, and what commands them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from executor.api.messages import (
    Command,
    CommandReply,
    ControlMode,
    DeviceEvent,
    Kill,
    TaskResult,
    TaskSpec,
    Transition,
    TriggerHooks,
)
from server.api.states import Status
from server.deploy.backend import Demand, ExecutorState, HostInfo, KnownExecutor, Listener, Offer, Reservation
from server.task.commander import Commander
from server.task.outputs import Outputs
from server.task.reception import Reception
from server.task.roster import Roster
from server.task.task import Task

Answer = Callable[[str, Command], CommandReply | None]


class FakeBackend:
    """Executors that answer by script; ``answer`` returning None leaves a command unanswered."""

    framework_id = "fake"

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.sent: list[tuple[str, Command]] = []
        self.released: list[str] = []
        self.down: set[str] = set()
        self.silent: set[str] = set()
        self.listener: Listener | None = None

    async def start(self, listener: Listener, known: Sequence[KnownExecutor] = ()) -> None:
        self.listener = listener

    async def close(self) -> None: ...

    async def drain(self) -> None: ...

    def hosts(self) -> Sequence[HostInfo]:
        return [HostInfo(name=name, address="", state=ExecutorState.SILENT) for name in self.silent]

    async def offers(self) -> Sequence[Offer]:
        return []

    def reserve(self, host: str, task_id: str, demand: Demand) -> Reservation:
        raise NotImplementedError

    def occupy(self, host: str, task_id: str, demand: Demand, ports: Iterable[int]) -> None: ...

    async def launch(
        self, host: str, offer_id: str, tasks: Sequence[TaskSpec], command_id: str, *, timeout_s: float
    ) -> None: ...

    def send(self, host: str, command: Command) -> bool:
        if host in self.down:
            return False
        self.sent.append((host, command))
        reply = self.answer(host, command)
        if reply is not None and self.listener:
            asyncio.get_running_loop().call_soon(self.listener.reported, host, reply)
        return True

    def release(self, task_ids: Iterable[str]) -> None:
        self.released += task_ids

    def stdout_url(self, task_id: str) -> str:
        return ""


def obedient(host: str, command: Command) -> CommandReply | None:
    match command:
        case Transition():
            results = [TaskResult(task_id=one.task_id, state=command.destination) for one in command.targets]
        case TriggerHooks() | Kill():
            results = [TaskResult(task_id=one, state="") for one in command.task_ids]
        case _:
            return None
    return CommandReply(command_id=command.command_id, results=tuple(results))


def mute(host: str, command: Command) -> None:
    return None


class Bench:
    def __init__(self, answer: Answer = obedient, **hosts: int) -> None:
        self.backend = FakeBackend(answer)
        self.roster = Roster()
        self.commander = Commander(self.backend, self.roster, margin_s=0.0)
        self.outputs = Outputs(self.backend, self.roster, answer_s=60.0, look_s=0.05)
        self.events: list[DeviceEvent] = []
        self.hosts: list[str] = []
        self.backend.listener = self.reception = Reception(
            self.backend, self.roster, self.commander,
            on_device_events=self.events.extend, on_host=self.hosts.append,
            on_output=self.outputs.took,
        )  # fmt: skip
        for host, count in hosts.items():
            self.roster.add(make(f"{host}-{number}", host) for number in range(count))
        self.ids = [task.task_id for task in self.roster.all()]

    async def transition(
        self, ids: Sequence[str] | None = None, *, timeout_s: float = 60.0, command_id: str = "c1",
        progress: Callable[[int, int], None] | None = None, event: str = "START",
    ) -> dict[str, TaskResult]:  # fmt: skip
        return await self.commander.transition(
            command_id, "2env", event, "CONFIGURED", "RUNNING", arguments={"runNumber": "7"},
            per_task={one: {} for one in (self.ids if ids is None else ids)}, timeout_s=timeout_s, progress=progress,
        )  # fmt: skip

    def commands(self, kind: type) -> list[tuple[str, Command]]:
        return [(host, command) for host, command in self.backend.sent if isinstance(command, kind)]


def make(task_id: str, host: str, environment_id: str = "2env") -> Task:
    spec = TaskSpec(task_id=task_id, environment_id="2env", class_name="c", mode=ControlMode.DIRECT, value="v")
    return Task(
        task_id=task_id, class_id="c", class_name="c", host=host, address="127.0.0.1", agent_id="a", offer_id="o",
        executor_id=f"x-{host}", environment_id=environment_id, role_path="r", command=spec, status=Status.ACTIVE,
    )  # fmt: skip


async def until(condition: Callable[[], bool], deadline_s: float = 60.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110  # any condition of the code under test
            await asyncio.sleep(0)
