"""How a task is talked to once it runs: one interface for all control modes that have a connection.

``direct`` speaks occ_pb.Occ in protobuf on 127.0.0.1. Basic and hook tasks have no connection: life.py, commands.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import NamedTuple, Protocol

from occ.client import OccClient
from occ.errors import AliecsError, DeadlineError, LinkError
from occ.events import DeviceEvent, Trigger

_LOG = logging.getLogger(__name__)


class Reply(NamedTuple):
    """What came of a call; error "" is success, state "" is not known."""

    state: str
    error: str = ""
    pid: int = 0
    lost: bool = False
    """The connection broke."""


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
    """

    def __init__(self, task_id: str, port: int, resubscriptions: int) -> None:
        self._task_id = task_id
        self._resubscriptions = resubscriptions
        self._client = OccClient(f"127.0.0.1:{port}")
        self._streams: list[asyncio.Task[None]] = []

    async def get_state(self, timeout_s: float) -> Reply:
        try:
            report = await self._client.get_state(timeout_s)
        except AliecsError as error:
            return _failed("GetState", error)
        except asyncio.CancelledError:
            return _closed("GetState")
        return Reply(report.state.value, pid=report.pid)

    async def transition(
        self, source: str, event: str, destination: str, arguments: Mapping[str, str], timeout_s: float
    ) -> Reply:
        try:
            outcome = await self._client.transition(source, event, arguments, timeout_s)
        except AliecsError as error:
            return _failed(event, error)
        except asyncio.CancelledError:
            return _closed(event)
        state = outcome.state.value
        if outcome.ok and outcome.trigger is Trigger.EXECUTOR and outcome.event == event and state == destination:
            return Reply(state)
        return Reply(
            state,
            f"{event} should have led to {destination}: ok={str(outcome.ok).lower()} trigger={outcome.trigger.name} "
            f"event={outcome.event} state={outcome.native or state}",
        )

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
            except (AliecsError, ValueError) as error:
                # Most often: no metrics service. ValueError: a number that occ_pb does not define.
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


def _failed(what: str, error: AliecsError) -> Reply:
    if isinstance(error, DeadlineError):
        return Reply("", f"{what} timed out")
    return Reply("", f"{what} failed: {error.message}", lost=isinstance(error, LinkError))


def _closed(what: str) -> Reply:
    """Answer for a call that the closing of the connection cancelled; a cancelled caller is cancelled."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return Reply("", f"{what} failed: the connection was closed", lost=True)
