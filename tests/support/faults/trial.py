"""One environment brought into one phase of its life, to see what a fault does to it there. What is done to whom: rows.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import grpc
import psutil
from facility import Facility

from console.store import Store
from faults.gate import Gate
from faults.gated import __file__ as DEVICE
from faults.picture import following
from occ.client import OccClient
from occ.errors import AliecsError
from server.api import o2control_pb2 as pb
from server.api.model import Task

BYSTANDER = "flp000"
"""Where the tasks run that nothing happens to, one of each environment."""
CROWDED = "flp001"
"""Where all victims run that may share a host."""


class Phase(StrEnum):
    """Within a transition, which the task holds up, or between two."""

    DEPLOY = "in DEPLOY"
    CONFIGURE = "in CONFIGURE"
    CONFIGURED = "in CONFIGURED"
    START = "in START_ACTIVITY"
    RUNNING = "in RUNNING"
    STOP = "in STOP_ACTIVITY"
    RESET = "in RESET"
    DEPLOYED = "in DEPLOYED"
    DESTROY = "in DESTROY"


HELD = {
    Phase.DEPLOY: "UP", Phase.CONFIGURE: "CONFIGURE", Phase.START: "START", Phase.STOP: "STOP", Phase.RESET: "RESET",
    Phase.DESTROY: "EXIT",
}  # fmt: skip
"""Where the task of the victim is held in the phases within a transition."""
BEFORE = {
    Phase.CONFIGURED: (), Phase.START: (), Phase.RUNNING: ("START_ACTIVITY",), Phase.STOP: ("START_ACTIVITY",),
    Phase.RESET: (), Phase.DEPLOYED: ("RESET",), Phase.DESTROY: ("RESET",),
}  # fmt: skip
"""Transitions between the creation and the phase."""
NEXT = {
    Phase.CONFIGURED: "START_ACTIVITY", Phase.START: "START_ACTIVITY", Phase.RUNNING: "STOP_ACTIVITY",
    Phase.STOP: "STOP_ACTIVITY", Phase.RESET: "RESET", Phase.DEPLOYED: "CONFIGURE",
}  # fmt: skip
"""The transition that is under way in the phase, or the one that comes next."""


REACHED = {
    Phase.DEPLOY: "CONFIGURED", Phase.CONFIGURE: "CONFIGURED", Phase.CONFIGURED: "CONFIGURED", Phase.START: "RUNNING",
    Phase.RUNNING: "RUNNING", Phase.STOP: "CONFIGURED", Phase.RESET: "DEPLOYED", Phase.DEPLOYED: "DEPLOYED",
    Phase.DESTROY: "gone",
}  # fmt: skip
"""Where the environment comes by what is under way."""
REACHED_NEXT = REACHED | {
    Phase.CONFIGURED: "RUNNING", Phase.RUNNING: "CONFIGURED", Phase.DEPLOYED: "CONFIGURED", Phase.DESTROY: "2 tasks ended",
}  # fmt: skip
"""What the command under way, or the next one, is answered with."""


ATTEMPTS = 3
WITHIN_S = 60.0
"""For what happens in a moment, unless other things keep this machine busy."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command came to, as its client sees it, and when."""

    text: str
    after_s: float


class Trial:
    """One environment: a task of a victim, and one that looks on from another host.

    Attributes:
        pid: of the victim's task.
        held_since_s: by ``time.monotonic``; None in phases between two transitions.
        environment_id: known once the phase is reached.
        heard: the answer to the last command, in words.
    """

    def __init__(self, facility: Facility, gate: Gate, host: str, phase: Phase, **variables: str) -> None:
        self.facility = facility
        self.gate = gate
        self.host = host
        self.phase = phase
        self.name = f"{variables.get('victim_class', 'victim')}-{phase.name}"
        self.environment_id = ""
        self.pid = 0
        self.held_since_s: float | None = None
        self.executor_pid = 0
        self.heard = ""
        self._variables = variables
        self._asked: asyncio.Task[Answer] | None = None

    # ---- what is asked -----------------------------------------------------------------------

    async def prepare(self) -> None:
        """Do what comes before the phase; again where this machine was too slow for the deadlines of the facility."""
        if self.phase in (Phase.DEPLOY, Phase.CONFIGURE):
            return
        for _ in range(ATTEMPTS):
            if not (why := await self._why_unprepared()):
                return
            if self.environment_id and self.state(await self.seen()) != "gone":
                await self.destroy()
        raise AssertionError(f"{self.phase}: not reached in {ATTEMPTS} attempts: {why}")

    async def begin(self) -> None:
        """Bring a prepared environment into its phase: have its transition begun and held, if it is within one."""
        self.held_since_s = None
        if held := HELD.get(self.phase):
            self.gate.hold(self.name, held)
            if self.phase in (Phase.DEPLOY, Phase.CONFIGURE):
                self.ask(self._create)
            else:
                self.ask_next()
            self.pid = await self.gate.reached(self.name, held)
            self.held_since_s = time.monotonic()
            self.environment_id = variable(self.pid, "ALIECS_ENVIRONMENT_ID")
        else:
            task = self.task(await self.seen(), self.host)
            assert task is not None
            self.pid = task.pid
        self.executor_pid = psutil.Process(self.pid).ppid()

    async def reach(self) -> None:
        """Bring the environment into its phase."""
        await self.prepare()
        await self.begin()

    async def leave(self) -> None:
        """Give the phase up, to reach it again."""
        self.release()
        if self._asked is not None:
            await self.answer()
        if self.state(await self.seen()) != "gone":
            await self.destroy()

    async def _why_unprepared(self) -> str:
        try:
            self.environment_id = (await self._created()).id
        except grpc.aio.AioRpcError as error:
            return error.details() or ""
        for event in BEFORE[self.phase]:
            if (await self.facility.ask(self.environment_id, event)).state == "ERROR":
                return f"{event}: {self.fault(await self.seen())}"
        return ""

    def release(self) -> None:
        """Let the victim go on with its transition, as far as it can."""
        if held := HELD.get(self.phase):
            self.gate.release(self.name, held)

    def ask_next(self) -> None:
        """Ask for the transition of this phase or the one that comes next."""
        event = NEXT.get(self.phase)
        self.ask(self._destroy if event is None else lambda: self._control(event))

    def ask(self, call: Callable[[], Awaitable[str]]) -> None:
        assert self._asked is None
        self._asked = asyncio.create_task(_timed(call))

    async def answer(self) -> Answer:
        """Return what the last command came to."""
        assert self._asked is not None
        asked, self._asked = self._asked, None
        return await asked

    async def destroy(self) -> Answer:
        """End the environment, whatever state it is in."""
        return await _timed(self._destroy)

    async def _created(self) -> pb.EnvironmentInfo:
        variables = {
            "victim": self.host,
            "victim_name": self.name,
            "bystander": BYSTANDER,
            "gated_device": DEVICE,
            "gate": str(self.gate.path),
        }
        return await self.facility.create("faults", **variables | self._variables)

    async def _create(self) -> str:
        return (await self._created()).state

    async def _control(self, event: str) -> str:
        return (await self.facility.ask(self.environment_id, event)).state

    async def _destroy(self) -> str:
        reply = await self.facility.destroy(self.environment_id, allowInRunningState=True)
        return f"{len(reply.cleanupTasksReply.killedTasks)} tasks ended"

    # ---- what is seen ------------------------------------------------------------------------

    async def seen(self, wanted: Callable[[Store], bool] = lambda store: True) -> Store:
        """Return the picture that a console has, as soon as it is as wanted.

        Raises:
            AssertionError: it does not become so.
        """

        async def is_wanted(store: Store) -> str:
            if wanted(store):
                return ""
            return f"shown is {(self.state(store), store.tasks(self.environment_id), self.fault(store))}"

        return await self._becomes(is_wanted)

    def state(self, store: Store) -> str:
        """Return the state of the environment, "gone" if there is none."""
        environment = store.environment(self.environment_id)
        return environment.state if environment else "gone"

    def task(self, store: Store, host: str) -> Task | None:
        """Return the task of the environment on a host."""
        return next((one for one in store.tasks(self.environment_id) if one.host == host), None)

    def fault(self, store: Store) -> str:
        """Return what a screen shows as the first fault of the environment."""
        fault = store.fault(self.environment_id)
        if fault is None:
            return ""
        return f"{fault.what}: {fault.cause}" if fault.cause and fault.cause not in fault.what else fault.what

    def processes(self) -> dict[int, str]:
        """Return all processes of the environment that live: pid to the state that /proc tells."""
        mark = f"ALIECS_ENVIRONMENT_ID={self.environment_id}".encode()
        found = {}
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes().split(b"\0"):
                    stat = (path.parent / "stat").read_text()
                    found[int(path.parent.name)] = stat[stat.rindex(")") + 2]
            except OSError:
                continue
        return {pid: state for pid, state in found.items() if state not in "ZX"}

    async def lies(self, store: Store) -> list[str]:
        """Return where what the core tells of the tasks is not what they say themselves; processes that it does not know."""
        told = {one.pid: one for one in store.tasks() if one.pid}
        alive = [one for one in store.tasks(self.environment_id) if one.status == "ACTIVE"]
        living = self.processes()
        wrong = [f"task on {one.host} is ACTIVE without a process" for one in alive if one.pid not in living]
        for pid, state in living.items():
            task = told.get(pid)
            if task is None:
                wrong.append(f"process {pid} is no task of the core")
            elif task.status != "ACTIVE":
                wrong.append(f"process {pid} lives and its task is {task.status} {task.state}")
            elif state != "T" and (own := await own_state(pid)) not in (task.state, ""):
                wrong.append(f"task on {task.host} is {own} and said to be {task.state}")
        return wrong

    async def waits(self, until_s: float) -> None:
        """Let time pass, to that moment of ``time.monotonic``."""
        done = asyncio.Event()
        asyncio.get_running_loop().call_later(until_s - time.monotonic(), done.set)
        await done.wait()

    async def is_true(self) -> None:
        """Wait until all that the core tells is true."""

        async def lies(store: Store) -> str:
            return "; ".join(await self.lies(store))

        await self._becomes(lies)

    async def leaves_nothing(self) -> None:
        """Wait until no process of the environment is left."""

        async def left(store: Store) -> str:
            left = ", ".join(f"{pid} ({state})" for pid, state in self.processes().items())
            return f"left are {left}" if left else ""

        await self._becomes(left)

    async def _becomes(self, why_not: Callable[[Store], Awaitable[str]]) -> Store:
        """Return the picture of which there is nothing to be said any more; what was said last is in the failure."""
        why = "nothing is shown"
        try:
            async with asyncio.timeout(WITHIN_S), following(self.facility) as picture:
                while True:
                    store = await picture.newest()
                    if not (why := await why_not(store)):
                        return store
        except TimeoutError:
            raise AssertionError(f"{self.phase} on {self.host}, for {WITHIN_S:g} s: {why}") from None


def variable(pid: int, name: str) -> str:
    """Return an environment variable of a process."""
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    (found,) = [one for one in environment if one.startswith(f"{name}=".encode())]
    return found.partition(b"=")[2].decode()


async def own_state(pid: int, timeout_s: float = 10.0) -> str:
    """Return the state that a task tells itself, asked behind the back of its executor; "" when it has ended meanwhile."""
    try:
        async with OccClient(f"127.0.0.1:{variable(pid, 'OCC_CONTROL_PORT')}") as client:
            return (await client.get_state(timeout_s)).state.value
    except AliecsError as error:
        return "" if not psutil.pid_exists(pid) else f"silent ({error})"
    except (OSError, ValueError):  # gone, or nobody has taken note of its end yet: it has no environment then
        return ""


async def _timed(call: Callable[[], Awaitable[str]]) -> Answer:
    began_s = time.monotonic()
    try:
        text = await call()
    except grpc.aio.AioRpcError as error:
        text = f"{error.code().name}: {error.details()}"
    return Answer(text, time.monotonic() - began_s)
