"""Reads recordings of the traffic with a real Mesos (golden/mesos) into the steps that a replay takes."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from mesos.terms import Json

_ENTRY = re.compile(r"^\[ *([0-9.]+)\] (conn\d+) (\S+) (.*)$")


class Side(Enum):
    """Who spoke with whom."""

    SCHEDULER = "scheduler and master"
    EXECUTOR = "executor and agent"


class Kind(Enum):
    """What happened."""

    CALL = "the driver made a call"
    EVENT = "an event came on a stream"
    END = "the stream was ended in order"
    HANG_UP = "the driver closed its stream"
    LOST = "the stream broke"


@dataclass(slots=True)
class Step:
    """One thing of a recording that a replay does or expects."""

    time_s: float
    side: Side
    connection: str
    kind: Kind
    message: Json = field(default_factory=dict)
    """The call or the event."""
    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 0
    """Of the answer to a call."""
    answer_headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_subscription(self) -> bool:
        return self.message.get("type") == "SUBSCRIBE"


def read_transcript(path: Path, side: Side) -> list[Step]:
    """Return what happened in the recording of one side, in its order."""
    steps: list[Step] = []
    calls: dict[str, Step] = {}
    streams: set[str] = set()
    over: set[str] = set()
    left: set[str] = set()
    for time_s, connection, direction, what, text in _entries(path):
        if direction == "C->S" and what == "HEAD":
            method, target, *_ = text.split()
            calls[connection] = Step(
                time_s, side, connection, Kind.CALL, method=method, path=target, headers=_headers(text)
            )
            if method == "GET":
                steps.append(calls[connection])
        elif direction == "C->S" and what.startswith("BODY"):
            call = calls[connection]
            call.message = json.loads(text)
            steps.append(call)
        elif direction == "S->C" and what == "HEAD":
            call = calls[connection]
            call.status, call.answer_headers = int(text.split()[1]), _headers(text)
            if call.is_subscription and call.status == 200:
                streams.add(connection)
        elif direction == "S->C" and what.startswith("RECORD"):
            steps.append(Step(time_s, side, connection, Kind.EVENT, json.loads(text)))
        elif connection in streams and connection not in over:
            kind = {"CHUNK-END": Kind.END, "S->C-EOF": Kind.LOST, "C->S-EOF": Kind.HANG_UP}.get(
                what if direction == "S->C" else direction
            )
            if kind is None or (kind is Kind.LOST and connection in left):
                continue
            (left if kind is Kind.HANG_UP else over).add(connection)
            steps.append(Step(time_s, side, connection, kind))
    ended = {step.connection for step in steps if step.kind is Kind.END}
    # A driver that was told to go may hang up before it reads the end.
    return [step for step in steps if step.kind is not Kind.HANG_UP or step.connection not in ended]


def read_stub(path: Path) -> list[Step]:
    """Return what the recorded executor without a driver did: each of its calls has a title."""
    steps: list[Step] = []
    call: Step | None = None
    title, first = "", ""
    streams = 0
    for line in path.read_text().splitlines():
        match = re.match(r"\[ *([0-9.]+)\] (###|>|<|STREAM) (.*)$", line)
        if match is None:
            continue
        time_s, mark, text = float(match[1]), match[2], match[3]
        if mark == "###":
            title = text
        elif mark == ">":
            first = first or text
            headers = {"Accept": "text/html"} if "text/html" in title else {}
            call = Step(
                time_s, Side.EXECUTOR, f"call {title}", Kind.CALL, json.loads(text), "POST", "/api/v1/executor", headers
            )
            steps.append(call)
        elif mark == "<" and call is not None and call.status == 0:
            call.status = int(text.split()[0])
            if call.status == 200:
                streams += 1
                call.connection = f"stream {streams}"
                call.answer_headers = dict(ast.literal_eval("[" + text.partition(" [")[2]))
        elif mark == "STREAM":
            data = ast.literal_eval(text)
            if data.startswith(b"HTTP/"):
                streams += 1
                ids = {name: part for name, part in json.loads(first).items() if name.endswith("_id")}
                subscribe: Json = {"unacknowledged_tasks": [], "unacknowledged_updates": []}
                message = {"type": "SUBSCRIBE", **ids, "subscribe": subscribe}
                head = _headers(data.decode().replace("\r", ""))
                steps.append(
                    Step(
                        time_s, Side.EXECUTOR, "stream 1", Kind.CALL, message, "POST", "/api/v1/executor", {}, 200, head
                    )
                )
            elif data == b"0\r\n\r\n":
                steps.append(Step(time_s, Side.EXECUTOR, "stream 1", Kind.END))
            else:
                # One record in one chunk, whose length is not always that of what was kept of it.
                event = json.loads(b"{" + data.partition(b"\n{")[2])
                steps.append(Step(time_s, Side.EXECUTOR, "stream 1", Kind.EVENT, event))
    return steps


def merged(scheduler: list[Step], executor: list[Step]) -> list[Step]:
    """Return the steps of both sides by their times.

    Each side was recorded by a clock of its own, so the executor's is set until nothing is heard before it was said.
    """
    heard_of = max((said - heard for said, heard in _sayings(scheduler, executor)), default=-1.0)
    launches = [step.time_s for step in scheduler if step.message.get("type") == "ACCEPT"]
    least_s = max(heard_of, launches[0] - executor[0].time_s if launches and executor else -1.0)
    most_s = min((heard - said for said, heard in _sayings(executor, scheduler)), default=1.0)
    shift_s = 0.0
    if least_s >= 0:
        shift_s = min(least_s + 0.001, (least_s + most_s) / 2)
    elif most_s <= 0:
        shift_s = max(most_s - 0.001, (least_s + most_s) / 2)
    for step in executor:
        step.time_s += shift_s
    return sorted([*executor, *scheduler], key=lambda step: step.time_s)


def _sayings(speaker: list[Step], listener: list[Step]) -> Iterator[tuple[float, float]]:
    """Return when each thing was said that can be told from all others, and when it was heard."""
    heard = {key: step.time_s for step in reversed(listener) if step.kind is Kind.EVENT and (key := _key(step))}
    said = {
        key: step.time_s
        for step in reversed(speaker)
        if step.kind is Kind.CALL and step.status < 300 and (key := _key(step))
    }
    for key in said.keys() & heard.keys():
        yield said[key], heard[key]


def _key(step: Step) -> str:
    kind = step.message.get("type")
    if kind == "UPDATE":
        return str(step.message["update"]["status"].get("uuid", ""))
    if kind == "MESSAGE":
        return str(step.message["message"]["data"])
    if kind == "LAUNCH":
        return "launch " + str(step.message["launch"]["task"]["task_id"]["value"])
    if kind == "ACCEPT":
        return "launch " + str(step.message["accept"]["operations"][0]["launch"]["task_infos"][0]["task_id"]["value"])
    return "kill " + str(step.message["kill"]["task_id"]["value"]) if kind == "KILL" else ""


@dataclass(slots=True)
class Probe:
    """One call of the recording of status codes, and its answer."""

    title: str
    method: str
    port: int
    path: str
    headers: dict[str, str]
    body: str
    status: int
    answer_headers: dict[str, str]
    answer: str
    """Its body; for a stream, what was read of it."""


def read_probes(path: Path) -> list[Probe]:
    """Return the calls of a recording in which each has a title and is told in full."""
    probes = []
    for section in re.split(r"^### ", path.read_text(), flags=re.MULTILINE)[1:]:
        title, _, rest = section.partition("\n")
        asked = re.search(r"^> (GET|POST) :(\d+)(\S+) (\{.*\})$", rest, re.MULTILINE)
        status = re.search(r"^< (\d{3}) ", rest, re.MULTILINE)
        if asked is None or status is None:
            continue
        body = re.search(r"^> body: (.*)$", rest, re.MULTILINE)
        answer = re.search(r"^< body: (.*)\Z", rest, re.MULTILINE | re.DOTALL)
        stream = re.search(r"^< \(stream\) b'(.*)'$", rest, re.MULTILINE)
        probes.append(
            Probe(
                title,
                asked[1],
                int(asked[2]),
                asked[3],
                json.loads(asked[4].replace("'", '"').replace('"Mesos"', "")),
                body[1] if body else "",
                int(status[1]),
                dict(re.findall(r"^<   ([\w-]+): (.*)$", rest, re.MULTILINE)),
                stream[1] if stream else (answer[1].rstrip("\n") if answer else ""),
            )
        )
    return probes


def _entries(path: Path) -> Iterator[tuple[float, str, str, str, str]]:
    lines: list[str] = []
    head: re.Match[str] | None = None
    for line in [*path.read_text().splitlines(), "[0.0] conn000 END TCP"]:
        match = _ENTRY.match(line)
        if match is None:
            lines.append(line)
            continue
        if head is not None:
            yield float(head[1]), head[2], head[3], head[4].strip(), "\n".join(lines).strip()
        head, lines = match, []


def _headers(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+): (.*)$", text, re.MULTILINE))
