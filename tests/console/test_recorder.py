"""Recording a session while things go on, and go wrong."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake_core import FakeCore
from stories import played, seen

from console import recorder as recorder_module
from console.recorder import Recorder
from console.recording import Recording
from console.recording_lines import LEFT_OUT, Act
from console.session import Session, Timings
from console.store import Link, Store
from server.api.client import Deadlines
from server.api.errors import ConfigError
from server.api.model import EnvironmentEvent, TransitionProgress

DEADLINES = Deadlines(connect_s=60.0, read_s=60.0)
TIMINGS = Timings(snapshot_s=60.0, retry_first_s=0.01, retry_last_s=0.05, heartbeat_s=0.1, silence_s=120.0)


async def opened(core: FakeCore) -> Session:
    return await Session.open(core.endpoint, deadlines=DEADLINES, timings=TIMINGS)


def last_picture(path: Path) -> Store:
    recording = Recording(path)
    store = played(recording)
    recording.close()
    return store


async def state_is(session: Session, state: str) -> None:
    assert await session.until(lambda: [one.state for one in session.store.environments()] == [state], 60)


async def test_a_recording_begun_in_the_middle_holds_all_that_was_shown(core: FakeCore, tmp_path: Path) -> None:
    gone = core.add(state="CONFIGURED")
    one = core.add(state="CONFIGURED")
    path = tmp_path / "middle.jsonl"
    said: list[str] = []
    async with await opened(core) as session:
        store = await session.picture()
        core.publish(EnvironmentEvent(at_ms=1, environment_id=one.id, vars={"dcs_token": "x"}, message="hello"))
        core.drop(gone.id)
        await state_is(session, "CONFIGURED")
        async with Recorder(session, path, say=said.append) as recorder:
            core.show(replace(one, transition=TransitionProgress(event="START_ACTIVITY", tasks_total=4)))
            core.show(replace(one, state="RUNNING", run_number=7))
            await state_is(session, "RUNNING")
            recorder.mark("beam is here")
            recorder.act(Act(verb="env stop", target=one.id, level=3, outcome="refused"))
            core.fault(one.id, "flp001", "RUNNING")
            await state_is(session, "ERROR")
        assert not recorder.is_on and recorder.size_bytes == path.stat().st_size
    assert said == [] and stat.S_IMODE(path.stat().st_mode) == 0o600
    recording = Recording(path)
    assert recording.warnings == []
    assert [mark.text.removeprefix(one.id) for mark in recording.marks] == [
        " START_ACTIVITY: RUNNING run 7",
        "beam is here",
        " critical task sink ended with exit code 3 on flp001",
    ]
    assert [(act.verb, act.level) for _, act in recording.acts] == [("env stop", 3)]
    header = recording.header
    assert (header.endpoint, header.instance, header.user) == (core.endpoint, "fake", session.client.user)
    shown, expected = seen(last_picture(path)), seen(store)
    assert shown["events"] == [replace(it, vars={"dcs_token": LEFT_OUT}) for it in expected["events"]]
    assert {**shown, "events": 0} == {**expected, "events": 0}


async def test_signs_of_life_are_not_recorded(core: FakeCore, tmp_path: Path) -> None:
    path = tmp_path / "quiet.jsonl"
    async with await opened(core) as session:
        await session.picture()
        beats = asyncio.Event()
        async with Recorder(session, path, say=print):
            with session.tap(lambda batch: beats.set()):
                await asyncio.wait_for(beats.wait(), 60)
    kinds = [
        next(iter(json.loads(line).keys() - {"t", "prev", "rates"})) for line in path.read_bytes().splitlines()[1:]
    ]
    assert kinds == ["batch", "batch", "end"]


async def test_a_core_that_dies_and_comes_back_is_recorded_as_it_was_seen(core: FakeCore, tmp_path: Path) -> None:
    one = core.add(state="CONFIGURED")
    path = tmp_path / "restart.jsonl"
    async with await opened(core) as session:
        store = await session.picture()
        async with Recorder(session, path, say=print):
            port = core.port
            await core.stop()
            assert await session.until(lambda: store.link is Link.LOST, 60)
            core.drop(one.id)
            other = core.add(state="DEPLOYED")
            core.forget()
            await core.start(port)
            assert await session.until(lambda: store.environment(other.id) is not None, 60)
        assert seen(last_picture(path)) == seen(store)
    texts = [mark.text for mark in Recording(path).marks]
    assert [text.partition(":")[0] for text in texts] == ["link lost", "link live"]


async def test_pictures_are_written_on_the_way(core: FakeCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "PICTURE_CHANGES", 10)
    one = core.add(state="CONFIGURED")
    path = tmp_path / "pictures.jsonl"
    async with await opened(core) as session:
        store = await session.picture()
        async with Recorder(session, path, say=print):
            for number in range(300):
                core.show(replace(one, bytes_moved=float(number)))
                assert await session.until(lambda moved=number: store.environments()[0].bytes_moved == moved, 60)
        assert seen(last_picture(path)) == seen(store)
    recording = Recording(path)
    assert recording.place(recording.duration_s) > recording.place(0.0)
    assert recording.warnings == []


async def test_a_slow_disk_leaves_a_gap_and_a_new_picture(
    core: FakeCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "QUEUE_LENGTH", 10)
    one = core.add(state="CONFIGURED")
    path = tmp_path / "slow"
    os.mkfifo(path)  # nobody reads: its writer waits when 64 KiB are in it
    said: list[str] = []
    async with await opened(core) as session:
        await session.picture()
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        monkeypatch.setattr(
            recorder_module, "_create", lambda path: recorder_module.FileIO(os.open(path, os.O_WRONLY), "wb")
        )
        async with Recorder(session, path, say=said.append) as recorder:
            for number in range(40):
                core.show(replace(one, description=f"{number}" + 8000 * "x"))
                await session.until(
                    lambda n=number: session.store.environments()[0].description.startswith(f"{n}x"), 60
                )
            reading = asyncio.create_task(asyncio.to_thread(_read_to_the_end, reader))
            await _is_written(recorder)
            for number in range(40, 50):
                core.show(replace(one, description=f"{number}" + 10 * "x"))
                await session.until(
                    lambda n=number: session.store.environments()[0].description.startswith(f"{n}x"), 60
                )
                await _is_written(recorder)
        data = await asyncio.wait_for(reading, 60)
        os.close(reader)
        copy = tmp_path / "slow.jsonl"
        copy.write_bytes(data)
        assert seen(last_picture(copy)) == seen(session.store)
    assert b'"gap":' in data and Recording(copy).warnings == [] and said == []


async def test_a_disk_that_hangs_does_not_hang_the_console(
    core: FakeCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "CLOSE_S", 0.2)
    one = core.add(state="CONFIGURED")
    path = tmp_path / "hangs"
    os.mkfifo(path)
    said: list[str] = []
    async with await opened(core) as session:
        await session.picture()
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        monkeypatch.setattr(
            recorder_module, "_create", lambda path: recorder_module.FileIO(os.open(path, os.O_WRONLY), "wb")
        )
        async with Recorder(session, path, say=said.append):
            core.show(replace(one, description=200_000 * "x"))
            assert await session.until(lambda: len(session.store.environments()[0].description) > 1000, 60)
        assert said == [f"recording to {path} ended: the disk did not take the rest within 0.2 s"]
        await asyncio.wait_for(asyncio.to_thread(_read_to_the_end, reader), 60)
        os.close(reader)


def _read_to_the_end(fd: int) -> bytes:
    """Return what comes until the last writer has closed its end."""
    os.set_blocking(fd, True)
    parts = []
    while part := os.read(fd, 65536):
        parts.append(part)
    return b"".join(parts)


async def _is_written(recorder: Recorder) -> None:
    """Return when nothing waits for the disk."""
    async with asyncio.timeout(60):
        while not recorder._queue.empty():
            await asyncio.wait_for(asyncio.to_thread(os.sched_yield), 60)


async def test_a_file_that_exists_or_cannot_be_made_is_refused(core: FakeCore, tmp_path: Path) -> None:
    path = tmp_path / "there.jsonl"
    path.write_text("mine")
    async with await opened(core) as session:
        with pytest.raises(ConfigError, match="exists already"):
            async with Recorder(session, path, say=print):
                pass
        with pytest.raises(ConfigError, match=r"cannot record to .*: Not a directory"):
            async with Recorder(session, path / "x.jsonl", say=print):
                pass
    assert path.read_text() == "mine"


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=60)


async def test_a_full_disk_ends_the_recording_in_words_and_the_console_goes_on(core: FakeCore, full_disk: Path) -> None:
    one = core.add(state="CONFIGURED")
    path = full_disk / "full.jsonl"
    said: list[str] = []
    told = asyncio.Event()

    def say(text: str) -> None:
        said.append(text)
        told.set()

    async with await opened(core) as session:
        store = await session.picture()
        async with Recorder(session, path, say=say) as recorder:
            for number in range(40):
                core.show(replace(one, description=f"{number}" + 4000 * "x"))
                await session.until(lambda n=number: store.environments()[0].description.startswith(f"{n}x"), 60)
            await asyncio.wait_for(told.wait(), 60)
            assert not recorder.is_on
    assert said == [f"recording to {path} ended: No space left on device"]
    recording = Recording(path)
    assert recording.warnings == ["it does not end properly: what came last may be missing"] and recording.count > 5
    recording.close()
