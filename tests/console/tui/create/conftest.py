"""A core with templates, and a state folder of its own for drafts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from template_core import TemplateCore


@pytest.fixture
async def core() -> AsyncIterator[TemplateCore]:
    one = TemplateCore()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
