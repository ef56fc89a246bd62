"""Real executors and tasks on this machine, of which nothing is left after the test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from task_world import DEADLINE_S, Facility


@pytest.fixture
async def facility(tmp_path: Path) -> AsyncIterator[Facility]:
    facility = Facility(tmp_path)
    yield facility
    for core in facility.cores:
        await core.backend.close()
    async with asyncio.timeout(DEADLINE_S):
        while pids := facility.processes():  # some may only now begin
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.01)
