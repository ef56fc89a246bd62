"""A facility per test, with the repository of this folder."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from facility import Facility
from facility_backends import facility_on
from patience import PATIENT

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture(autouse=True)
def _patient_consoles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let consoles that tests start wait as long as the tests do."""
    for name, value in PATIENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the repository of workflows; what its tasks start is found in the PATH."""
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    shutil.copytree(HERE / "repository", tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
async def facility(request: pytest.FixtureRequest, tmp_path: Path, repository: Path) -> AsyncIterator[Facility]:
    """Return a running facility, on the backend that ``on_every_backend`` asks for; at its end nothing may be left."""
    async with facility_on(getattr(request, "param", "local"), tmp_path, repository) as one:
        yield one
