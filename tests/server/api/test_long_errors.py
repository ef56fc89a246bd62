"""Errors however long: the client reads them whole as far as the core sends them, others get code and beginning."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from server.api import o2control_pb2 as pb
from server.api import o2control_pb2_grpc
from server.api.client import Client, Deadlines
from server.api.errors import CoreError, Reason
from server.status import refuse


class Refusing(o2control_pb2_grpc.ControlServicer):
    """Refuses with a long message, and with an environment of many tasks where it is asked to."""

    async def GetEnvironment(self, request: Any, context: Any) -> Any:
        tasks = [pb.ShortTaskInfo(taskId=f"task{number:06}", name="readout" * 9) for number in range(2000)]
        details = [pb.EnvironmentInfo(id="2ab1", tasks=tasks)] if request.id == "2ab1" else []
        error = CoreError(
            Reason.ENVIRONMENT_NOT_FOUND, f"no environment {request.id}", environment=request.id, hint="look again"
        )
        await refuse(context, error, *details)


@pytest.fixture
async def endpoint() -> AsyncIterator[str]:
    server = grpc.aio.server()
    o2control_pb2_grpc.add_ControlServicer_to_server(Refusing(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_the_client_reads_an_error_that_brings_a_whole_environment(endpoint: str) -> None:
    async with await Client.connect(endpoint, deadlines=Deadlines(connect_s=60.0)) as client:
        with pytest.raises(CoreError, match="no environment 2ab1") as caught:
            await client.environment("2ab1")
    assert (caught.value.reason, caught.value.hint) == (Reason.ENVIRONMENT_NOT_FOUND, "look again")


async def test_a_name_without_end_is_told_by_its_beginning_to_any_client(endpoint: str) -> None:
    async with grpc.aio.insecure_channel(endpoint) as channel:
        call = o2control_pb2_grpc.ControlStub(channel).GetEnvironment
        for letter in "xé":
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(pb.GetEnvironmentRequest(id=letter * 100_000), timeout=60)
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            assert (caught.value.details() or "").endswith("more characters")
