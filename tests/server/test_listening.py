"""A server finds out that a client is gone, also when nobody tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from server.listening import asking_after_clients, open_port


class Hall(grpc.GenericRpcHandler):
    """One method, Stay, which says hello and then nothing."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_stream_rpc_method_handler(self._stay)

    async def _stay(self, request: bytes, context: object) -> AsyncIterator[bytes]:
        try:
            yield b"hello"
            await asyncio.Event().wait()
        finally:
            self.left.set()


class DeadEnd:
    """A relay to a port of this machine that can be made to lose everything without a word."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ways: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._bring, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def lose(self) -> None:
        """Bring nothing on any more; both connections stay open."""
        for way in self._ways:
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)

    async def close(self) -> None:
        assert self._server
        self._server.close()
        await self.lose()
        for writer in self._writers:
            writer.close()

    async def _bring(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers = (writer, far_writer)
        self._ways += [asyncio.create_task(_pour(reader, far_writer)), asyncio.create_task(_pour(far_reader, writer))]


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while some := await reader.read(65536):
        writer.write(some)
        await writer.drain()


@pytest.mark.parametrize("is_lost", [True, False], ids=["gone", "quiet"])
async def test_a_client_that_is_gone_without_a_word_is_hung_up_on_and_a_quiet_one_is_not(is_lost: bool) -> None:
    hall = Hall()
    answer_s = 0.5 if is_lost else 5.0
    server = grpc.aio.server(options=asking_after_clients(1.0, answer_s))
    server.add_generic_rpc_handlers((hall,))
    port = open_port(server, "127.0.0.1", 0, setting="none")
    await server.start()
    relay = DeadEnd(port)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{await relay.open()}", options=[("grpc.enable_http_proxy", 0)])
    call = channel.unary_stream("/any/Stay")(b"")
    try:
        assert await call.read() == b"hello"
        if is_lost:
            await relay.lose()
            async with asyncio.timeout(60):
                await hall.left.wait()
        else:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2 + answer_s):
                    await hall.left.wait()
    finally:
        call.cancel()
        await channel.close()
        await relay.close()
        await server.stop(None)
