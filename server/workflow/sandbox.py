"""Run a foreign shell command: own session, deadline, limits, little environment, nothing of it left afterwards.

This side starts confine.py, which does it. Only sandboxing of resources: the command runs as the user of the core and
reaches files and network as that user does (workflows-config.md 7.5: treat as execution of privileged code).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from occ.errors import AliecsError
from server.workflow import confine

INHERITED = (
    "PATH", "LD_LIBRARY_PATH", "MODULEPATH", "MODULESHOME", "BASH_FUNC_module%%", "http_proxy", "https_proxy", "no_proxy",
    "ALIECS_INSTANCE",
)  # fmt: skip
"""All that a command has of the environment of the core."""
LIMITS = {
    "AS": 16 * 1024**3,
    "CORE": 0,
    "CPU": 120,
    "FSIZE": 16 * 1024**2,
    "NOFILE": 1024,
    "NPROC": 1024,
}
"""RLIMIT_* of every process of a command: bytes, seconds (more if its deadline is later), number; NPROC beyond what the
user runs already, root excepted."""
OUTPUT_BYTES = 64 * 1024**2
"""A command that says more is ended."""
TAIL_BYTES = 16 * 1024
"""Of the output that is kept."""
GRACE_S = 10.0
"""For ending what the command started."""


class End(StrEnum):
    """How a command ended."""

    EXITED = "exited"
    LATE = "late"
    """It was ended at its deadline."""
    LOUD = "loud"
    """It was ended because it said too much."""
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command.

    Attributes:
        code: exit code, negative for a signal; None if it was ended.
        said: the last of both outputs.
    """

    end: End
    code: int | None
    said: str


def run_confined(command: str, folder: Path, *, timeout_s: float) -> Outcome:
    """Run a command of bash in a folder. Blocks.

    Raises:
        AliecsError: it could not be started or what watches it died.
    """
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {"HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    limits = LIMITS | {"CPU": max(LIMITS["CPU"], 4 * int(timeout_s))}
    job = {
        "command": command, "timeout_s": timeout_s, "limits": limits, "output_bytes": OUTPUT_BYTES, "tail_bytes": TAIL_BYTES,
    }  # fmt: skip
    return _run(job, folder, environment, timeout_s + GRACE_S)


def _run(job: Mapping[str, object], folder: Path, environment: Mapping[str, str], timeout_s: float) -> Outcome:
    reading, writing = os.pipe()  # writing stays open as long as we live
    try:
        watcher = subprocess.run(
            [sys.executable, "-I", "-S", str(confine.__file__), json.dumps(job)],
            stdin=reading, capture_output=True, cwd=folder, env=dict(environment),
            start_new_session=True, timeout=timeout_s, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AliecsError(f"a command could not be run within limits: {error}") from error
    finally:
        os.close(reading)
        os.close(writing)
    if watcher.returncode:
        last = watcher.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise AliecsError(f"what watches a command died (exit code {watcher.returncode}): {last}")
    result = json.loads(watcher.stdout)
    return Outcome(End(result["end"]), result["code"], result["said"])
