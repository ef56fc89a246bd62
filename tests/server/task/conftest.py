"""Real executors and tasks on this machine, of which nothing is left after the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from process_ends import all_killed
from task_world import Facility


@pytest.fixture
async def facility(tmp_path: Path) -> AsyncIterator[Facility]:
    facility = Facility(tmp_path)
    yield facility
    for core in facility.cores:
        await core.backend.close()
    await all_killed(facility.processes)
