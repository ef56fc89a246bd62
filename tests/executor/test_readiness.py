"""A port that opens is noticed by the pipe or by trying, whichever comes first."""

from __future__ import annotations

import asyncio
import os
import resource
import socket

import pytest
from free_ports import free_port

from executor.control import Reply
from executor.readiness import Readiness, first_answer
from executor.task_pipe import TaskPipe


@pytest.fixture
async def readiness():
    readiness = Readiness()
    yield readiness
    await readiness.close()


@pytest.fixture
def closed_port() -> int:
    return free_port()


@pytest.fixture
async def pipe():
    """The executor's end of a pipe, and the descriptor of the task's end, to be closed by the test."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    pipe = TaskPipe("t1", read)
    yield pipe, write
    pipe.close()


async def test_a_word_on_the_pipe_is_enough(readiness, closed_port, pipe):
    end, write = pipe
    opened = asyncio.create_task(readiness.port_open(closed_port, end))
    os.write(write, b"42\n")
    async with asyncio.timeout(60):
        await opened
    os.close(write)


async def test_a_pipe_that_is_closed_without_a_word_leaves_it_to_the_port(readiness, closed_port, pipe):
    end, write = pipe
    opened = asyncio.create_task(readiness.port_open(closed_port, end))
    os.close(write)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.shield(opened)
    with socket.create_server(("127.0.0.1", closed_port)):
        async with asyncio.timeout(60):
            await opened


async def test_waiting_can_be_cancelled_and_closes_the_pipe(readiness, closed_port, pipe):
    end, write = pipe
    opened = asyncio.create_task(readiness.port_open(closed_port, end))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await opened
    with pytest.raises(BrokenPipeError):
        os.write(write, b"42\n")
    os.close(write)


async def test_a_port_is_found_open_though_no_descriptor_was_left_for_a_while(readiness):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        opened = asyncio.create_task(readiness.port_open(port, None))
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await asyncio.shield(opened)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        async with asyncio.timeout(60):
            await opened


async def test_states_before_the_first_meaningful_one_are_passed_over_and_told():
    replies = iter(
        [
            Reply(""),
            Reply("", "GetState failed: no"),
            Reply("", "GetState failed: no"),
            Reply("UNKNOWN", native="IDLE"),
            Reply("STANDBY", pid=7),
        ]
    )

    async def query() -> Reply:
        return next(replies)

    told: list[str] = []
    async with asyncio.timeout(60):
        assert await first_answer(query, lambda pid: "", told.append) == ("STANDBY", 7, "")
    assert told == ["state not known", "GetState failed: no", "state IDLE"]


async def test_a_stranger_that_answers_ends_the_asking():
    async def query() -> Reply:
        return Reply("STANDBY", pid=8)

    async with asyncio.timeout(60):
        answer = await first_answer(query, lambda pid: f"process {pid} answers", lambda why: None)
    assert answer == ("", 0, "process 8 answers")
