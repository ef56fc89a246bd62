"""Reads recorded OCC traffic (golden/occ): what clients asked, what was answered, streamed and done to processes.

A scene is what happens from the start of a process until no process is left. Played by occ_player.py.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_LINE = re.compile(r"^\[ *(?P<at>[\d.]+)\] (?P<kind>\S+) +(?P<text>.*)$")
_WHO = re.compile(r"(?:(?P<who>sampler|sink|conn2|second|third) )?(?P<text>.*)")
_REQUEST = re.compile(r"(?P<rpc>\S+) (?P<body>\{.*\}|b'.*'|b\".*\")   \(client deadline (?P<deadline>[\d.]+) s\)")
_ANSWER = re.compile(
    r"(?P<rpc>\S+) status (?P<status>\w+?)(?:\(\d+\))? (?:reply (?P<reply>\{.*?\})(?: wire='(?P<wire>\w*)')?"
    r"|details='(?P<details>.*)' trailers=\{.*\})   \((?P<ms>[\d.]+) ms\)$"
)
_SUBSCRIBE = re.compile(r"(?P<stream>(?:State|Event)Stream\S*) subscribe")
_STREAM = re.compile(
    r"(?P<stream>(?:State|Event)Stream\S*) (?:message (?P<reply>\{.*\})(?: wire='(?P<wire>\w*)')?$"
    r"|ended: status (?P<status>\w+))"
)
_START = re.compile(r"start: +(?P<command>.*)")
_SIGNAL = re.compile(r"(?:send|recorder kills pid \d+ with) (?P<signal>SIG\w+)")
_ENDED = re.compile(r"pid \d+ ended: returncode (?P<code>-?\d+)")
_INJECT = re.compile(r"inject: (?:(?P<set>\w+) = (?P<value>-?\d+)|remove (?P<unset>\w+))")
_OF_SERVERS = ("OK", "UNKNOWN", "INVALID_ARGUMENT", "FAILED_PRECONDITION")


@dataclass(slots=True)
class Step:
    """One line of a recording; ``kind`` says which of the fields are of use."""

    kind: str
    """start, call, answer, subscribe, message, end, signal, exit, alive, inject."""
    at_s: float
    who: str = ""
    """A process, or a second connection to one."""
    rpc: str = ""
    """The call, or the stream with its number."""
    body: str | bytes = ""
    """Of a request, as it was printed; bytes if they were sent raw. The command of a start. The knob of an injection."""
    deadline_s: float = 0.0
    status: str = ""
    reply: str = ""
    """JSON of an answer or a message; the bytes in hexadecimal digits if they were protobuf."""
    details: str = ""
    code: int = 0
    """Of an exit; the value of an injection."""
    answer: Step | None = None
    call: Step | None = None


@dataclass(slots=True)
class Scene:
    """A part of a recording that stands on its own."""

    title: str
    steps: list[Step] = field(default_factory=list)


def is_plain(path: Path) -> bool:
    """Whether a recording is of one process that is asked one thing after the other, to its end: nothing to time, kill or inject
    but results of callbacks. Such a one is played without a process of its own."""
    steps = [step for scene in scenes(path) for step in scene.steps]
    end = next((index for index, step in enumerate(steps) if step.kind == "exit"), len(steps))
    if any(step.kind == "start" for step in steps[end:]):
        return False
    steps = steps[:end]
    starts = [step for step in steps if step.kind == "start"]
    calls = [step for step in steps if step.kind == "call"]
    return (
        len(starts) == 1
        and not any(step.kind in ("signal", "alive") or step.rpc.endswith("#2") for step in steps)
        and all(step.answer is not None and step.answer.status in _OF_SERVERS for step in calls)
        and all(str(step.body).endswith("_fail") for step in steps if step.kind == "inject")
    )


def scenes(path: Path) -> list[Scene]:
    """Return the scenes of a recording, in order; a title that comes twice gets a number."""
    found: list[Scene] = []
    alive: set[str] = set()
    title = "beginning"
    for line in path.read_text().splitlines():
        if line.startswith("#####"):
            title = line.strip("# ")
        parts = _LINE.match(line)
        step = parts and _step(float(parts["at"]), parts["kind"], parts["text"])
        if not step:
            continue
        if step.kind == "start":
            if not alive:
                same = sum(scene.title.partition(" (again")[0] == title for scene in found)
                found.append(Scene(f"{title} (again {same})" if same else title))
            alive.add(step.who)
        elif step.kind == "exit":
            alive.discard(step.who)
        if found:
            found[-1].steps.append(step)
            if step.kind == "answer":
                _pair(found[-1].steps, step)
    return found


def _pair(steps: list[Step], answer: Step) -> None:
    """Find the call of an answer: the open one that began just as long before as the answer says."""
    began = answer.at_s - answer.deadline_s
    calls = [
        step
        for step in steps
        if step.kind == "call" and step.answer is None and (step.who, step.rpc) == (answer.who, answer.rpc)
    ]
    answer.call = min(calls, key=lambda step: abs(step.at_s - began))
    answer.call.answer = answer


def _step(at: float, kind: str, text: str) -> Step | None:
    named = _WHO.match(text)
    assert named is not None
    who, text = named["who"] or "", named["text"]
    return next(_read(at, kind, who, text), None)


def _read(at: float, kind: str, who: str, text: str) -> Iterator[Step]:
    if kind == "PROC":
        if found := _START.match(text):
            yield Step("start", at, who, body=found["command"])
        elif found := _SIGNAL.match(text):
            yield Step("signal", at, who, rpc=found["signal"])
        elif found := _ENDED.match(text):
            yield Step("exit", at, who, code=int(found["code"]))
        elif "STILL ALIVE" in text:
            yield Step("alive", at, who)
    elif kind == "C>S":
        if found := _REQUEST.match(text):
            body = found["body"]
            raw = ast.literal_eval(body) if body.startswith("b") else body
            yield Step("call", at, who, found["rpc"], raw, float(found["deadline"]))
        elif found := _SUBSCRIBE.match(text):
            yield Step("subscribe", at, who, found["stream"])
    elif kind == "S>C":
        found = _ANSWER.match(text)
        assert found, text
        reply = found["reply"] if found["wire"] is None else found["wire"]
        yield Step(
            "answer", at, who, found["rpc"], deadline_s=float(found["ms"]) / 1000, status=found["status"],
            reply=reply or "", details=found["details"] or "",
        )  # fmt: skip
    elif kind == "STREAM" and (found := _STREAM.match(text)):
        if found["status"]:
            yield Step("end", at, who, found["stream"], status=found["status"])
        else:
            yield Step(
                "message", at, who, found["stream"], reply=found["reply"] if found["wire"] is None else found["wire"]
            )
    elif kind == "NOTE" and (found := _INJECT.match(text)):
        if found["set"]:
            yield Step("inject", at, body=found["set"], code=int(found["value"]))
        else:
            yield Step("inject", at, body=found["unset"], status="removed")
