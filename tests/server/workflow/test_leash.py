"""A command on a leash writes no endless files and ends with who started it. With a real core: system/test_repositories.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def leash(parent: int, max_bytes: int, *command: str) -> int:
    program = [sys.executable, "-P", "-m", "server.workflow.leash", str(parent), str(max_bytes), *command]
    return subprocess.run(program, timeout=60, check=False, start_new_session=True).returncode


def test_a_command_runs_and_its_exit_code_is_told(tmp_path: Path) -> None:
    assert leash(os.getpid(), 1000, "sh", "-c", f"echo fine > {tmp_path}/file; exit 3") == 3
    assert (tmp_path / "file").read_text() == "fine\n"


def test_a_file_that_grows_too_large_ends_the_command(tmp_path: Path) -> None:
    assert leash(os.getpid(), 1000, "sh", "-c", f"head -c 5000 /dev/zero > {tmp_path}/file") != 0
    assert (tmp_path / "file").stat().st_size == 1000


def test_a_command_whose_parent_has_gone_is_not_begun(tmp_path: Path) -> None:
    assert leash(os.getppid(), 1000, "touch", str(tmp_path / "file")) == 1
    assert not (tmp_path / "file").exists()
