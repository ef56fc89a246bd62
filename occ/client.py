"""Drives one OCC process over gRPC. The executor's and the tests' side of service.py."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

import grpc
import grpc.aio

from occ import json_form
from occ.api import metrics_pb2, metrics_pb2_grpc, occ_pb2, occ_pb2_grpc
from occ.errors import AliecsError, DeadlineError, LinkError, RefusedError, TaskError
from occ.events import DeviceEvent, Metric, Outcome, Sample, Trigger
from occ.states import TaskEvent, TaskState

_log = logging.getLogger(__name__)
_Reply = TypeVar("_Reply")
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 64 << 20),  # bytes
    ("grpc.min_reconnect_backoff_ms", 50),  # a task that is not up yet may be up a moment later
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_GET_STATE = occ_pb2.GetStateRequest()
_STATE_STREAM = occ_pb2.StateStreamRequest()
_EVENT_STREAM = occ_pb2.EventStreamRequest()
_ERRORS: dict[grpc.StatusCode, type[AliecsError]] = {
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.UNAVAILABLE: LinkError,
    grpc.StatusCode.CANCELLED: LinkError,
    grpc.StatusCode.INVALID_ARGUMENT: RefusedError,
    grpc.StatusCode.FAILED_PRECONDITION: RefusedError,
}


@dataclass(frozen=True, slots=True)
class StateReport:
    """Answer of GetState."""

    state: TaskState
    pid: int
    native: str
    """The state as the peer spelt it."""


class OccClient:
    """One connection to one control port; made on the loop it is used on. Connects by itself at the first call.

    Args:
        address: ``host:port``.
        as_json: speak the JSON form of FairMQ's plugin OCClite instead of protobuf.

    All calls raise DeadlineError (no answer in time: the task may still be doing it), LinkError (not reachable, or the
    process went away), RefusedError (not in that state) or TaskError (any other error status).
    """

    def __init__(self, address: str, *, as_json: bool = False) -> None:
        self.address = address
        self.is_json = as_json
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        occ = JsonStub(self._channel) if as_json else occ_pb2_grpc.OccStub(self._channel)
        self._get_state = occ.GetState
        self._transition = occ.Transition
        self._state_stream = occ.StateStream
        self._event_stream = occ.EventStream
        self._watch = metrics_pb2_grpc.MetricsStub(self._channel).Watch

    async def get_state(self, timeout_s: float) -> StateReport:
        """Return state and pid; waits while the task runs a callback."""
        try:
            reply = await self._get_state(_GET_STATE, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from None
        reply = self._understood(reply)
        return StateReport(TaskState.parse(reply.state), reply.pid, reply.state)

    async def transition(
        self, source: TaskState | str, event: TaskEvent | str, arguments: Mapping[str, str], timeout_s: float
    ) -> Outcome:
        """Ask for ``event``, which the task takes only in the state ``source``; the outcome says whether it succeeded."""
        request = occ_pb2.TransitionRequest(
            srcState=source.value if isinstance(source, TaskState) else source,
            transitionEvent=event.value if isinstance(event, TaskEvent) else event,
        )
        for key, value in arguments.items():
            request.arguments.add(key=key, value=value)
        try:
            reply = await self._transition(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from None
        reply = self._understood(reply)
        try:
            trigger = Trigger(reply.trigger)
        except ValueError:
            raise TaskError(f"task at {self.address}: answered with the unknown trigger {reply.trigger}") from None
        return Outcome(TaskState.parse(reply.state), reply.transitionEvent, reply.ok, trigger, reply.state)

    async def state_stream(self) -> AsyncIterator[TaskState]:
        """Yield every change of state from now on; ends after DONE. Nothing tells when the subscription is there."""
        async for native in self.native_states():
            yield TaskState.parse(native)

    async def native_states(self) -> AsyncIterator[str]:
        """Yield the same as the peer spells it, the intermediate states of a FairMQ device too."""
        call = self._state_stream(_STATE_STREAM)
        with self._guard(call):
            async for reply in call:
                yield self._understood(reply).state

    async def event_stream(self) -> AsyncIterator[DeviceEvent]:
        """Yield what the device reports from now on; ends when the task is DONE. Events that OCC does not know are left out."""
        call = self._event_stream(_EVENT_STREAM)
        with self._guard(call):
            async for reply in call:
                number = self._understood(reply).event.type
                try:
                    event = DeviceEvent(number)
                except ValueError:
                    _log.warning("task=%s event=%d is unknown", self.address, number)
                    continue
                yield event

    async def metrics(self, *, only_news: bool = False) -> AsyncIterator[Sample]:
        """Yield the task's numbers, at once and then about twice a second; TaskError if it has no such service.

        Args:
            only_news: leave out those that did not change, if the task knows how to, and no rate has to be renewed.
        """
        call = self._watch(metrics_pb2.WatchRequest(only_news=only_news))
        with self._guard(call):
            async for sample in call:
                metrics = tuple(Metric(metric.name, metric.value, metric.unit) for metric in sample.metrics)
                yield Sample(sample.timestamp_ms, metrics)

    async def close(self) -> None:
        """Close the connection; calls and streams that are open end with LinkError."""
        await self._channel.close()

    async def __aenter__(self) -> OccClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @contextmanager
    def _guard(self, call: grpc.aio.Call) -> Iterator[None]:
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from None
        finally:
            call.cancel()

    def _understood(self, reply: _Reply | None) -> _Reply:
        """Return the reply, which gRPC makes None where it was no such message."""
        if reply is None:
            raise TaskError(f"task at {self.address}: answered what is no OCC message")
        return reply

    def _translated(self, error: grpc.aio.AioRpcError) -> AliecsError:
        code, details = error.code(), error.details()
        kind = _ERRORS.get(code, TaskError)
        if self.is_json and code is grpc.StatusCode.CANCELLED and not details:
            kind = RefusedError  # all that OCClite says of a transition that it does not take on
        return kind(f"task at {self.address}: {code.name}{f': {details}' if details else ''}")


class JsonStub:
    """The calls of ``OccStub``, with the same messages, in JSON and by their bare names."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        empty, transition = json_form.encode_empty, json_form.encode_transition
        self.GetState = channel.unary_unary("GetState", empty, json_form.decode_state)
        self.Transition = channel.unary_unary("Transition", transition, json_form.decode_outcome)
        self.StateStream = channel.unary_stream("StateStream", empty, json_form.decode_state_change)
        self.EventStream = channel.unary_stream("EventStream", empty, json_form.decode_event)
