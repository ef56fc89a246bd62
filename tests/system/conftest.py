"""A facility per test, with the repository of this folder."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from facility import Facility

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture
async def facility(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Facility]:
    """Return a running facility; at its end nothing of it may be left."""
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    repository = tmp_path / "repository"
    shutil.copytree(HERE / "repository", repository)
    async with Facility(tmp_path, repository) as one:
        yield one
