"""How a task is talked to once it runs: one interface for all control modes that have a connection.

``direct``: OCC's own states and events. ``fairmq``: fairmq.py. Basic and hook tasks have no connection: life.py, commands.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, NamedTuple, Protocol

from executor.task_pipe import TaskPipe
from executor.waits import happens
from occ.client import OccClient, StateReport
from occ.errors import AliecsError, DeadlineError, LinkError
from occ.events import DeviceEvent, Outcome, Trigger

_LOG = logging.getLogger(__name__)
_BREAK_S = 0.1
"""From a stream or pipe that broke to the next attempt; most often it is the task that ends."""
_CALLBACK_S = 120.0
"""For a state that is asked for while a callback runs."""


class Reply(NamedTuple):
    """What came of a call; error "" is success, state "" is not known."""

    state: str
    error: str = ""
    pid: int = 0
    lost: bool = False
    """The connection broke."""
    native: str = ""
    """The state as the task spelt it, if that is another word and it was asked for."""


class Watcher(Protocol):
    """Takes what a task says by itself, on the loop."""

    def on_state(self, task_id: str, state: str) -> None: ...
    def on_event(self, task_id: str, kind: int) -> None: ...
    def on_metrics(self, task_id: str, metrics: list[tuple[str, float, str]]) -> None: ...


class Control(Protocol):
    """A connection to one task."""

    async def get_state(self, timeout_s: float) -> Reply:
        """Ask for state and pid."""

    async def transition(
        self, source: str, event: str, destination: str, arguments: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Ask for a transition; success only if it was done as asked (occ-executor-mesos.md 1.9)."""

    def watch(self, watcher: Watcher) -> None:
        """Begin to listen to the task."""

    async def close(self) -> None:
        """End all calls and listening; calls under way return as lost."""


class OccControl:
    """Control mode ``direct``.

    Args:
        resubscriptions: how often a stream that broke while the task lives is opened again.
        pipe: on which the task may tell its states; what is told there is not listened to by a stream. Closed with this.
        as_json: the task speaks OCC's JSON form, see task.py.
    """

    def __init__(
        self, task_id: str, port: int, resubscriptions: int, pipe: TaskPipe | None = None, *, as_json: bool = False
    ) -> None:
        self._task_id = task_id
        self._resubscriptions = resubscriptions
        self._client = OccClient(f"127.0.0.1:{port}", as_json=as_json)
        self._pipe = pipe
        self._streams: set[asyncio.Task[None]] = set()

    async def get_state(self, timeout_s: float) -> Reply:
        try:
            report = await self._client.get_state(timeout_s)
        except AliecsError as error:
            return failed("GetState", error)
        except asyncio.CancelledError:
            return closed("GetState")
        state = self._state_of(report)
        return Reply(state, pid=report.pid, native=report.native if report.native != state else "")

    def _state_of(self, report: StateReport) -> str:
        """Return the OCC state that a task means."""
        return report.state.value

    async def transition(
        self, source: str, event: str, destination: str, arguments: Mapping[str, str], timeout_s: float
    ) -> Reply:
        try:
            outcome = await self._client.transition(source, event, arguments, timeout_s)
        except AliecsError as error:
            return failed(event, error)
        except asyncio.CancelledError:
            return closed(event)
        return Reply(outcome.state.value, mismatch(outcome, event, destination))

    def watch(self, watcher: Watcher) -> None:
        def on_state(state: str) -> None:
            watcher.on_state(self._task_id, state)

        def keep_states(*, is_broken: bool) -> None:
            self._start(
                self._keep("states", lambda: self._states(watcher), lambda: self._catch_up(on_state), is_broken)
            )

        if self._pipe is None or not self._pipe.listen(on_state, lambda: keep_states(is_broken=True)):
            keep_states(is_broken=False)
        self._start(self._keep("events", lambda: self._events(watcher)))
        self._start(self._keep("metrics", lambda: self._metrics(watcher)))

    async def close(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        for listening in self._streams:
            listening.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)
        await self._client.close()

    def _start(self, listening: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(listening, name=f"{self._task_id} listening")
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)

    async def _keep(
        self, name: str, listen: Callable[[], AsyncIterator[None]],
        catch_up: Callable[[], Coroutine[Any, Any, None]] | None = None, is_broken: bool = False,
    ) -> None:  # fmt: skip
        """Listen until the task ends the stream or its connection is gone for good.

        Args:
            catch_up: looks for what was missed, after a break.
            is_broken: there was one.
        """
        for _ in range(1 + self._resubscriptions):
            if is_broken:
                await happens(asyncio.Event(), _BREAK_S)  # or until it has ended, which cancels this
                if catch_up is not None:
                    self._start(catch_up())
            try:
                async for _ in listen():
                    pass
                return
            except LinkError as error:
                is_broken = True
                _LOG.debug("task=%s stream=%s broke error=%r", self._task_id, name, error.message)
            except AliecsError as error:  # most often: no metrics service
                _LOG.info("task=%s stream=%s ended error=%r", self._task_id, name, str(error))
                return

    async def _catch_up(self, on_state: Callable[[str], None]) -> None:
        reply = await self.get_state(_CALLBACK_S)
        if reply.state:
            on_state(reply.state)

    async def _states(self, watcher: Watcher) -> AsyncIterator[None]:
        async for state in self._client.state_stream():
            watcher.on_state(self._task_id, state.value)
            yield

    async def _events(self, watcher: Watcher) -> AsyncIterator[None]:
        async for event in self._client.event_stream():
            if event is DeviceEvent.NULL_DEVICE_EVENT:
                return
            watcher.on_event(self._task_id, event.value)
            yield

    async def _metrics(self, watcher: Watcher) -> AsyncIterator[None]:
        async for sample in self._client.metrics(only_news=True):
            watcher.on_metrics(self._task_id, [(m.name, m.value, m.unit) for m in sample.metrics])
            yield


def mismatch(outcome: Outcome, event: str, destination: str) -> str:
    """Return "" if the answer says that all was done as asked, else what it says (occ-executor-mesos.md 1.9)."""
    if (outcome.ok, outcome.trigger, outcome.event, outcome.native) == (True, Trigger.EXECUTOR, event, destination):
        return ""
    return (
        f"{event} should have led to {destination}: ok={str(outcome.ok).lower()} trigger={outcome.trigger.name} "
        f"event={outcome.event} state={outcome.native}"
    )


def failed(what: str, error: AliecsError) -> Reply:
    if isinstance(error, DeadlineError):
        return Reply("", f"{what} timed out")
    return Reply("", f"{what} failed: {error.message}", lost=isinstance(error, LinkError))


def closed(what: str) -> Reply:
    """Answer for a call that the closing of the connection cancelled; a cancelled caller is cancelled."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return Reply("", f"{what} failed: the connection was closed", lost=True)
