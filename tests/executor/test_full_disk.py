"""A disk that is full: tasks go on, their commands are answered, and what they write later is kept again."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executor.api.messages import OutputPiece, Phase, ReadOutput


def _mount(options: str, directory: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


@pytest.fixture
def small_disk(host: Any) -> Iterator[Path]:
    """The directory of tasks on a file system of one megabyte and 40 files."""
    directory: Path = host.folder / "tasks"
    directory.mkdir()
    if not _mount("size=1m,nr_inodes=40", directory):
        pytest.skip("no file system may be mounted here")
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], timeout=60, check=True)


async def test_a_full_disk_stops_no_task_and_is_told_once(core: Any, host: Any, spec: Any, small_disk: Path) -> None:
    host.start("--usage-interval", "0.2")
    script = "seq 400000; read go < go; echo after; exec sleep 60"
    await core.launch(spec("t1"), spec("h1", mode="hook", shell=True, value=script))
    await core.phase("t1", Phase.ACTIVE)
    (small_disk / "h1").mkdir(exist_ok=True)
    go = host.folder / "go"
    os.mkfifo(go)
    (small_disk / "h1" / "go").symlink_to(go)
    await core.trigger("h1")
    written = await asyncio.to_thread(open, go, "w")  # returns when the task has written everything and waits
    with written:
        reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1", arguments={"key": "value"})
        assert [(result.state, result.error) for result in reply.results] == [("CONFIGURED", "")]
        output = small_disk / "h1" / "stdout"
        await host.logs("is dropped")
        written_bytes = len("".join(f"{number}\n" for number in range(1, 400001)))
        lost = await core.until(lambda: _lost(core) == written_bytes - output.stat().st_size and _lost(core))
        piece = await _tail(core)
        assert (piece.error, piece.size) == ("", output.stat().st_size)
        assert piece.data and output.read_bytes().endswith(piece.data)
        assert await asyncio.to_thread(_mount, "remount,size=4m", small_disk)
        written.write("\n")
    async with asyncio.timeout(60):
        while not (await asyncio.to_thread(output.read_bytes)).endswith(b"after\n"):
            pass
    assert f"{lost:.0f} bytes of output were lost here\n".encode() in output.read_bytes()
    assert (await _tail(core)).data.endswith(b"after\n")
    assert [result.error for result in (await core.kill("t1", "h1")).results] == ["", ""]
    log = (host.folder / "executor.log").read_text()
    assert (log.count("h1/stdout is dropped"), log.count(f"h1/stdout lost_bytes={lost:.0f}")) == (1, 1)


async def test_a_task_that_gets_no_folder_fails_by_the_disk_and_others_go_on(
    core: Any, host: Any, spec: Any, small_disk: Path
) -> None:
    host.start()
    await core.launch(spec("t1"))
    await core.phase("t1", Phase.ACTIVE)
    with pytest.raises(OSError, match="No space left"):
        await asyncio.to_thread(_fill_with_files, small_disk)
    await core.launch(spec("t2"))
    ended = await core.phase("t2", Phase.ENDED)
    assert ended.error.endswith(": No space left on device")
    reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1", arguments={"key": "value"})
    assert [result.error for result in reply.results] == [""]
    await core.kill("t1")


def _lost(core: Any) -> float:
    """Return what was told last of lost output."""
    told = [sample.value for sample in core.samples() if (sample.task_id, sample.name) == ("h1", "output.lost")]
    return told[-1] if told else 0.0


def _fill_with_files(directory: Path) -> None:
    for number in range(1000):
        (directory / f"other{number}").touch()


async def _tail(core: Any) -> OutputPiece:
    request_id = f"tail-{len(core.reports)}"
    core.send(ReadOutput(request_id=request_id, task_id="h1", stream="stdout", lines=3))

    def find() -> OutputPiece | None:
        pieces = (one for one in core.reports if isinstance(one, OutputPiece))
        return next((one for one in pieces if one.request_id == request_id), None)

    piece: OutputPiece = await core.until(find)
    return piece
