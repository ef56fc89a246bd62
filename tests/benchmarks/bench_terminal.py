"""G6: from a change in the core to its bytes on a terminal, against a plain watcher of the same stream.

The screen runs in a pseudo-terminal. A change counts from the moment when a bare ``Live.Watch`` client in this process
has it, so what is measured is what the console adds: decoding, store, painting.
"""

from __future__ import annotations

import asyncio
import os
import pty
import shutil
import statistics
import sys
import time
from pathlib import Path

import pytest
from facility import Facility

from occ.client import OccClient
from server.api import live_pb2
from server.api import o2control_pb2 as pb

HERE = Path(__file__).resolve().parent
CHANGES = 30
WAIT_S = 5.0
QUIET_S = 0.2
CONFIGURED = "◑".encode()
"""The glyph of CONFIGURED, which stands on the screen for nothing else."""


async def appears(screen: asyncio.StreamReader, text: bytes) -> float:
    """Return when the text was written to the terminal."""
    seen = b""
    async with asyncio.timeout(WAIT_S):
        while text not in seen:
            seen = seen[-200:] + await screen.read(65536)
    return time.perf_counter()


async def drained(screen: asyncio.StreamReader) -> None:
    """Read what is on its way to the terminal already."""
    try:
        async with asyncio.timeout(QUIET_S):
            while await screen.read(65536):
                continue
    except TimeoutError:
        return


async def first_task(facility: Facility, state: str) -> float:
    """Return when a bare watcher had the first task in that state, after its snapshot."""
    call = facility.live.Watch(live_pb2.WatchRequest(), timeout=WAIT_S)
    async for batch in call:
        if batch.part == live_pb2.NONE and any(change.task.state == state for change in batch.changes):
            call.cancel()
            return time.perf_counter()
    raise AssertionError("the stream ended")


@pytest.mark.timeout(300)
async def test_event_to_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    repository = tmp_path / "repository"
    shutil.copytree(HERE / "repository", repository)
    async with Facility(tmp_path, repository, records=False) as facility:
        environment = await facility.create("many", ["flp001", "flp002"], per_host="4")
        own, other = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            str(scripts / "aliecs"), "--endpoint", f"127.0.0.1:{facility.port}", "tui",
            stdin=other, stdout=other, stderr=other, env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
        )  # fmt: skip
        os.close(other)
        screen = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(screen), os.fdopen(own, "rb", 0)
        )
        began = time.perf_counter()
        print(f"\nscreen with live data after {(await appears(screen, CONFIGURED) - began) * 1000:.0f} ms")
        await facility.ask(environment.id, "START_ACTIVITY")
        (task, *_) = await facility.tasks()
        reply = await facility.control.GetTask(pb.GetTaskRequest(taskId=task.taskId))
        (port,) = (one.split("=")[1] for one in reply.task.commandInfo.env if one.startswith("OCC_CONTROL_PORT="))
        device = OccClient(f"127.0.0.1:{port}")
        added = []
        for _ in range(CHANGES):
            known = asyncio.ensure_future(first_task(facility, "CONFIGURED"))
            await drained(screen)
            shown = asyncio.ensure_future(appears(screen, CONFIGURED))
            # The task changes by itself: one event, nothing else moves.
            await device.transition("RUNNING", "STOP", {}, WAIT_S)
            added.append((await shown - await known) * 1000)
            await device.transition("CONFIGURED", "START", {}, WAIT_S)
        await device.close()
        print(
            f"one event to terminal: median {statistics.median(added):.1f} ms, p95 {sorted(added)[int(len(added) * 0.95)]:.1f} ms"
        )
        process.terminate()
        await process.wait()
        transport.close()
