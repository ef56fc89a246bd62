"""The demo facility on disk: a workflow repository with its own history, and the configuration of four hosts.

The shipped files stand beside this module; prepare() copies them to a state folder, where people may change them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from occ.errors import ConfigError, RefusedError
from server.config.file import FileStore

SHIPPED = Path(__file__).resolve().parent
TEMPLATE_FOLDERS = ("workflows", "tasks")
SCRIPT = SHIPPED / "run.aliecs"
"""The headless demo."""

AUTHOR = "AliECS demo"
GIT_TIMEOUT_S = 20.0
"""Seconds for one git command."""


@dataclass(frozen=True, slots=True)
class Facility:
    """Where a prepared facility has its files."""

    state: Path
    repository: Path
    configuration: Path
    runs: Path
    """Run headers are written here."""


def prepare(state: Path) -> Facility:
    """Make the facility in the state folder, or bring it up to date; what people changed there is kept.

    Raises:
        ConfigError: the folder cannot be written, git is missing or failed, or the configuration is broken.
    """
    state = state.absolute()
    facility = Facility(state, state / "workflows-repo", state / "configuration.yaml", state / "runs")
    try:
        facility.runs.mkdir(parents=True, exist_ok=True)
        _prepare_repository(facility.repository)
        if not facility.configuration.exists():
            shutil.copyfile(SHIPPED / "configuration.yaml", facility.configuration)
    except OSError as error:
        raise ConfigError(
            f"state folder {state} cannot be prepared: {error.strerror or error}", hint="name another with --state"
        ) from error
    store = FileStore(facility.configuration)
    key = "o2/runtime/aliecs/vars/runs_directory"
    if store.get(key) is None:
        store.put(key, str(facility.runs))
    return facility


def forget_last_life(state: Path) -> None:
    """Remove the journal of an earlier core in the folder: a demo that ended badly must not haunt the next one.

    The run number is in the configuration and goes on.

    Raises:
        RefusedError: that core still runs.
    """
    journal = state / "journal.sqlite"
    with journal.with_name(journal.name + ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise RefusedError(
                f"a core already runs on {state}: process {lock.read().strip() or 'unknown'}",
                hint="open the console on it, or name another folder with --state",
            ) from None
        for suffix in ("", "-wal", "-shm"):
            journal.with_name(journal.name + suffix).unlink(missing_ok=True)


def _prepare_repository(repository: Path) -> None:
    if not (repository / ".git").exists():
        repository.mkdir(parents=True, exist_ok=True)
        _git(repository, "init", "--quiet", "--initial-branch=master")
    elif _is_changed(repository):
        return
    for folder in TEMPLATE_FOLDERS:
        target = repository / folder
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(SHIPPED / folder, target, ignore=shutil.ignore_patterns("__pycache__"))
    _git(repository, "add", "--all")
    if _git(repository, "status", "--porcelain"):
        _git(repository, "commit", "--quiet", "--message", "Templates of the demo as shipped")


def _is_changed(repository: Path) -> bool:
    """Tell whether people edited the copy: files not committed, or commits that are not ours."""
    if _git(repository, "status", "--porcelain"):
        # A copy that was interrupted before its first commit is ours to finish.
        return bool(_git(repository, "rev-list", "--all", "--max-count=1"))
    return set(_git(repository, "log", "--all", "--format=%an").splitlines()) - {AUTHOR} != set()


def _git(repository: Path, *arguments: str) -> str:
    """Run git in the repository, with an identity of its own and without anybody's configuration."""
    identity: Sequence[str] = (
        "-c", f"user.name={AUTHOR}", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false",
        "-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "gc.auto=0",
    )  # fmt: skip
    environment = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}
    # Not the caller's: a demo started from a git hook would otherwise write into that repository.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *identity, *arguments],
            env=inherited | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
            start_new_session=True,  # Ctrl-C is for the launcher, which ends in order
        )
    except FileNotFoundError as error:
        raise ConfigError("git is not installed", hint="install it: the demo keeps its workflows in git") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"git {arguments[0]} in {repository} took more than {GIT_TIMEOUT_S:g} s") from error
    if done.returncode:
        raise ConfigError(f"git {arguments[0]} in {repository} failed: {done.stderr.strip()}")
    return done.stdout.strip()
