"""Outputs relayed from executors that are a script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from executor.api.messages import ControlMode, OutputPiece, Phase, ReadOutput, TaskReport, TaskSpec
from server.api.errors import CoreError, Reason
from server.task.outputs import PIECE_BYTES, Outputs
from server.task.roster import Roster
from server.task.task import Task

TASK = Task(
    task_id="t1", class_id="c", class_name="c", host="a", address="127.0.0.1",
    command=TaskSpec(task_id="t1", environment_id="e", class_name="c", mode=ControlMode.DIRECT, value="v"),
)  # fmt: skip


class Bench:
    """One task and its executor, which has a file."""

    def __init__(self, answer_s: float = 60.0) -> None:
        self.data = b""
        self.error = ""
        self.is_up, self.answers = True, True
        self.asked: list[ReadOutput] = []
        self.read = asyncio.Event()
        self.roster = Roster()
        self.roster.add([TASK])
        self.outputs = Outputs(self, self.roster, answer_s=answer_s, look_s=0.02)  # type: ignore[arg-type]  # no more of a backend is used

    def send(self, host: str, command: Any) -> bool:
        assert host == "a"
        self.asked.append(command)
        self.read.set()
        if self.is_up and self.answers:
            begin = len(self.data) if command.offset is None else command.offset
            begin = 0 if begin > len(self.data) else begin
            piece = OutputPiece(
                request_id=command.request_id, offset=begin, size=len(self.data), error=self.error,
                data=self.data[begin : begin + command.limit_bytes],
            )  # fmt: skip
            asyncio.get_running_loop().call_soon(self.outputs.took, piece)
        return self.is_up

    def end(self) -> None:
        self.roster.apply("a", [TaskReport(task_id="t1", environment_id="e", phase=Phase.ENDED)])

    async def collect(self, **how: Any) -> list[OutputPiece]:
        return [piece async for piece in self.outputs.read("t1", "stdout", **how)]

    async def collect_while(self, act: Callable[[], None], **how: Any) -> list[OutputPiece]:
        """Follow, and do something once the follower has read."""
        following = asyncio.create_task(self.collect(**how))
        async with asyncio.timeout(60):
            await self.read.wait()
            act()
            return await following


async def test_what_is_there_comes_in_parts_and_ends() -> None:
    bench = Bench()
    bench.data = bytes(PIECE_BYTES) + b"rest"
    pieces = await bench.collect(offset=0)
    assert [(piece.offset, len(piece.data)) for piece in pieces] == [(0, PIECE_BYTES), (PIECE_BYTES, 4)]


async def test_the_first_part_comes_at_once_also_if_there_is_nothing() -> None:
    bench = Bench()
    (piece,) = await bench.collect(lines=10)
    assert (piece.data, bench.asked[0].lines, bench.asked[0].offset) == (b"", 10, None)


async def test_who_follows_gets_all_that_was_written_before_the_end_of_the_task() -> None:
    bench = Bench()
    bench.data = b"one\n"

    def ends_with_last_words() -> None:
        bench.data += b"last\n"
        bench.end()

    pieces = await bench.collect_while(ends_with_last_words, offset=0, follow=True)
    assert b"".join(piece.data for piece in pieces) == b"one\nlast\n"


async def test_the_output_of_a_task_that_is_forgotten_while_followed_ends() -> None:
    bench = Bench()
    await bench.collect_while(lambda: bench.roster.remove(["t1"]), follow=True)


async def test_an_output_that_begins_anew_is_told_by_its_offset() -> None:
    bench = Bench()
    bench.data = b"a long first one"

    def rotates() -> None:
        bench.data = b"new"
        bench.end()

    pieces = await bench.collect_while(rotates, offset=0, follow=True)
    assert [(piece.offset, piece.data) for piece in pieces] == [(0, b"a long first one"), (0, b"new")]


@pytest.mark.parametrize(
    ("bend", "reason", "text"),
    [
        ({"is_up": False}, Reason.EXECUTOR_AWAY, "is not attached"),
        ({"answers": False}, Reason.EXECUTOR_AWAY, "did not answer within 0.2 s"),
        ({"error": "this host keeps none"}, Reason.OUTPUT_MISSING, "this host keeps none"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_the_reason(bend: dict[str, Any], reason: Reason, text: str) -> None:
    bench = Bench(60.0 if bend.get("answers", True) else 0.2)
    for name, value in bend.items():
        setattr(bench, name, value)
    with pytest.raises(CoreError, match=text) as caught:
        await bench.collect(follow=True)
    assert (caught.value.reason, caught.value.where) == (reason, {"task": "t1", "host": "a"})


async def test_an_unknown_task_has_no_output() -> None:
    bench = Bench()
    bench.roster.add([replace(TASK, task_id="t2")])
    with pytest.raises(CoreError, match="task t3 not found"):
        async for _ in bench.outputs.read("t3", "stdout"):
            pass
    bench.outputs.took(OutputPiece(request_id="late"))
