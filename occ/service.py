"""Serves a Controller over gRPC: ``occ_pb.Occ`` and, beside it, ``aliecs.task.v1.Metrics``. Decides nothing: control.py."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from occ.api import metrics_pb2, metrics_pb2_grpc, occ_pb2, occ_pb2_grpc
from occ.control import Channel, Controller, Refusal, RefusalKind
from occ.errors import ConfigError

_log = logging.getLogger(__name__)
_UNEXPECTED = "Unexpected error in RPC handling"
"""What the original's gRPC library answers for an exception in a handler; clients see it for unknown events."""
_STATUS = {
    RefusalKind.UNEXPECTED: grpc.StatusCode.UNKNOWN,
    RefusalKind.WRONG_SOURCE: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalKind.FINISHED: grpc.StatusCode.FAILED_PRECONDITION,
}
_OPTIONS = (
    ("grpc.so_reuseport", 0),  # else a second process would share the port in silence
    ("grpc.max_receive_message_length", 64 << 20),  # bytes; a configuration payload may be large
)


class Server:
    """The control port of one device."""

    def __init__(self, controller: Controller, metrics_period_s: float) -> None:
        self._controller = controller
        self._server = grpc.aio.server(options=_OPTIONS)
        self._meter = Meter(controller, metrics_period_s)
        occ_pb2_grpc.add_OccServicer_to_server(OccService(controller), self._server)
        metrics_pb2_grpc.add_MetricsServicer_to_server(MetricsService(self._meter), self._server)

    async def open(self, address: str, port: int) -> int:
        """Listen, and return the port, which is a free one if ``port`` is 0.

        Raises:
            ConfigError: the port cannot be bound.
        """
        host = f"[{address}]" if ":" in address else address
        try:
            bound: int = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError:
            bound = 0
        if not bound:
            await self.close(grace_s=0)
            raise ConfigError(
                f"cannot listen on {address}:{port}", hint="another process has the port, or no such address"
            )
        await self._server.start()
        return bound

    @property
    def is_metered(self) -> bool:
        """Whether the device is being asked for its numbers."""
        return self._meter.is_running

    async def close(self, grace_s: float) -> None:
        """Accept no more calls, let those that are answered right now end within ``grace_s``, then cut."""
        await self._meter.close()
        await self._server.stop(grace_s)


class OccService(occ_pb2_grpc.OccServicer):
    """The four calls of OCC."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._pid = os.getpid()

    async def GetState(self, request: occ_pb2.GetStateRequest, context: Any) -> occ_pb2.GetStateReply:
        state = await self._controller.settled_state()
        return occ_pb2.GetStateReply(state=state.value, pid=self._pid)

    async def Transition(self, request: occ_pb2.TransitionRequest, context: Any) -> occ_pb2.TransitionReply:
        arguments = [(entry.key, entry.value) for entry in request.arguments]
        outcome = await self._controller.transition(request.srcState, request.transitionEvent, arguments)
        if isinstance(outcome, Refusal):
            unexpected = outcome.kind is RefusalKind.UNEXPECTED
            await context.abort(_STATUS[outcome.kind], _UNEXPECTED if unexpected else outcome.message)
            raise AssertionError("abort returned")
        return occ_pb2.TransitionReply(
            trigger=outcome.trigger.value,  # type: ignore[arg-type]
            state=outcome.state.value,
            transitionEvent=outcome.event,
            ok=outcome.ok,
        )

    async def StateStream(
        self, request: occ_pb2.StateStreamRequest, context: Any
    ) -> AsyncIterator[occ_pb2.StateStreamReply]:
        async for state in self._controller.states.subscribe():
            yield occ_pb2.StateStreamReply(state=state.value)

    async def EventStream(
        self, request: occ_pb2.EventStreamRequest, context: Any
    ) -> AsyncIterator[occ_pb2.EventStreamReply]:
        async for event in self._controller.events.subscribe():
            yield occ_pb2.EventStreamReply(event=occ_pb2.DeviceEvent(type=event.value))  # type: ignore[arg-type]


class Meter:
    """Asks the device for its numbers while there are watchers, once for all of them."""

    def __init__(self, controller: Controller, period_s: float) -> None:
        self.samples: Channel[metrics_pb2.Sample] = Channel()
        self._controller = controller
        self._period_s = period_s
        self._work: asyncio.Task[None] | None = None

    async def sample(self) -> metrics_pb2.Sample:
        """Return the numbers of now, none if one of them is no number, which is logged."""
        told = await self._controller.metrics()
        try:
            metrics = [metrics_pb2.Metric(name=one.name, value=one.value, unit=one.unit) for one in told]
        except (AttributeError, TypeError, ValueError) as error:
            _log.error("device=%s metrics cannot be told: %s", self._controller.name, error)
            metrics = []
        return metrics_pb2.Sample(timestamp_ms=time.time_ns() // 1_000_000, metrics=metrics)

    def watch(self) -> AsyncIterator[metrics_pb2.Sample]:
        """Yield the samples from now on."""
        if not self.is_running:
            self._work = asyncio.get_running_loop().create_task(self._measure())
        return self.samples.subscribe()

    @property
    def is_running(self) -> bool:
        """Whether the device is being asked, now and then."""
        return self._work is not None and not self._work.done()

    async def close(self) -> None:
        """End all watches."""
        self.samples.close()
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _measure(self) -> None:
        done = self._controller.done
        period_s = self._period_s if self._controller.has_metrics else None
        while not done.is_set():
            try:
                async with asyncio.timeout(period_s):
                    await done.wait()
            except TimeoutError:
                if not self.samples.subscribers:
                    return
                self.samples.publish(await self.sample())
        self.samples.close()


class MetricsService(metrics_pb2_grpc.MetricsServicer):
    """The one call of ``aliecs.task.v1.Metrics``."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    async def Watch(self, request: metrics_pb2.WatchRequest, context: Any) -> AsyncIterator[metrics_pb2.Sample]:
        told = await self._meter.sample()
        yield told
        async for sample in self._meter.watch():
            if not request.only_news or _is_news(sample, told):
                told = sample
                yield sample


def _is_news(sample: metrics_pb2.Sample, told: metrics_pb2.Sample) -> bool:
    """Say whether a value is another one than was told, or a rate has to be renewed."""
    return sample.metrics != told.metrics or any(one.value and one.unit.endswith("/s") for one in sample.metrics)
