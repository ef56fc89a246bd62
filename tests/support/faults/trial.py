"""One environment brought into one phase of its life, to see what a fault does to it there. What is done to whom: rows.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import grpc
import psutil
from facility import Facility

from console.store import Store
from faults.gate import Gate
from faults.gated import __file__ as DEVICE
from occ.client import OccClient
from occ.errors import AliecsError
from server.api import live_pb2
from server.api import o2control_pb2 as pb
from server.api.convert import from_batch
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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command came to, as its client sees it, and when."""

    text: str
    after_s: float


class Trial:
    """One environment: a task of a victim, and one that looks on from another host.

    Attributes:
        pid: of the victim's task.
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
            if await self._prepared():
                return
            if self.environment_id and self.state(await self.seen()) != "gone":
                await self.destroy()
        raise AssertionError(f"{self.phase}: not reached in {ATTEMPTS} attempts")

    async def begin(self) -> None:
        """Bring a prepared environment into its phase: have its transition begun and held, if it is within one."""
        held = HELD.get(self.phase)
        if held:
            self.gate.hold(self.name, held)
            if self.phase in (Phase.DEPLOY, Phase.CONFIGURE):
                self.ask(self._create)
            else:
                self.ask_next()
            self.pid = await self.gate.reached(self.name, held)
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

    async def _prepared(self) -> bool:
        try:
            self.environment_id = (await self._created()).id
        except grpc.aio.AioRpcError:
            return False
        for event in BEFORE[self.phase]:
            if (await self.facility.ask(self.environment_id, event)).state == "ERROR":
                return False
        return True

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

    async def seen(self, wanted: Callable[[Store], bool] = lambda store: True, within_s: float = 20.0) -> Store:
        """Return the picture that a console has, as soon as it is as wanted.

        Raises:
            AssertionError: it does not become so.
        """
        last = None
        try:
            async with asyncio.timeout(within_s):
                async for last in beats(self.facility):
                    if wanted(last):
                        return last
        except TimeoutError:
            shown = (self.state(last), last.tasks(self.environment_id), self.fault(last)) if last else "nothing"
            raise AssertionError(f"{self.phase} on {self.host}: shown is {shown}") from None
        raise AssertionError("the picture ended")

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
        living = self.processes()
        wrong = []
        for pid, state in living.items():
            task = told.get(pid)
            if task is None:
                wrong.append(f"process {pid} is no task of the core")
            elif task.status != "ACTIVE":
                wrong.append(f"process {pid} lives and its task is {task.status} {task.state}")
            elif state != "T" and (own := await own_state(pid)) not in (task.state, ""):
                wrong.append(f"task on {task.host} is {own} and said to be {task.state}")
        alive = [one for one in store.tasks(self.environment_id) if one.status == "ACTIVE"]
        return wrong + [f"task on {one.host} is ACTIVE without a process" for one in alive if one.pid not in living]

    async def waits(self, until_s: float) -> None:
        """Let time pass, to that moment of ``time.monotonic``."""
        done = asyncio.Event()
        asyncio.get_running_loop().call_later(until_s - time.monotonic(), done.set)
        await done.wait()

    async def is_true(self, within_s: float = 10.0) -> None:
        """Wait until all that the core tells is true."""
        wrong = ["nothing was looked at"]
        try:
            async with asyncio.timeout(within_s):
                async for store in beats(self.facility):
                    if not (wrong := await self.lies(store)):
                        return
        except TimeoutError:
            raise AssertionError(f"{self.phase} on {self.host}: {'; '.join(wrong)}") from None

    async def leaves_nothing(self, within_s: float = 20.0) -> None:
        """Wait until no process of the environment is left."""
        try:
            async with asyncio.timeout(within_s):
                async for _ in beats(self.facility):
                    if not self.processes():
                        return
        except TimeoutError:
            left = ", ".join(f"{pid} ({state})" for pid, state in self.processes().items())
            raise AssertionError(f"{self.phase} on {self.host}: left are {left}") from None


def variable(pid: int, name: str) -> str:
    """Return an environment variable of a process."""
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    (found,) = [one for one in environment if one.startswith(f"{name}=".encode())]
    return found.partition(b"=")[2].decode()


async def own_state(pid: int, timeout_s: float = 3.0) -> str:
    """Return the state that a task tells itself, asked behind the back of its executor; "" when it has ended meanwhile."""
    try:
        async with OccClient(f"127.0.0.1:{variable(pid, 'OCC_CONTROL_PORT')}") as client:
            return (await client.get_state(timeout_s)).state.value
    except AliecsError as error:
        return "" if not psutil.pid_exists(pid) else f"silent ({error})"
    except OSError:
        return ""


async def beats(facility: Facility) -> AsyncIterator[Store]:
    """Yield the picture that the console has, after each change and ten times a second."""
    store = Store()
    call = facility.live.Watch(live_pb2.WatchRequest(heartbeat_ms=100))
    try:
        async for batch in call:
            store.apply(from_batch(batch))
            if store.is_complete:
                yield store
    finally:
        call.cancel()


async def _timed(call: Callable[[], Awaitable[str]]) -> Answer:
    began_s = time.monotonic()
    try:
        text = await call()
    except grpc.aio.AioRpcError as error:
        text = f"{error.code().name}: {error.details()}"
    return Answer(text, time.monotonic() - began_s)
