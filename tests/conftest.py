"""Fixtures that every room's tests may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def reference() -> Path:
    """Return the folder that holds ``corpus/`` and ``golden/``; skip loudly where there is none."""
    named = os.environ.get("ALIECS_REFERENCE")
    folder = Path(named) if named else ROOT.parent / "shared"
    if not (folder / "golden").is_dir():
        pytest.skip(f"no reference data at {folder}: set ALIECS_REFERENCE to the folder with corpus/ and golden/")
    return folder
