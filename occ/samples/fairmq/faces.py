"""The control port of a FairMQ device: the plugin as ``occ_pb.Occ`` in protobuf, or by bare names in JSON, and its metrics."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import grpc
import grpc.aio

from occ import json_form
from occ.api import metrics_pb2, metrics_pb2_grpc, occ_pb2, occ_pb2_grpc
from occ.events import Metric
from occ.samples.fairmq.plugin import Plugin, Unexpected, WrongSource

_UNEXPECTED = "Unexpected error in RPC handling"
_METRICS_PERIOD_S = 0.5
_Handler = Any


class Face(occ_pb2_grpc.OccServicer):
    """OCC in protobuf."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin

    async def GetState(self, request: object, context: Any) -> occ_pb2.GetStateReply:
        return occ_pb2.GetStateReply(state=await self._plugin.state(), pid=os.getpid())

    async def Transition(self, request: occ_pb2.TransitionRequest, context: Any) -> occ_pb2.TransitionReply:
        arguments = [(entry.key, entry.value) for entry in request.arguments]
        try:
            answer = await self._plugin.transition(request.srcState, request.transitionEvent, arguments)
        except WrongSource as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Unexpected:
            await context.abort(grpc.StatusCode.UNKNOWN, _UNEXPECTED)
        return occ_pb2.TransitionReply(
            trigger=answer.trigger.value,  # type: ignore[arg-type]
            state=answer.state,
            transitionEvent=answer.event,
            ok=answer.ok,
        )

    async def StateStream(self, request: object, context: Any) -> AsyncIterator[occ_pb2.StateStreamReply]:
        async for state in self._plugin.states.subscribe():
            yield occ_pb2.StateStreamReply(type=int(state.is_intermediate), state=state)  # type: ignore[arg-type]

    async def EventStream(self, request: object, context: Any) -> AsyncIterator[occ_pb2.EventStreamReply]:
        async for event in self._plugin.events.subscribe():
            yield occ_pb2.EventStreamReply(event=occ_pb2.DeviceEvent(type=event.value))  # type: ignore[arg-type]


class LiteFace(grpc.GenericRpcHandler):
    """OCC in JSON; what else is called is not implemented."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin
        self._methods: dict[str, _Handler] = {
            "GetState": grpc.unary_unary_rpc_method_handler(self._get_state),
            "Transition": grpc.unary_unary_rpc_method_handler(self._transition),
            "EventStream": grpc.unary_stream_rpc_method_handler(self._event_stream),
        }
        self._unknown: _Handler = grpc.unary_unary_rpc_method_handler(_unimplemented)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        if details.method.startswith("/aliecs."):
            return None  # of another service on the same port
        return self._methods.get(details.method, self._unknown)

    async def _get_state(self, payload: bytes, context: Any) -> bytes:
        try:
            json.loads(payload)
        except ValueError:
            await context.abort(grpc.StatusCode.CANCELLED, "")
        return json_form.encode({"state": await self._plugin.state(), "pid": os.getpid()})

    async def _transition(self, payload: bytes, context: Any) -> bytes:
        try:
            source, event, arguments = json_form.decode_transition(payload)
            answer = await self._plugin.transition(source, event, arguments)
        except (ValueError, WrongSource):
            await context.abort(grpc.StatusCode.CANCELLED, "")
        except Unexpected:
            await context.abort(grpc.StatusCode.UNKNOWN, _UNEXPECTED)
        return json_form.encode(
            {"trigger": answer.trigger.value, "state": answer.state, "transitionEvent": answer.event, "ok": answer.ok}
        )

    async def _event_stream(self, payload: bytes, context: Any) -> AsyncIterator[bytes]:
        async for event in self._plugin.events.subscribe():
            yield json_form.encode({"event": {"type": event.value}})


class Meter(metrics_pb2_grpc.MetricsServicer):
    """Tells the numbers of the device until it ends. The original has no such service."""

    def __init__(self, plugin: Plugin, metrics: Callable[[], Iterable[Metric]]) -> None:
        self._plugin = plugin
        self._metrics = metrics

    async def Watch(self, request: object, context: Any) -> AsyncIterator[metrics_pb2.Sample]:
        while not self._plugin.finished.is_set():
            metrics = [metrics_pb2.Metric(name=one.name, value=one.value, unit=one.unit) for one in self._metrics()]
            yield metrics_pb2.Sample(timestamp_ms=time.time_ns() // 1_000_000, metrics=metrics)
            await within(_METRICS_PERIOD_S, self._plugin.finished.wait())


def make_server(plugin: Plugin, metrics: Callable[[], Iterable[Metric]], port: int) -> grpc.aio.Server:
    """Return a server that is still to be started; RuntimeError if the port is not to be had."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    if plugin.is_lite:
        server.add_generic_rpc_handlers((LiteFace(plugin),))
    else:
        occ_pb2_grpc.add_OccServicer_to_server(Face(plugin), server)
    metrics_pb2_grpc.add_MetricsServicer_to_server(Meter(plugin, metrics), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    return server


async def within(time_s: float, work: Awaitable[object]) -> bool:
    """Wait for ``work`` no longer than ``time_s``; whether it was done by then."""
    try:
        await asyncio.wait_for(work, time_s)
    except TimeoutError:
        return False
    return True


async def _unimplemented(payload: bytes, context: Any) -> bytes:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
    raise AssertionError("abort returned")
