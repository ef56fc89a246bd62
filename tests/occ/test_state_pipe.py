"""What a task tells its executor through the descriptor that it inherits, and what is understood of it."""

from __future__ import annotations

import asyncio
import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from occ import AsyncInstance, Device, OccClient, TaskState
from occ.errors import TaskError
from occ.process import Settings
from occ.state_pipe import READ_BYTES, READY_FD, StateLines, StatePipe

DEADLINE_S = 60.0


class Fragile(Device):
    def start(self) -> None:
        self.fail("as the test wants it")


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch):
    """Both ends of a pipe that this process has inherited."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    monkeypatch.setenv(READY_FD, str(write))
    yield read, write
    os.close(read)


async def line_of(reader: asyncio.StreamReader) -> str:
    async with asyncio.timeout(DEADLINE_S):
        return (await reader.readline()).decode()


async def test_every_state_is_told_whoever_asked_for_it_and_before_the_answer(ends) -> None:
    reader = asyncio.StreamReader()
    end = os.fdopen(os.dup(ends[0]), "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), end)
    async with AsyncInstance(Fragile(), Settings(port=0)) as instance:
        assert READY_FD not in os.environ
        assert not os.get_inheritable(ends[1])
        assert [await line_of(reader), await line_of(reader)] == [f"{os.getpid()}\n", "STANDBY\n"]
        async with OccClient(f"127.0.0.1:{instance.port}") as stranger:
            for source, event, state in (("STANDBY", "CONFIGURE", "CONFIGURED"), ("CONFIGURED", "START", "RUNNING")):
                assert (await stranger.transition(source, event, {}, DEADLINE_S)).ok
                assert await line_of(reader) == f"{state}\n"
            assert await line_of(reader) == "ERROR\n"
            streamed = stranger.state_stream()
            first = asyncio.ensure_future(anext(streamed))
            await stranger.get_state(DEADLINE_S)
            assert (await stranger.transition("ERROR", "EXIT", {}, DEADLINE_S)).ok
            assert await first is TaskState.DONE
            await streamed.aclose()
        assert await line_of(reader) == "DONE\n"
    assert await line_of(reader) == ""


def test_a_pipe_that_nobody_reads_is_closed_and_never_blocks(ends) -> None:
    pipe = StatePipe.inherited()
    pipe.say_ready(TaskState.STANDBY)
    for _ in range(20_000):  # many times what a pipe holds
        pipe.say(TaskState.CONFIGURED)
    with pytest.raises(OSError):
        os.fstat(ends[1])
    assert len(os.read(ends[0], READ_BYTES)) == READ_BYTES  # by which a reader knows that it has missed some


def test_a_pipe_whose_reader_is_gone_is_closed() -> None:
    read, write = os.pipe()
    pipe = StatePipe(str(write))
    os.close(read)
    pipe.say(TaskState.CONFIGURED)
    with pytest.raises(OSError):
        os.fstat(write)


@pytest.mark.parametrize("what", ["x", "-3", "99999", "file"])
def test_what_is_no_pipe_is_left_alone(what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (tmp_path / "file").open("w") as file:
        pipe = StatePipe(str(file.fileno()) if what == "file" else what)
        pipe.say_ready(TaskState.STANDBY)
        pipe.close()
        file.write("still open")
    assert (tmp_path / "file").read_text() == "still open"
    assert "cannot be written" in caplog.text


@given(
    states=st.lists(st.sampled_from(["STANDBY", "CONFIGURED", "RUNNING", "PAUSED", "ERROR", "DONE"])),
    cuts=st.sets(st.integers(1, 60)),
)
def test_lines_are_understood_wherever_they_are_cut(states: list[str], cuts: set[int]) -> None:
    data = "".join(f"{line}\n" for line in ["4711", *states]).encode()
    lines, found = StateLines(), list[str]()
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    for begin, end in pairwise(places):
        found += lines.take(data[begin:end])
    assert found == states


@pytest.mark.parametrize(
    "said", [b"\n", b"ready\n", b"STANDBY\n", b"1\nstandby\n", b"1\nUNKNOWN\n", b"1\nMIXED\n", b"1\n\xff\n", b"1" * 100]
)
def test_anything_else_is_refused(said: bytes) -> None:
    with pytest.raises(TaskError, match="expected a process id, then states"):
        StateLines().take(said)
