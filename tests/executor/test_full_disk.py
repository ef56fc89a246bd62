"""A disk that is full: tasks go on, their commands are answered, and what they write later is kept again."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executor.api.messages import Phase


def _mount(options: str, directory: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0


@pytest.fixture
def small_disk(host: Any) -> Iterator[Path]:
    """The directory of tasks on a file system of one megabyte."""
    directory: Path = host.folder / "tasks"
    directory.mkdir()
    if not _mount("size=1m", directory):
        pytest.skip("no file system may be mounted here")
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], timeout=10, check=True)


async def test_a_full_disk_stops_no_task_and_is_told_once(core: Any, host: Any, spec: Any, small_disk: Path) -> None:
    host.start()
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
        async with asyncio.timeout(10):
            while b"is dropped" not in await asyncio.to_thread((host.folder / "executor.log").read_bytes):
                pass
        assert await asyncio.to_thread(_mount, "remount,size=4m", small_disk)
        written.write("\n")
    async with asyncio.timeout(10):
        while not (await asyncio.to_thread(output.read_bytes)).endswith(b"after\n"):
            pass
    assert b"bytes of output were lost here\n" in output.read_bytes()
    warnings = (host.folder / "executor.log").read_text().count("h1/stdout is dropped")
    assert warnings == 1
    assert [result.error for result in (await core.kill("t1", "h1")).results] == ["", ""]
