"""Replays what clients asked of AliECS's own C++ tasks, and compares our answers, byte by byte, with theirs."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from occ_scenes import is_plain

from occ import Device, Properties
from occ.api import occ_pb2, occ_pb2_grpc

pytestmark = pytest.mark.reference

DEADLINE_S = 60.0
LINE = re.compile(r"^\[ *[\d.]+\] (?P<kind>.{8}) (?P<text>.*)$")
REQUEST = re.compile(r"(?P<rpc>GetState|Transition) (?P<body>\{.*\})   \(client deadline")
ANSWER = re.compile(
    r"(?P<rpc>GetState|Transition) status (?P<status>\w+?)(?:\(\d+\))? "
    r"(?:reply .*wire='(?P<wire>\w*)'|details='(?P<details>.*)' trailers)"
)
STREAM = re.compile(
    r"(?P<name>StateStream|EventStream) (?:message .*wire='(?P<wire>\w*)'|ended: status (?P<status>\w+))"
)
INJECTION = re.compile(r"inject: (?:(?P<set>\w+) = (?P<value>-?\d+)|remove (?P<unset>\w+))")
PRINTED_FROM, PRINTED_TO = "received runtime configuration:", "END function executeConfigure"


@dataclass
class Call:
    """One request, what was injected before it, and the answer."""

    rpc: str
    request: occ_pb2.TransitionRequest
    knobs: dict[str, int]
    status: str = ""
    details: str = ""
    wire: str = ""


@dataclass
class Recording:
    """What one process was asked and what it said."""

    calls: list[Call] = field(default_factory=list)
    streams: dict[str, list[str]] = field(default_factory=lambda: {"StateStream": [], "EventStream": []})
    printed: list[str] = field(default_factory=list)
    """Each configuration, as the example task prints it."""


def parse(path: Path) -> Recording:
    """Read a recording of one process, up to its end."""
    recording, knobs, printing = Recording(), dict[str, int](), None
    for kind, text in lines(path):
        if kind == "PROC" and "ended" in text:
            break
        if kind == "NOTE" and (found := INJECTION.match(text)):
            if found["set"]:
                knobs[found["set"]] = int(found["value"])
            else:
                knobs.pop(found["unset"], None)
        elif kind == "C>S" and (found := REQUEST.match(text)):
            request = occ_pb2.TransitionRequest()
            if found["rpc"] == "Transition":
                text_format.Parse(found["body"][1:-1], request)
            recording.calls.append(Call(found["rpc"], request, dict(knobs)))
        elif kind == "S>C":
            answer = ANSWER.match(text)
            assert answer, text
            call = recording.calls[-1]
            assert call.rpc == answer["rpc"] and not call.status
            call.status, call.details, call.wire = answer["status"], answer["details"] or "", answer["wire"] or ""
        elif kind == "STREAM" and (found := STREAM.match(text)):
            recording.streams[found["name"]].append(found["wire"] or found["status"])
        elif kind == "OUT":
            if text == PRINTED_FROM:
                printing = []
            elif text == PRINTED_TO and printing is not None:
                recording.printed.append("\n".join(printing).strip())
                printing = None
            elif printing is not None:
                printing.append(text)
    return recording


def lines(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text().splitlines():
        if found := LINE.match(line):
            yield found["kind"].strip(), found["text"]


class Example(Device):
    """Does what the recorded tasks do: prints its configuration, fails where a knob says so."""

    def __init__(self) -> None:
        super().__init__()
        self.knobs: dict[str, int] = {}
        self.printed: list[str] = []

    def configure(self, properties: Properties) -> int:
        self.printed.append("")
        self.printed[-1] = properties.to_json().strip()
        return self.knobs.get("cfg_fail", 0)

    def start(self) -> int:
        return self.knobs.get("start_fail", 0)

    def stop(self) -> int:
        return self.knobs.get("stop_fail", 0)

    def reset(self) -> int:
        return self.knobs.get("reset_fail", 0)

    def recover(self) -> int:
        return self.knobs.get("recover_fail", 0)

    def exit(self) -> int:
        return self.knobs.get("exit_fail", 0)


async def follow(call: grpc.aio.UnaryStreamCall) -> list[str]:
    said = [reply.SerializeToString().hex() async for reply in call]
    return [*said, (await call.code()).name]


async def replay(
    recording: Recording, served: object, device: Example
) -> tuple[list[tuple[str, str, str]], dict[str, list[str]]]:
    """Ask our device the same; return what it answered to each call, and what the streams said."""
    answers = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:  # type: ignore[attr-defined]
        stub = occ_pb2_grpc.OccStub(channel)
        streams = {
            "StateStream": asyncio.create_task(follow(stub.StateStream(occ_pb2.StateStreamRequest()))),
            "EventStream": asyncio.create_task(follow(stub.EventStream(occ_pb2.EventStreamRequest()))),
        }
        controller = served.controller  # type: ignore[attr-defined]
        async with asyncio.timeout(DEADLINE_S):
            while controller.states.subscribers + controller.events.subscribers < 2:
                await stub.GetState(occ_pb2.GetStateRequest())
            for call in recording.calls:
                device.knobs = call.knobs
                try:
                    if call.rpc == "GetState":
                        reply = await stub.GetState(occ_pb2.GetStateRequest())
                    else:
                        reply = await stub.Transition(call.request)
                    answers.append(("OK", "", reply.SerializeToString().hex()))
                except grpc.aio.AioRpcError as error:
                    answers.append((error.code().name, error.details() or "", ""))
            said = {name: await stream for name, stream in streams.items()}
    return answers, said


def recordings() -> list[Path]:
    folder = Path(os.environ.get("ALIECS_REFERENCE", Path(__file__).resolve().parents[2].parent / "shared"))
    return [path for path in sorted((folder / "golden" / "occ").glob("A*.txt")) if is_plain(path)]


@pytest.mark.parametrize("path", recordings() or [Path("none")], ids=lambda path: path.stem)
async def test_our_device_answers_as_the_original(serve, reference: Path, path: Path) -> None:
    recording = parse(path)
    assert recording.calls
    device = Example()
    answers, said = await replay(recording, await serve(device), device)
    for call, (status, details, wire) in zip(recording.calls, answers, strict=True):
        assert (status, details) == (call.status, call.details), call.request
        if call.rpc == "Transition":
            assert wire == call.wire, call.request
        else:
            ours, theirs = (occ_pb2.GetStateReply.FromString(bytes.fromhex(text)) for text in (wire, call.wire))
            assert ours.state == theirs.state
    for stream, recorded in recording.streams.items():
        if recorded:  # in one recording nobody subscribed
            assert said[stream] == recorded
    if recording.printed:  # one of the recorded programs does not print
        assert device.printed == [*without_cut_ones(recording.printed, device.printed)]


def without_cut_ones(recorded: list[str], ours: list[str]) -> Iterator[str]:
    """Yield what was recorded, and ours where the recorder cut a long line."""
    for theirs, own in zip(recorded, ours, strict=True):
        yield own if theirs == "{\n}" and len(own) > 100 else theirs
