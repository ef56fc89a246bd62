"""What is left of a core when it has AliECS's own surface only: a proxy that passes on o2control.Control, bytes for bytes.

All else is UNIMPLEMENTED, reflection and aliecs.live.v1 included, and errors lose what AliECS does not send. A test may
slow methods down, take them away, hold every answer back, or cut the link.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
from free_ports import free_port
from google.rpc import error_details_pb2, status_pb2

from server.api import o2control_pb2 as pb

SERVICE = "o2control.Control"
METHODS = {
    f"/{SERVICE}/{method.name}": method.server_streaming for method in pb.DESCRIPTOR.services_by_name["Control"].methods
}
"""Path to whether it answers with a stream."""
_DETAILS = "grpc-status-details-bin"
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]

Context = Any


class StockCore(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Stands before one core, real or fake."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.calls: list[str] = []
        """Methods asked for, in order, also those that it does not have: those by their path."""
        self.open: dict[str, int] = {}
        """How many calls of a method are under way."""
        self.most_open: dict[str, int] = {}
        self.delays_s: dict[str, float] = {}
        """How long an answer takes, by method; "" for all others."""
        self.missing: set[str] = set()
        """Methods of an older core that it does not have."""
        self.doomed: list[str] = []
        """Transitions that were asked for at the wrong time: a stock core drives such environments to ERROR."""
        self.flowing = asyncio.Event()
        """Answers wait for it."""
        self.flowing.set()
        self.port = 0
        self._server: grpc.aio.Server | None = None
        self._channel: grpc.aio.Channel | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> StockCore:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.flowing.set()
        await self.cut()

    async def start(self) -> None:
        """Serve, on the same port as before if there was one."""
        self._channel = grpc.aio.insecure_channel(
            self.behind,
            options=[*_OPTIONS, ("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)],
        )
        self._server = grpc.aio.server(handlers=(self,), options=_OPTIONS)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port or free_port()}")
        await self._server.start()

    async def cut(self) -> None:
        """Cut the link: calls break off, and nobody listens any more."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    # ---- grpc --------------------------------------------------------------------------------

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Return the handler of a method, None if it is not one of a stock core's."""
        path = details.method
        name = path.rpartition("/")[2]
        if path not in METHODS or name in self.missing:
            self.calls.append(path)
            return None
        if METHODS[path]:

            async def stream(request: bytes, context: Context) -> AsyncIterator[bytes]:
                self.calls.append(name)
                assert self._channel is not None
                call = self._channel.unary_stream(path)(request)
                with self._counted(name):
                    try:
                        async for message in call:
                            yield message
                    except grpc.aio.AioRpcError as error:
                        await self._fail(context, error)
                    finally:
                        call.cancel()

            return grpc.unary_stream_rpc_method_handler(stream)

        async def answer(request: bytes, context: Context) -> bytes:
            self.calls.append(name)
            with self._counted(name):
                return await self._answer(path, name, request, context)

        return grpc.unary_unary_rpc_method_handler(answer)

    async def _answer(self, path: str, name: str, request: bytes, context: Context) -> bytes:
        assert self._channel is not None
        try:
            reply: bytes = await self._channel.unary_unary(path)(request)
        except grpc.aio.AioRpcError as error:
            if name == "ControlEnvironment" and error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                self.doomed.append(pb.ControlEnvironmentRequest.FromString(request).id)
            await self._fail(context, error)
        delay_s = self.delays_s.get(name, self.delays_s.get("", 0.0))
        if delay_s:
            await asyncio.sleep(delay_s)
        await self.flowing.wait()
        return reply

    async def _fail(self, context: Context, error: grpc.aio.AioRpcError) -> None:
        """End a call with the error of the core behind, without what only ours says."""
        metadata = [(key, value) for key, value in error.trailing_metadata() or () if key != _DETAILS]
        for key, value in error.trailing_metadata() or ():
            if key == _DETAILS:
                status = status_pb2.Status.FromString(value)
                kept = [one for one in status.details if not one.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
                del status.details[:]
                status.details.extend(kept)
                if kept:
                    metadata.append((key, status.SerializeToString()))
        context.set_trailing_metadata(tuple(metadata))
        await self.flowing.wait()
        await context.abort(error.code(), error.details() or "")

    @contextlib.contextmanager
    def _counted(self, name: str) -> Any:
        self.open[name] = self.open.get(name, 0) + 1
        self.most_open[name] = max(self.most_open.get(name, 0), self.open[name])
        try:
            yield
        finally:
            self.open[name] -= 1
