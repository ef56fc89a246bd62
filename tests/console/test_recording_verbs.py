"""record, replay and recording check as a shell runs them."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_core import FakeCore
from patience import PATIENT
from stories import story, write

from console.recording import Recording

Run = Callable[..., Awaitable[Any]]
Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "story.jsonl"
    write(path, story(40), marks={5.0: "five"})
    return path


async def said(process: asyncio.subprocess.Process, text: str) -> str:
    """Read the program's messages up to a line with a text in it."""
    assert process.stderr
    lines = ""
    while text not in lines:
        line = await asyncio.wait_for(process.stderr.readline(), 60)
        assert line, f"it ended and said: {lines}"
        lines += line.decode()
    return lines


async def test_a_session_is_recorded_until_a_signal_also_while_the_core_restarts(
    core: FakeCore, start_aliecs: Start, tmp_path: Path
) -> None:
    one = core.add(state="CONFIGURED")
    path = tmp_path / "shift.jsonl"
    process = await start_aliecs("record", str(path))
    await said(process, f"recording to {path}; Ctrl-C ends it")
    port = core.port
    await core.stop()
    core.show(replace(one, state="RUNNING", run_number=8))
    await core.start(port)

    async with asyncio.timeout(60):
        while not _holds(path, b'"RUNNING"'):
            await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=0.05)
    process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 143
    assert f"to {path}" in err.decode().splitlines()[-1] and err.decode().splitlines()[-1].startswith("recorded ")
    recording = Recording(path)
    assert recording.warnings == [] and recording.header.instance == "fake"


async def test_a_recording_ends_when_its_time_is_over(aliecs: Run, tmp_path: Path) -> None:
    path = tmp_path / "short.jsonl"
    ended = await aliecs("record", str(path), "--timeout", "300ms", "-o", "json")
    assert ended.code == 0 and json.loads(ended.out)["bytes"] == path.stat().st_size
    again = await aliecs("record", str(path), "--timeout", "300ms")
    assert (again.code, again.err) == (
        2, f"{path} exists already\n  next:  a recording never overwrites: name another file\n"
    )  # fmt: skip


async def test_a_disk_that_takes_no_more_ends_it_in_words(core: FakeCore, tmp_path: Path) -> None:
    for number in range(20):
        core.add(f"env{number}", description=1000 * "x")
    path = tmp_path / "large.jsonl"
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", 'ulimit -f 16 && exec "$@"', "sh", sys.executable, "-P", "-m", "console", "record", str(path),
        "--timeout", "30s", stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        env=os.environ | PATIENT | {"ALIECS_CONSOLE_ENDPOINT": core.endpoint, "XDG_CONFIG_HOME": "/nonexistent"},
    )  # fmt: skip
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1 and f"recording to {path} ended: File too large" in err.decode()


async def test_without_a_name_the_file_goes_to_the_folder_of_recordings(
    aliecs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    ended = await aliecs("record", "--timeout", "100ms", "-o", "id")
    file = Path(ended.out.strip())
    assert ended.code == 0 and file.parent == tmp_path / "aliecs" / "recordings"
    assert (await aliecs("recording", "check", file.stem)).code == 0


async def test_a_recording_is_played_as_lines_with_the_times_of_then(aliecs: Run, file: Path) -> None:
    ended = await aliecs("replay", str(file), "--headless")
    lines = ended.out.splitlines()
    assert ended.code == 0 and ended.err.count("\n") <= 1
    assert lines[0].startswith("14:13:20.") and "2env0  CFG" in lines[0]
    assert any(line.endswith("gone") for line in lines)
    later = await aliecs("replay", str(file), "--at", "14:13:30", "-o", "ndjson")
    assert later.code == 0 and 0 < len(later.out.splitlines()) < len(lines)
    assert all(json.loads(line) for line in later.out.splitlines())


async def test_a_recording_of_nothing_is_played_to_its_end(aliecs: Run, tmp_path: Path) -> None:
    path = tmp_path / "nothing.jsonl"
    write(path, iter(()))
    ended = await aliecs("replay", str(path))
    assert (ended.code, ended.out) == (0, "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("replay", "{file}", "--speed", "fast"), "speed 'fast'"),
        (("replay", "{file}", "--speed", "61"), "speed '61'"),
        (("replay", "{file}", "--at", "noon"), "place 'noon'"),
        (("replay", "/nowhere.jsonl"), "/nowhere.jsonl: no such file"),
        (("replay", "/dev/null"), "/dev/null: empty, so no recording"),
        (("recording", "check", "README.md"), "README.md:1: not JSON"),
    ],
)
async def test_what_cannot_be_played_is_told(aliecs: Run, file: Path, words: tuple[str, ...], message: str) -> None:
    ended = await aliecs(*(word.format(file=file) for word in words))
    assert ended.code == 2 and ended.err.startswith(message) and not ended.out


async def test_a_recording_is_checked(aliecs: Run, file: Path, tmp_path: Path) -> None:
    ended = await aliecs("recording", "check", str(file), "-o", "json")
    facts = json.loads(ended.out)
    assert ended.code == 0 and facts["is_intact"] and facts["batches"] == 42
    assert facts["marks"] == [{"t_s": 5.0, "text": "five"}] and facts["instance"] == "story"
    changed = tmp_path / "changed.jsonl"
    _copy(file, changed, b"core:1", b"core:2")
    ended = await aliecs("recording", "check", str(changed))
    assert ended.code == 10 and "5.000  five" in ended.out
    assert ended.err == f"{changed}: line 2: does not follow from the one before: the file was changed\n"


async def test_in_a_terminal_a_recording_is_played_on_the_screen(file: Path) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "console", "replay", str(file), "--at", "2s", stdin=theirs, stdout=theirs, stderr=theirs,
        env=os.environ | {"TERM": "xterm-256color", "XDG_CONFIG_HOME": "/nonexistent"},
    )  # fmt: skip
    os.close(theirs)
    screen = b""
    while b"2env" not in screen:
        screen += await asyncio.wait_for(asyncio.to_thread(os.read, ours, 65536), 60)
    os.write(ours, b"q")
    await asyncio.wait_for(asyncio.to_thread(_drain, ours), 60)
    assert await asyncio.wait_for(process.wait(), 60) == 0
    os.close(ours)


def _copy(source: Path, target: Path, old: bytes, new: bytes) -> None:
    target.write_bytes(source.read_bytes().replace(old, new))


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        return  # the other end is closed


def _holds(path: Path, text: bytes) -> bool:
    return text in path.read_bytes()
