"""What AliECS's plugins OCC and OCClite make of a FairMQ device, as they were recorded: what each answers and refuses to.

occ-executor-mesos.md 1.7 and 1.8. A refused transition hangs, as it does there: executors must live with that.
The gRPC faces: faces.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from occ.control import Channel
from occ.errors import ConfigError
from occ.events import DeviceEvent, Trigger
from occ.fairmq import EXPECTED, DeviceState, DeviceTransition
from occ.ptree import parse
from occ.samples.fairmq.channels import Value, typed
from occ.samples.fairmq.machine import Machine

_T = TypeVar("_T")
_PUSHED_AT_ONCE = (DeviceTransition.RUN, DeviceTransition.STOP)


class WrongSource(Exception):
    """The device is in another state than the request says."""


class Unexpected(Exception):
    """No such event."""


@dataclass(frozen=True, slots=True)
class Answer:
    """To a transition."""

    trigger: Trigger
    state: DeviceState
    event: str
    ok: bool


class Plugin:
    """Between the machine of a device and those who drive it.

    Args:
        lite: be OCClite: no lock around calls, and streams of events that end in ERROR.
        stay: transitions that are answered as failed without being tried.
    """

    def __init__(self, machine: Machine, properties: dict[str, Value], *, lite: bool, stay: Iterable[str] = ()) -> None:
        self.states: Channel[DeviceState] = Channel()
        self.events: Channel[DeviceEvent] = Channel()
        """NULL_DEVICE_EVENT at the end is the only event of a FairMQ device."""
        self.is_lite = lite
        self.breaks_in: DeviceState | None = None
        """The state in which ERROR FOUND came while somebody listened to OCClite: the process breaks down, as the original."""
        self.finished = asyncio.Event()
        """The machine has come to an end."""
        self._machine = machine
        self._properties = properties
        self._stay = set(stay)
        self._last = machine.state
        self._lock = asyncio.Lock()
        self._pushed: list[tuple[str, str]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        machine.observe(self._on_state)

    async def state(self) -> DeviceState:
        """Return the state; OCC answers only when no transition is under way."""
        return await self._owned(self._get_state())

    async def transition(self, source: str, event: str, arguments: list[tuple[str, str]]) -> Answer:
        """Do a transition, whether or not its caller waits for it; WrongSource or Unexpected if it is not even tried."""
        return await self._owned(self._locked(source, event, arguments))

    async def _get_state(self) -> DeviceState:
        async with AsyncExitStack() as stack:
            if not self.is_lite:
                await stack.enter_async_context(self._lock)
            if self.breaks_in is not None:
                await asyncio.Event().wait()
            return self._machine.state

    async def _locked(self, source: str, event: str, arguments: list[tuple[str, str]]) -> Answer:
        async with AsyncExitStack() as stack:
            if not self.is_lite:
                await stack.enter_async_context(self._lock)
            return await self._transition(source, event, arguments)

    async def _transition(self, source: str, event: str, arguments: list[tuple[str, str]]) -> Answer:
        state = self._machine.state
        print(f"[OCC] transition src: {source} currentState: {state} event: {event}", flush=True)  # noqa: T201
        if source != state:
            raise WrongSource(f"transition not possible: state mismatch: source: {source} current: {state}")
        if event not in EXPECTED:
            raise Unexpected(event)
        if event in self._stay:
            return Answer(Trigger.DEVICE_INTENTIONAL, state, event, ok=False)
        transition = DeviceTransition(event)
        visited: list[DeviceState] = []
        news = asyncio.Event()

        def visit(reached: DeviceState) -> None:
            visited.append(reached)
            if not reached.is_intermediate:
                news.set()

        forget = self._machine.observe(visit)
        try:
            if transition in _PUSHED_AT_ONCE:
                self._properties.update(arguments)
            if transition is DeviceTransition.INIT_DEVICE:
                self._pushed = arguments
            self._machine.request(transition)  # refused: the next change of state, whosesoever, ends the wait
            await news.wait()
        finally:
            forget()
        if self.breaks_in is DeviceState.IDLE:
            await asyncio.Event().wait()
        last = visited[-1]
        ok = last is EXPECTED[transition]
        trigger = Trigger.EXECUTOR if ok else Trigger.DEVICE_INTENTIONAL
        return Answer(Trigger.DEVICE_ERROR if last is DeviceState.ERROR else trigger, last, event, ok)

    def _on_state(self, state: DeviceState) -> None:
        self.states.publish(state)
        before, self._last = self._last, state
        if state is DeviceState.ERROR and self.is_lite and self.events.subscribers and not self._machine.failed:
            self.breaks_in = before
        if state is DeviceState.EXITING or (state is DeviceState.ERROR and self.is_lite):
            self.events.publish(DeviceEvent.NULL_DEVICE_EVENT)
            self.events.close()
            self.states.close()
        if state in (DeviceState.EXITING, DeviceState.ERROR):
            self.finished.set()
        if state is DeviceState.INITIALIZING_DEVICE:
            pushed, self._pushed = self._pushed, []
            for key, value in pushed:
                self._push(key, value)

    def _push(self, key: str, value: str) -> None:
        if not key.startswith("__ptree__:"):
            self._properties[key] = typed(key, value)
            return
        if key.count(":") != 2:
            print(f"[WARN] property {key} dropped: not __ptree__:<syntax>:<name>", flush=True)  # noqa: T201
            return
        _, syntax, name = key.split(":")
        try:
            tree = parse(syntax, value)
        except ConfigError as error:
            print(f"[WARN] property {key} dropped: {error}", flush=True)  # noqa: T201
            return
        self._properties.update({f"{name}.{path}": leaf for path, leaf in tree.flat().items()})

    async def _owned(self, work: Coroutine[Any, Any, _T]) -> _T:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # who asked may be gone
