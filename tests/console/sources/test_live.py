"""Batches from a core on a real port, and what a session says of their age."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from fake_core import FakeCore

from console.session import Session, Timings
from console.sources.live import LiveSource
from console.store import Link
from server.api.client import Client, Deadlines
from server.api.errors import LinkError
from server.api.model import Batch, Part

DEADLINES = Deadlines(connect_s=60.0, read_s=60.0)
QUICK = Timings(
    snapshot_s=60.0, retry_first_s=0.01, retry_last_s=0.05, heartbeat_s=0.1, stale_s=0.5, silence_s=30.0
)  # fmt: skip

STOPPABLE = """
import asyncio
from fake_core import FakeCore

async def main():
    core = FakeCore()
    await core.start()
    core.add(state="CONFIGURED")
    print(core.endpoint, flush=True)
    await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


@pytest.fixture
async def stoppable() -> AsyncIterator[tuple[str, int]]:
    """Return endpoint and pid of a fake core in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STOPPABLE, stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    assert process.stdout
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    yield line.decode().strip(), process.pid
    process.kill()
    await asyncio.wait_for(process.wait(), 60)


async def some(batches: AsyncIterator[Batch], count: int) -> list[Batch]:
    return [await asyncio.wait_for(anext(batches), 60) for _ in range(count)]


async def test_a_quiet_core_without_heartbeat_is_asked_and_its_answer_is_a_sign_of_life(core: FakeCore) -> None:
    core.is_mute = True
    core.add(state="CONFIGURED")
    async with await Client.connect(core.endpoint, deadlines=DEADLINES) as client:
        batches = LiveSource(client, heartbeat_s=0.05).batches("", 0)
        first, last, *quiet = await some(batches, 4)
        assert (first.part, last.part) == (Part.BEGIN, Part.END)
        assert {(one.part, one.changes, one.epoch, one.seq) for one in quiet} == {(Part.NONE, (), last.epoch, last.seq)}
        assert "GetFrameworkInfo" in core.calls


async def test_a_core_with_heartbeat_is_not_asked(core: FakeCore) -> None:
    async with await Client.connect(core.endpoint, deadlines=DEADLINES) as client:
        await some(LiveSource(client, heartbeat_s=5.0).batches("", 0), 3)  # it would be asked after 10 s
    assert core.calls == ["Watch(,0)"]


async def test_a_quiet_resumption_gives_a_sign_of_life_at_once(core: FakeCore) -> None:
    core.is_mute = True
    core.add(state="CONFIGURED")
    async with await Client.connect(core.endpoint, deadlines=DEADLINES) as client:
        source = LiveSource(client, heartbeat_s=10.0)
        _, last = await some(source.batches("", 0), 2)
        async with asyncio.timeout(19):  # a core that was not left is asked after 20 s
            (beat,) = await some(source.batches(last.epoch, last.seq), 1)
        assert (beat.epoch, beat.seq, beat.changes) == (last.epoch, last.seq, ())


async def test_silence_of_a_link_that_stays_open_breaks_it(stoppable: tuple[str, int]) -> None:
    endpoint, pid = stoppable
    async with await Client.connect(endpoint, deadlines=DEADLINES) as client:
        source = LiveSource(client, heartbeat_s=0.05, silence_s=60.0)
        batches = source.batches("", 0)
        await some(batches, 2)
        os.kill(pid, signal.SIGSTOP)
        source._silence_s = 2.0  # only now: before that a busy machine may be silent too
        with pytest.raises(LinkError, match="nothing heard for 2 s"):
            async with asyncio.timeout(60):
                async for _ in batches:
                    pass


async def test_the_picture_of_a_stopped_core_grows_old_and_is_live_again_when_it_goes_on(
    stoppable: tuple[str, int],
) -> None:
    endpoint, pid = stoppable
    async with await Session.open(endpoint, deadlines=DEADLINES, timings=QUICK) as session:
        store = await session.picture()
        shown = store.environments()
        assert await session.until(lambda: not session.is_stale and session.refusal() == "", 60)
        os.kill(pid, signal.SIGSTOP)
        assert await session.until(lambda: session.is_stale, 60)
        assert store.link is Link.LIVE and session.refusal().startswith("data is ")
        os.kill(pid, signal.SIGCONT)
        assert await session.until(lambda: not session.is_stale and session.refusal() == "", 60)
        assert store.environments() == shown


async def test_a_link_broken_for_silence_keeps_the_picture_and_comes_back(stoppable: tuple[str, int]) -> None:
    endpoint, pid = stoppable
    timings = replace(QUICK, stale_s=0.2, silence_s=0.5)
    async with await Session.open(endpoint, deadlines=DEADLINES, timings=timings) as session:
        store = await session.picture()
        shown = store.environments()
        os.kill(pid, signal.SIGSTOP)
        assert await session.until(lambda: store.link is Link.LOST and "nothing heard" in session.refusal(), 60)
        assert session.is_stale
        os.kill(pid, signal.SIGCONT)
        assert await session.until(lambda: not session.is_stale and session.refusal() == "", 60)
        assert store.environments() == shown


async def test_a_sign_of_life_wakes_nobody_but_refreshes_the_age(core: FakeCore) -> None:
    async with await Session.open(core.endpoint, deadlines=DEADLINES, timings=replace(QUICK, stale_s=60.0)) as session:
        store = await session.picture()
        version = store.version
        woken: list[object] = []
        beats: list[float] = []
        heard = asyncio.Event()

        def tap(batch: Batch) -> None:
            beats.append(time.monotonic())
            if len(beats) == 5:
                heard.set()

        with session.listening(woken.append), session.tap(tap):
            await asyncio.wait_for(heard.wait(), 60)
        age_s = session.age_s()
        assert woken == [] and store.version == version and age_s < time.monotonic() - beats[3]


async def test_a_tap_gets_each_batch_as_it_came(core: FakeCore) -> None:
    environment = core.add(state="CONFIGURED")
    async with await Session.open(core.endpoint, deadlines=DEADLINES, timings=QUICK) as session:
        taken: list[Batch] = []
        with session.tap(taken.append):
            await session.picture()
            core.show(replace(environment, state="RUNNING"))
            assert await session.until(lambda: session.store.environments()[0].state == "RUNNING", 60)
        parts = [one.part for one in taken if one.part or one.changes]
        assert parts == [Part.BEGIN, Part.END, Part.NONE]
        assert [one for one in taken if one.changes][-1].changes[0].value == replace(environment, state="RUNNING")


async def test_nothing_can_be_changed_before_the_picture_is_there_or_while_reading_only(core: FakeCore) -> None:
    client = Client(core.endpoint, deadlines=DEADLINES, read_only=True)
    async with Session(client, timings=QUICK) as session:
        assert session.refusal() == "this console only reads"
    async with Session(Client("127.0.0.1:1", deadlines=DEADLINES), timings=QUICK) as session:
        assert session.refusal() == ""
        session.follow()
        assert session.refusal() == "no picture of 127.0.0.1:1 yet" and session.is_stale
