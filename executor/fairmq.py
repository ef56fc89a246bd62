"""Control mode ``fairmq``: drives a FairMQ device step by step through what is one OCC event (occ-executor-mesos.md 2.3).

The steps and what undoes them: occ/fairmq.py. The connection: control.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

from executor.control import OccControl, Reply, Watcher, closed, failed, mismatch
from executor.task_pipe import TaskPipe
from executor.waits import happens
from occ.client import StateReport
from occ.errors import AliecsError
from occ.events import DeviceEvent
from occ.fairmq import EXPECTED, SEQUENCES, DeviceState, DeviceTransition, Step, task_state
from occ.states import TaskEvent, TaskState

_LOOK_S = 1.0
"""For a look at where a device is after it did not do a step."""
_ROUND_S = 5.0
"""Between two looks at a running device that has no stream of states."""
_AHEAD, _SHORT_AHEAD, _SHORT_AHEAD_S = 0.02, 0.1, 1.0
"""Part of a command's time that is kept, so that the step that hangs can be named before the command times out, half of it for a
look at where the device is; of short times more, but no more than so many seconds."""


class _Time(NamedTuple):
    """Of one event, by the clock of the loop."""

    steps_end: float
    looks_end: float


class FairMqControl(OccControl):
    """A FairMQ device behind the plugin OCC or, ``as_json``, OCClite. States and events are OCC's."""

    def __init__(
        self, task_id: str, port: int, resubscriptions: int, pipe: TaskPipe | None = None, *, as_json: bool = False
    ) -> None:
        super().__init__(task_id, port, resubscriptions, pipe, as_json=as_json)
        self._moves = 0
        """Begun and ended events; what was asked between two is not of now."""
        self._moved = asyncio.Event()
        self._known = ""
        """Where the last event left the device, or it was seen; "" if that is not known."""

    def _state_of(self, report: StateReport) -> str:
        """Return "" while the device is between two states of OCC."""
        return task_state(report.native) or ""

    async def transition(
        self, source: str, event: str, destination: str, arguments: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Take the device through all steps of ``event``; a step that fails ends it, after undoing what can be undone.

        The state returned is that of the device, UNKNOWN if it ended between two states of OCC, "" if it did not say.
        """
        self._note("UNKNOWN")
        reply = Reply("")
        try:
            reply = await self._walk(source, event, destination, arguments, timeout_s)
        finally:
            self._note(reply.state)
        return reply

    def _note(self, state: str) -> None:
        self._moves += 1
        self._known = state
        self._moved.set()

    async def _walk(
        self, source: str, event: str, destination: str, arguments: Mapping[str, str], timeout_s: float
    ) -> Reply:
        steps = _steps(event, source)
        if not steps:
            return Reply(source, f"{event} is not supported by FairMQ devices in {source}")
        loop = asyncio.get_running_loop()
        ahead_s = max(_AHEAD * timeout_s, min(_SHORT_AHEAD * timeout_s, _SHORT_AHEAD_S))
        time = _Time(loop.time() + timeout_s - ahead_s, loop.time() + timeout_s - ahead_s / 2)
        reply = Reply(source)
        for step in steps:
            reply, native = await self._ask(
                step.transition, step.source, arguments if step.takes_arguments else {}, time
            )
            if not reply.error:
                continue
            if step.undo is not None and native == step.source and loop.time() < time.steps_end:
                undone, _ = await self._ask(step.undo, step.source, {}, time)
                reply = Reply(undone.state, reply.error if not undone.error else f"{reply.error}; then {undone.error}")
            return reply._replace(error=_within(event, step, reply.error))
        if reply.state != destination:
            return Reply(reply.state, f"{event} should have led to {destination}: the device is in {reply.state}")
        return reply

    async def _ask(
        self, transition: DeviceTransition, source: DeviceState, arguments: Mapping[str, str], time: _Time
    ) -> tuple[Reply, str]:
        """Ask for one transition, and return what came of it and the device's own state, "" if that is not known."""
        try:
            outcome = await self._client.transition(source, transition, arguments, _left_s(time.steps_end))
        except AliecsError as error:
            reply = failed(transition, error)
            return (reply, "") if reply.lost else await self._look(transition, reply, time)
        except asyncio.CancelledError:
            return closed(transition), ""
        state = task_state(outcome.native) or TaskState.UNKNOWN.value
        return Reply(state, mismatch(outcome, transition, EXPECTED[transition])), outcome.native

    async def _look(self, transition: DeviceTransition, reply: Reply, time: _Time) -> tuple[Reply, str]:
        """Neither a refusal nor a step that hangs says where the device is: ask."""
        try:
            report = await self._client.get_state(min(_LOOK_S, _left_s(time.looks_end)))
        except AliecsError:
            return reply, ""  # what went wrong before is what is told
        except asyncio.CancelledError:
            return closed(transition), ""
        return reply._replace(state=task_state(report.native) or TaskState.UNKNOWN.value), report.native

    async def _states(self, watcher: Watcher) -> AsyncIterator[None]:
        if self._client.is_json:
            async for seen in self._looks():
                watcher.on_state(self._task_id, seen)
                yield
            return
        async for native in self._client.native_states():
            state = task_state(native)
            if state is not None:
                watcher.on_state(self._task_id, state.value)
            yield

    async def _looks(self) -> AsyncIterator[str]:
        """Yield the state of a device that left RUNNING by itself, of which OCClite says nothing; its end is an event."""
        while True:
            self._moved.clear()
            if await happens(self._moved, _ROUND_S if self._known in ("", TaskState.RUNNING) else None):
                continue
            moves = self._moves
            reply = await self.get_state(_LOOK_S)
            if moves == self._moves and reply.state not in ("", self._known):
                self._known = reply.state
                yield reply.state

    async def _events(self, watcher: Watcher) -> AsyncIterator[None]:
        """The one event of a FairMQ device is that it ends, by EXITING or, with OCClite, by ERROR: look which."""
        async for event in self._client.event_stream():
            if event is not DeviceEvent.NULL_DEVICE_EVENT:
                watcher.on_event(self._task_id, event.value)
                yield
                continue
            if (await self.get_state(_LOOK_S)).state == TaskState.ERROR:
                watcher.on_state(self._task_id, TaskState.ERROR.value)
            return


def _left_s(end: float) -> float:
    return max(0.001, end - asyncio.get_running_loop().time())


def _steps(event: str, source: str) -> tuple[Step, ...]:
    try:
        return SEQUENCES.get((TaskEvent(event), TaskState(source)), ())
    except ValueError:
        return ()


def _within(event: str, step: Step, error: str) -> str:
    """Name the event too, where it is not the step's own name."""
    return error if event == step.transition else f"{event}: {error}"
