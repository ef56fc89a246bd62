"""Plays what AliECS's own tasks and devices answered (golden/occ) to our side of OCC: is it asked and understood rightly?"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format, text_format
from occ_scenes import Step, scenes

from executor.control import mismatch
from occ import json_form
from occ.api import occ_pb2
from occ.client import OccClient
from occ.errors import AliecsError, DeadlineError, LinkError, RefusedError, TaskError
from occ.states import TaskState

pytestmark = pytest.mark.reference

DEADLINE_S = 60.0
OF_CLIENTS = ("UNAVAILABLE", "DEADLINE_EXCEEDED")
"""Statuses that no server sent."""
KINDS = {"INVALID_ARGUMENT": RefusedError, "FAILED_PRECONDITION": RefusedError, "CANCELLED": LinkError}


def recordings() -> list[Path]:
    folder = Path(os.environ.get("ALIECS_REFERENCE", Path(__file__).resolve().parents[2].parent / "shared"))
    paths = sorted((folder / "golden" / "occ").glob("*.txt"))
    return [path for path in paths if not path.name.startswith("00") and "http2" not in path.name]  # those are frames


@dataclass
class Recorded(grpc.GenericRpcHandler):
    """Says what was recorded, and keeps what it was asked."""

    answer: Step | None = None
    stream: list[Step] = field(default_factory=list)
    asked: list[tuple[str, bytes]] = field(default_factory=list)

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        if details.method.endswith("Stream"):
            return grpc.unary_stream_rpc_method_handler(partial(self._say, details.method))
        return grpc.unary_unary_rpc_method_handler(partial(self._tell, details.method))

    async def _tell(self, method: str, request: bytes, context: Any) -> bytes:
        self.asked.append((method, request))
        assert self.answer is not None
        if self.answer.status != "OK":
            await context.abort(grpc.StatusCode[self.answer.status], self.answer.details)
        return payload(self.answer)

    async def _say(self, method: str, request: bytes, context: Any) -> AsyncIterator[bytes]:
        self.asked.append((method, request))
        for step in self.stream:
            if step.kind == "end":
                await context.abort(grpc.StatusCode[step.status], "") if step.status != "OK" else None
                return
            yield payload(step)


def payload(step: Step) -> bytes:
    """Return the bytes of a recorded reply: it is JSON, or hexadecimal digits of protobuf."""
    return step.reply.encode() if step.reply.startswith("{") else bytes.fromhex(step.reply)


@pytest.fixture
async def recorded() -> AsyncIterator[tuple[Recorded, dict[bool, OccClient]]]:
    """A server that says what was recorded; the clients in protobuf and in JSON."""
    handler, server = Recorded(), grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with OccClient(f"127.0.0.1:{port}") as plain, OccClient(f"127.0.0.1:{port}", as_json=True) as lite:
        yield handler, {False: plain, True: lite}
    await server.stop(0)


def request_of(step: Step, *, as_json: bool) -> occ_pb2.TransitionRequest:
    request = occ_pb2.TransitionRequest()
    body = str(step.body)
    if as_json:
        json_format.Parse(body, request)
    else:
        text_format.Parse(body[1:-1], request)
    return request


@pytest.mark.parametrize("path", recordings() or [Path("none")], ids=lambda path: path.stem)
async def test_recorded_answers_are_asked_for_and_understood(
    reference: Path, path: Path, recorded: tuple[Recorded, dict[bool, OccClient]]
) -> None:
    handler, clients = recorded
    for scene in scenes(path):
        forms: dict[str, bool] = {}
        for step in scene.steps:
            if step.kind == "start":
                forms[step.who] = "OCClite" in str(step.body)
            elif step.kind == "call" and step.answer is not None and is_ours(step):
                as_json = forms.get(step.who, next(iter(forms.values())))
                handler.answer = step.answer
                if step.rpc == "GetState":
                    await check_state(clients[as_json], step.answer)
                else:
                    await check_transition(handler, clients[as_json], step, as_json=as_json)


def is_ours(step: Step) -> bool:
    """Whether our client can send this, and a server gave the answer."""
    assert step.answer is not None
    if isinstance(step.body, bytes) or "...cut..." in step.body or step.rpc not in ("GetState", "Transition"):
        return False
    return step.answer.status not in OF_CLIENTS and "Missing" not in step.answer.details


async def check_state(client: OccClient, answer: Step) -> None:
    if answer.status != "OK":
        with pytest.raises(AliecsError, match=answer.status):
            await client.get_state(DEADLINE_S)
        return
    report = await client.get_state(DEADLINE_S)
    reply = occ_pb2.GetStateReply()
    if client.is_json:
        json_format.Parse(answer.reply, reply)
    else:
        reply.ParseFromString(payload(answer))
    assert (report.native, report.pid, report.state) == (reply.state, reply.pid, TaskState.parse(reply.state))


async def check_transition(handler: Recorded, client: OccClient, step: Step, *, as_json: bool) -> None:
    answer = step.answer
    assert answer is not None
    wanted = request_of(step, as_json=as_json)
    keys = [entry.key for entry in wanted.arguments]
    arguments = {entry.key: entry.value for entry in wanted.arguments}
    error: AliecsError | None = None
    try:
        outcome = await client.transition(wanted.srcState, wanted.transitionEvent, arguments, DEADLINE_S)
    except AliecsError as raised:
        error = raised
    method, sent = handler.asked[-1]
    assert method == ("Transition" if as_json else "/occ_pb.Occ/Transition")
    if len(set(keys)) == len(keys):
        if as_json:
            assert json_form.decode_transition(sent) == json_form.decode_transition(str(step.body).encode())
            assert not set(json.loads(sent)) - {"srcState", "transitionEvent", "arguments"}
        else:
            assert sent == wanted.SerializeToString()
    if answer.status != "OK":
        kind = RefusedError if as_json and not answer.details else KINDS.get(answer.status, TaskError)
        assert type(error) is (TaskError if answer.status == "UNKNOWN" else kind)
        assert not isinstance(error, DeadlineError)
        assert answer.status in str(error) and answer.details in str(error)
        return
    assert error is None
    reply = occ_pb2.TransitionReply()
    if as_json:
        json_format.Parse(answer.reply, reply)
    else:
        reply.ParseFromString(payload(answer))
    assert (outcome.native, outcome.event, outcome.ok, outcome.trigger) == (
        reply.state, reply.transitionEvent, reply.ok, reply.trigger,
    )  # fmt: skip
    # Success is what says all of it; whoever wanted to get elsewhere has none.
    assert (mismatch(outcome, wanted.transitionEvent, reply.state) == "") == (reply.ok and reply.trigger == 0)
    told = mismatch(outcome, wanted.transitionEvent, "elsewhere")
    assert reply.state in told and occ_pb2.StateChangeTrigger.Name(reply.trigger) in told


@pytest.mark.parametrize("path", recordings() or [Path("none")], ids=lambda path: path.stem)
async def test_recorded_streams_are_understood(
    reference: Path, path: Path, recorded: tuple[Recorded, dict[bool, OccClient]]
) -> None:
    handler, clients = recorded
    for scene in scenes(path):
        streams: dict[tuple[str, str], list[Step]] = {}
        for step in scene.steps:
            if step.kind in ("message", "end"):
                streams.setdefault((step.who, step.rpc), []).append(step)
        for (_, name), steps in streams.items():
            said = [step for step in steps if step.kind == "message"]
            handler.stream = steps
            client = clients[any(step.reply.startswith("{") for step in said)]
            stream = client.native_states() if name.startswith("StateStream") else client.event_stream()
            heard: list[Any] = []
            try:
                async for one in stream:
                    heard.append(one)  # noqa: PERF401  # what came before an error counts
                ended = "OK"
            except AliecsError as error:
                ended = next((code.name for code in grpc.StatusCode if code.name in str(error)), "")
            assert ended == next((step.status for step in steps if step.kind == "end"), "OK")
            assert heard == [content(step, name) for step in said]


def content(step: Step, stream: str) -> Any:
    if step.reply.startswith("{"):
        return json.loads(step.reply)["event"]["type"]
    if stream.startswith("StateStream"):
        return occ_pb2.StateStreamReply.FromString(payload(step)).state
    return occ_pb2.EventStreamReply.FromString(payload(step)).event.type
