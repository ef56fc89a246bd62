"""States come through the pipe of a task that tells them there, and by StateStream from every other."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import grpc
import pytest

from executor.api.messages import Phase
from executor.control import OccControl
from executor.task_pipe import TaskPipe
from occ import OccClient
from occ.api import occ_pb2, occ_pb2_grpc
from occ.state_pipe import READ_BYTES

TELLING_TASK = Path(__file__).with_name("telling_task.py")
DEADLINE_S = 60.0


class Ends:
    """A pipe, and what its reader heard."""

    def __init__(self) -> None:
        read, self.write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(self.write, False)
        self.pipe = TaskPipe("t1", read)
        self.heard: list[str] = []
        self._changed = asyncio.Event()

    def listen(self) -> bool:
        return self.pipe.listen(self._hear, lambda: self._hear("(end)"))

    def _hear(self, state: str) -> None:
        self.heard.append(state)
        self._changed.set()

    def say(self, words: str) -> None:
        os.write(self.write, words.encode())

    async def until(self, *heard: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.heard != list(heard):
                self._changed.clear()
                await self._changed.wait()

    def hang_up(self) -> None:
        os.close(self.write)
        self.write = -1


@pytest.fixture
async def ends():
    ends = Ends()
    yield ends
    ends.pipe.close()
    if ends.write >= 0:
        ends.hang_up()


async def test_states_are_passed_on_in_order_also_those_from_before(ends) -> None:
    ends.say("7\nSTANDBY\n")
    ends.say("CONFIGURED\n")
    assert ends.listen()
    ends.say("RUNNING\nERR")
    ends.say("OR\n")
    await ends.until("STANDBY", "CONFIGURED", "RUNNING", "ERROR")
    ends.hang_up()
    await ends.until("STANDBY", "CONFIGURED", "RUNNING", "ERROR", "(end)")


@pytest.mark.parametrize("words", ["", "7\n", "ready!\n"])
@pytest.mark.parametrize("closed", [True, False])
async def test_who_tells_no_state_is_not_listened_to(ends, words: str, closed: bool) -> None:
    if words:
        ends.say(words)
    if closed:
        ends.hang_up()
    assert not ends.listen()
    assert ends.heard == []


async def test_who_closed_the_pipe_before_it_was_listened_to_is_known_to_have_told_all_until_then(ends) -> None:
    ends.say("7\nSTANDBY\nCONFIGURED\n")
    ends.hang_up()
    assert ends.listen()
    await ends.until("STANDBY", "CONFIGURED", "(end)")


@pytest.mark.parametrize("words", ["rubbish\n", "RUNNING\nwhat?\n", "x" * 100])
async def test_what_nobody_understands_ends_it(ends, words: str) -> None:
    ends.say("7\nSTANDBY\n")
    assert ends.listen()
    ends.say(words)
    await ends.until("STANDBY", "(end)")


async def test_who_is_far_behind_no_longer_trusts_it(ends) -> None:
    ends.say("7\nSTANDBY\n")
    assert ends.listen()
    told = 0
    with pytest.raises(BlockingIOError):
        while True:
            ends.say("RUNNING\n")
            told += 1
    async with asyncio.timeout(DEADLINE_S):
        while ends.heard[-1:] != ["(end)"]:
            ends._changed.clear()
            await ends._changed.wait()
    assert len(ends.heard) - 2 == READ_BYTES // len("RUNNING\n") < told


async def test_what_strangers_and_the_task_itself_do_is_told_without_a_stream(core, host, spec) -> None:
    """Also when a stranger is faster than the first command."""
    host.start()
    task = spec("t1", str(TELLING_TASK), value=sys.executable)
    await core.launch(task)
    await core.phase("t1", Phase.ACTIVE)
    async with OccClient(f"127.0.0.1:{task.control_port}") as stranger:
        assert (await stranger.transition("STANDBY", "CONFIGURE", {}, DEADLINE_S)).ok
    await state(core, "CONFIGURED")
    assert (await core.transition("START", "CONFIGURED", "RUNNING", "t1")).results[0].error == ""
    assert (await core.transition("STOP", "RUNNING", "CONFIGURED", "t1")).results[0].error == ""
    await state(core, "ERROR")
    refused = await core.transition("START", "CONFIGURED", "RUNNING", "t1")
    assert [(one.state, "current: ERROR" in one.error) for one in refused.results] == [("ERROR", True)]
    assert [one.error for one in (await core.kill("t1")).results] == [""]


async def test_a_task_whose_pipe_breaks_is_listened_to_by_its_stream(core, host, spec) -> None:
    host.start()
    await core.launch(spec("t1", str(TELLING_TASK), "spoil", value=sys.executable))
    await core.phase("t1", Phase.ACTIVE)
    assert (await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")).results[0].error == ""
    assert (await core.transition("START", "CONFIGURED", "RUNNING", "t1")).results[0].error == ""
    assert (await core.transition("STOP", "RUNNING", "CONFIGURED", "t1")).results[0].error == ""
    await state(core, "ERROR")
    assert [one.error for one in (await core.kill("t1")).results] == [""]


class Breaking(occ_pb2_grpc.OccServicer):
    """A task whose stream breaks; the state that it reaches then is heard by nobody."""

    def __init__(self) -> None:
        self.state = "RUNNING"
        self.subscriptions = 0

    async def GetState(self, request, context):
        return occ_pb2.GetStateReply(state=self.state)

    async def StateStream(self, request, context):
        self.subscriptions += 1
        if self.subscriptions == 1:
            yield occ_pb2.StateStreamReply(state=self.state)
            self.state = "ERROR"
            await context.abort(grpc.StatusCode.UNAVAILABLE, "it breaks")
        yield occ_pb2.StateStreamReply(state="DONE")


class Heard:
    def __init__(self) -> None:
        self.states: asyncio.Queue[str] = asyncio.Queue()

    def on_state(self, task_id: str, state: str) -> None:
        self.states.put_nowait(state)


async def test_a_state_that_was_reached_while_a_stream_was_broken_is_asked_for() -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    occ_pb2_grpc.add_OccServicer_to_server(Breaking(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    heard, task = Heard(), OccControl("t1", port, resubscriptions=1)
    task.watch(heard)
    async with asyncio.timeout(DEADLINE_S):
        assert await heard.states.get() == "RUNNING"
        assert {await heard.states.get() for _ in range(2)} == {"ERROR", "DONE"}
    await task.close()
    await server.stop(0)


async def state(core, wanted: str) -> None:
    """Return once the last that the executor said of the task is this state."""
    await core.until(lambda: [one.state for one in core.task_reports("t1")][-1:] == [wanted])
