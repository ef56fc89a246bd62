"""What the distribution promises: names, sizes of files, documents, and where sleeping is allowed."""

from __future__ import annotations

import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("console", "server", "executor", "occ")
GENERATED = re.compile(r"_pb2(_grpc)?\.pyi?$")
MAX_LINES = 400
MAY_SLEEP = {"executor/readiness.py"}
"""Files that may sleep to try again: a port of a foreign task says nothing when it opens."""


def sources() -> list[Path]:
    return [
        path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py")) if not GENERATED.search(path.name)
    ]


@pytest.mark.parametrize("name", PACKAGES)
def test_each_import_name_is_ours_alone(name: str) -> None:
    # An editable install names no packages; any other distribution that has the name would stand here.
    assert set(packages_distributions().get(name, [])) <= {"aliecs"}


def test_no_file_is_longer_than_a_reader_takes_in() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_every_module_says_what_lives_in_it() -> None:
    silent = [str(path) for path in sources() if path.name != "__init__.py" and not path.read_text().startswith('"""')]
    assert silent == []


def test_packages_begin_empty() -> None:
    full = [
        str(path.relative_to(ROOT)) for path in sources() if path.name == "__init__.py" and path.read_text().strip()
    ]
    assert set(full) <= {"occ/__init__.py"}


def test_every_room_has_its_short_guide() -> None:
    for name in PACKAGES:
        assert len((ROOT / name / "README.md").read_text().splitlines()) <= 60


def test_nothing_sleeps_but_where_it_is_allowed() -> None:
    sleeping = re.compile(r"\b(time|asyncio)\.sleep\((?!0\))")
    found = {str(path.relative_to(ROOT)) for path in sources() if sleeping.search(path.read_text())}
    assert found <= MAY_SLEEP | TIMED


TIMED = {"server/integration/testplugin.py", "console/script.py"}
"""Files whose purpose is to let time pass because somebody asked for it (``Noop``, ``sleep``)."""
