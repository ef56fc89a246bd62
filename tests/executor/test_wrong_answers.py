"""What the executor makes of a task that answers wrongly: bytes that are no message, numbers and states that nobody knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
import pytest

from executor.control import OccControl, Reply
from executor.fairmq import FairMqControl
from occ.api import occ_pb2

DEADLINE_S = 60.0
GARBAGE = b"\xff\xff\xff"


@dataclass
class Raw(grpc.GenericRpcHandler):
    """Answers every call with given bytes, whatever they are, or with a status; streams with each of them in turn."""

    answers: dict[str, bytes | grpc.StatusCode] = field(default_factory=dict)
    streams: dict[str, list[bytes]] = field(default_factory=dict)

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        name = details.method.rpartition("/")[2]
        if name in ("EventStream", "StateStream", "Watch"):
            return grpc.unary_stream_rpc_method_handler(partial(self._stream, name))
        return grpc.unary_unary_rpc_method_handler(partial(self._answer, name))

    async def _answer(self, name: str, request: bytes, context: Any) -> bytes:
        answer = self.answers[name]
        if isinstance(answer, grpc.StatusCode):
            await context.abort(answer, "such is life")
        return answer  # type: ignore[return-value]

    async def _stream(self, name: str, request: bytes, context: Any) -> AsyncIterator[bytes]:
        if name not in self.streams:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
        for message in self.streams[name]:
            yield message


@dataclass
class Heard:
    """Takes what a task says by itself."""

    said: list[object] = field(default_factory=list)

    def on_state(self, task_id: str, state: str) -> None:
        self.said.append(state)

    def on_event(self, task_id: str, kind: int) -> None:
        self.said.append(kind)

    def on_metrics(self, task_id: str, metrics: list[tuple[str, float, str]]) -> None:
        self.said.append(metrics)


Make = Callable[..., Awaitable[OccControl]]


@pytest.fixture
async def control() -> AsyncIterator[Make]:
    made: list[tuple[grpc.aio.Server, OccControl]] = []

    async def make(handler: Raw, kind: type[OccControl] = OccControl, *, as_json: bool = False) -> OccControl:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        made.append((server, kind("t1", port, 0, as_json=as_json)))
        return made[-1][1]

    yield make
    for server, one in made:
        await one.close()
        await server.stop(0)


def answer(trigger: int = 0, state: str = "CONFIGURED", event: str = "CONFIGURE", ok: bool = True) -> bytes:
    reply = occ_pb2.TransitionReply(trigger=trigger, state=state, transitionEvent=event, ok=ok)  # type: ignore[arg-type]
    return reply.SerializeToString()


async def configure(control: OccControl) -> Reply:
    async with asyncio.timeout(DEADLINE_S):
        return await control.transition("STANDBY", "CONFIGURE", "CONFIGURED", {}, DEADLINE_S)


async def test_only_an_answer_that_says_all_that_was_asked_for_is_success(control: Make) -> None:
    raw = Raw()
    task = await control(raw)
    raw.answers["Transition"] = answer()
    assert await configure(task) == Reply("CONFIGURED")
    for wrong, state, told in (
        (answer(ok=False), "CONFIGURED", "ok=false trigger=EXECUTOR event=CONFIGURE state=CONFIGURED"),
        (answer(trigger=1), "CONFIGURED", "ok=true trigger=DEVICE_INTENTIONAL event=CONFIGURE state=CONFIGURED"),
        (answer(trigger=2), "CONFIGURED", "ok=true trigger=DEVICE_ERROR event=CONFIGURE state=CONFIGURED"),
        (answer(event="START"), "CONFIGURED", "ok=true trigger=EXECUTOR event=START state=CONFIGURED"),
        (answer(state="STANDBY"), "STANDBY", "ok=true trigger=EXECUTOR event=CONFIGURE state=STANDBY"),
        (answer(state="NOWHERE"), "UNKNOWN", "ok=true trigger=EXECUTOR event=CONFIGURE state=NOWHERE"),
        (b"", "UNKNOWN", "ok=false trigger=EXECUTOR event= state="),
    ):
        raw.answers["Transition"] = wrong
        assert await configure(task) == Reply(state, f"CONFIGURE should have led to CONFIGURED: {told}")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (answer(trigger=7), "answered with the unknown trigger 7"),
        (GARBAGE, "answered what is no OCC message"),
        (grpc.StatusCode.UNKNOWN, "UNKNOWN: such is life"),
        (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT: such is life"),
        (grpc.StatusCode.INTERNAL, "INTERNAL: such is life"),
        (grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED: such is life"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ""),
    ],
)
@pytest.mark.parametrize("kind", [OccControl, FairMqControl])
async def test_every_other_answer_is_an_error_with_status_and_text(
    control: Make, kind: type[OccControl], given: bytes | grpc.StatusCode, told: str
) -> None:
    task = await control(Raw({"Transition": given, "GetState": GARBAGE}), kind)
    reply = await configure(task)
    what = "CONFIGURE" if kind is OccControl else "INIT DEVICE"
    assert (reply.state, reply.lost) == ("", False)
    assert f"{what} failed: " in reply.error if told else f"{what} timed out" in reply.error
    assert reply.error.endswith(told)


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"[]", b"{", b'{"state":1}', b'{"trigger":"0","state":"READY","transitionEvent":"","ok":true}',
        b'{"state":"READY","transitionEvent":null}', b'{"trigger":99999999999}', b'{"trigger":9,"state":"","transitionEvent":""}',
        b'{"state":"\xff","transitionEvent":""}', b'{"state":"\\ud800","transitionEvent":""}',
    ],
)  # fmt: skip
async def test_json_that_is_no_answer_is_an_error_too(control: Make, payload: bytes) -> None:
    task = await control(Raw({"Transition": payload, "GetState": b"{}"}), FairMqControl, as_json=True)
    reply = await configure(task)
    assert "INIT DEVICE failed: " in reply.error and reply.state == ""
    assert (await task.get_state(DEADLINE_S)).error.startswith("GetState failed: ")


async def test_a_state_that_nobody_knows_is_unknown_and_garbage_an_error(control: Make) -> None:
    raw = Raw()
    task = await control(raw)
    raw.answers["GetState"] = occ_pb2.GetStateReply(state="standby", pid=-3).SerializeToString()
    assert await task.get_state(DEADLINE_S) == Reply("UNKNOWN", pid=-3, native="standby")
    raw.answers["GetState"] = GARBAGE
    assert "no OCC message" in (await task.get_state(DEADLINE_S)).error


async def test_events_that_nobody_knows_do_not_end_the_listening(control: Make) -> None:
    def event(number: int) -> bytes:
        return bytes([0x0A, 2, 0x08, number])

    raw = Raw(streams={"EventStream": [event(9), event(1), b"", event(3)], "StateStream": [b"\x12\x03FOO", GARBAGE]})
    task, heard = await control(raw), Heard()
    task.watch(heard)
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*task._streams)
    assert [one for one in heard.said if isinstance(one, int)] == [1]  # an empty event is the end
    assert [one for one in heard.said if isinstance(one, str)] == ["UNKNOWN"]


async def test_a_task_that_is_gone_is_a_lost_connection(control: Make) -> None:
    raw = Raw({"Transition": answer(), "GetState": b""})
    task = await control(raw)
    assert (await configure(task)).error == ""
    gone = OccControl("t2", 1, 0)  # nobody listens on port 1
    try:
        reply = await configure(gone)
        assert reply.lost and reply.error.startswith("CONFIGURE failed: task at 127.0.0.1:1: UNAVAILABLE")
        assert (await gone.get_state(DEADLINE_S)).lost
    finally:
        await gone.close()
