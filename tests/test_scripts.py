"""What the Makefile asks before it starts: how many processors the tests may use."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "processors.py"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("processors", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_process_that_is_bound_to_one_processor_has_one() -> None:
    first = min(os.sched_getaffinity(0))
    program = (
        f"import os, runpy; os.sched_setaffinity(0, [{first}]); runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize(
    ("files", "share"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.cfs_quota_us": "50000\n", "cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_the_share_of_a_control_group_is_read_of_both_versions(
    script: ModuleType, tmp_path: Path, files: dict[str, str], share: float | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert script.share(tmp_path) == share


def test_part_of_a_processor_counts_as_one_and_eight_are_the_most(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script.os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(script, "shares", lambda: [0.5])
    assert script.processors() == 1
    monkeypatch.setattr(script, "shares", lambda: [2.5, 40.0])
    assert script.processors() == 3
    monkeypatch.setattr(script, "shares", list)
    assert script.processors() == 8
