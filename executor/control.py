"""How a task is talked to once it runs: one interface for all control modes that have a connection.

``direct``: OCC's own states and events. ``fairmq``: fairmq.py. Basic and hook tasks have no connection: life.py, commands.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from itertools import pairwise
from typing import NamedTuple, Protocol

from executor.api.messages import TaskSpec
from occ.client import OccClient, StateReport
from occ.errors import AliecsError, DeadlineError, LinkError
from occ.events import DeviceEvent, Outcome, Trigger

_LOG = logging.getLogger(__name__)


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
        as_json: the task speaks OCC's JSON form, see ``speaks_json``.
    """

    def __init__(self, task_id: str, port: int, resubscriptions: int, *, as_json: bool = False) -> None:
        self._task_id = task_id
        self._resubscriptions = resubscriptions
        self._client = OccClient(f"127.0.0.1:{port}", as_json=as_json)
        self._streams: list[asyncio.Task[None]] = []

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
        streams = {
            "states": lambda: self._states(watcher),
            "events": lambda: self._events(watcher),
            "metrics": lambda: self._metrics(watcher),
        }
        for name, listen in streams.items():
            stream = asyncio.create_task(self._keep(name, listen), name=f"{self._task_id} {name}")
            self._streams.append(stream)

    async def close(self) -> None:
        for stream in self._streams:
            stream.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)
        await self._client.close()

    async def _keep(self, name: str, listen: Callable[[], AsyncIterator[None]]) -> None:
        """Listen until the task ends the stream or its connection is gone for good."""
        for _ in range(1 + self._resubscriptions):
            try:
                async for _ in listen():
                    pass
                return
            except LinkError as error:
                _LOG.debug("task=%s stream=%s broke error=%r", self._task_id, name, error.message)
            except AliecsError as error:  # most often: no metrics service
                _LOG.info("task=%s stream=%s ended error=%r", self._task_id, name, str(error))
                return

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
        async for sample in self._client.metrics():
            watcher.on_metrics(self._task_id, [(m.name, m.value, m.unit) for m in sample.metrics])
            yield


def speaks_json(spec: TaskSpec) -> bool:
    """Whether the command loads the plugin OCClite, which has no protobuf (occ-executor-mesos.md 3.6, step 3).

    The original looks for ``-P OCClite`` in single words of the command only, so it sees it in shell commands alone.
    """
    words = (spec.value, *spec.arguments)
    return any("-P OCClite" in word for word in words) or ("-P", "OCClite") in pairwise(words)


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
