"""Control groups: where those of this executor are, and what limits a group. Of whom they are: limits.py.

Version 1 has a tree of groups for each controller, version 2 one for all; a host may have some of each. Ours lie below the
group that the executor is in, or was given: ``aliecs.<executor id>.<pid>/<task id>``; the first is locked while it lives.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
from dataclasses import dataclass
from itertools import count
from pathlib import Path

_LOG = logging.getLogger(__name__)
CPU, MEMORY = "cpu", "memory"
_PREFIX = "aliecs."
_ITSELF = "executor"
"""Where an executor goes itself in a tree of version 2: a group has either processes or limited groups."""
_DELEGATED = ("trusted.delegate", "user.delegate")
"""Attributes by which systemd marks what it has left to others."""
_PERIOD_US = 100_000
_LEAST_QUOTA_US = 1_000
"""What the kernel takes."""
_NEAR_BYTES = 1024 * 1024
"""So near to its limit a group has been at it: memory is given in pieces."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree of groups that has what we want.

    Attributes:
        own: the group that ours are made in: the one that we are in; in version 2 the one above, if that is ours to divide.
        controllers: those of CPU and MEMORY that it has.
    """

    own: Path
    controllers: frozenset[str]
    is_unified: bool


@dataclass(frozen=True, slots=True)
class MemoryKills:
    """What became of a group for want of memory."""

    processes: int
    """Killed, whoever had none left: the group or the host."""
    is_at_limit: bool
    """The group has stood at its own limit."""


def find_trees(proc: Path = Path("/proc/self")) -> list[Tree]:
    """Return the trees of this host that have a controller of ours, as far as they are mounted where we are.

    Raises:
        OSError: the kernel does not tell.
    """
    paths: dict[str, str] = {}
    """Of our group, by controller; "" for version 2."""
    for line in (proc / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        paths |= dict.fromkeys(names.split(","), path)
    found: dict[Path, Tree] = {}
    for line in (proc / "mountinfo").read_text().splitlines():
        mount, _, kind = line.partition(" - ")
        root, point = (_unescaped(text) for text in mount.split(" ")[3:5])
        if kind.startswith("cgroup2 "):
            if (own := _below(point, root, paths.get(""))) and (own := _to_divide(own)) not in found:
                found[own] = Tree(own, _offered(own), is_unified=True)
        elif kind.startswith("cgroup "):
            ours = frozenset(name for name in (CPU, MEMORY) if name in paths and name in kind.split(" ")[2].split(","))
            if ours and (own := _below(point, root, paths[min(ours)])) and own not in found:
                found[own] = Tree(own, ours, is_unified=False)
    return [tree for tree in found.values() if tree.controllers]


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _below(point: str, root: str, path: str | None) -> Path | None:
    """Return where a group is found below a mount, None if it is not."""
    if path is None or not Path(path).is_relative_to(root):
        return None
    own = Path(point) / Path(path).relative_to(root)
    return own if own.is_dir() else None


def _to_divide(own: Path) -> Path:
    """Return the group above if systemd has left it to us (``Delegate=`` with ``DelegateSubgroup=``), else our own.

    Nobody is in such a group, so it can be divided however many are in ours.
    """
    for name in _DELEGATED:
        try:
            if os.getxattr(own.parent, name) == b"1":
                return own.parent
        except OSError:
            continue
    return own


def _offered(own: Path) -> frozenset[str]:
    try:
        return frozenset((own / "cgroup.controllers").read_text().split()) & {CPU, MEMORY}
    except OSError:
        return frozenset()


class Folder:
    """The groups of one executor in one tree.

    Raises:
        OSError: it may not make any here; says why.
    """

    def __init__(self, tree: Tree, executor_id: str) -> None:
        self.tree = tree
        self._path = tree.own / f"{_PREFIX}{executor_id}.{os.getpid()}"
        self._lock = _make_locked(self._path)
        if tree.is_unified:
            try:
                self._take_over()
            except OSError:
                self.close()
                raise

    def make(self, task_id: str) -> Path:
        """Make a group for a task, beside those of its earlier processes that are still being emptied."""
        for number in count(1):
            path = self._path / (task_id if number == 1 else f"{task_id}.{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            break
        return path

    def close(self) -> None:
        """Remove what is empty of it, and lock it no longer."""
        _remove_empty(self._path)
        os.close(self._lock)

    def _take_over(self) -> None:
        """Let groups below have limits; for that no process may be in the one above, so we go below it ourselves."""
        tree, itself = self.tree, self._path / _ITSELF
        within = pids_in(tree.own)
        if others := [pid for pid in within if pid != os.getpid()]:
            raise OSError(0, f"the executor shares it with {len(others)} other processes", str(tree.own))
        wanted = " ".join(f"+{name}" for name in sorted(tree.controllers))
        if within:
            itself.mkdir()
            _write(itself / "cgroup.procs", "0")
        try:
            for path in (tree.own, self._path):
                _write(path / "cgroup.subtree_control", wanted)
        except OSError:
            if within:
                _write(tree.own / "cgroup.procs", "0")
            raise


def _make_locked(path: Path) -> int:
    """Make a folder and return what keeps it ours. Somebody who tidies up may come in between."""
    while True:
        path.mkdir(exist_ok=True)
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_SH)
        if path.exists():
            return lock
        os.close(lock)


def remove_stale(tree: Tree) -> int:
    """Remove the empty groups of executors that are no more; return how many executors."""
    removed = 0
    for path in tree.own.glob(f"{_PREFIX}*"):
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue  # somebody else was faster
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            removed += _remove_empty(path)
        except OSError as error:
            _LOG.debug("group=%s stays error=%r", path, error.strerror)
        finally:
            os.close(lock)
    return removed


def _remove_empty(path: Path) -> bool:
    for one in (*(one for one in path.iterdir() if one.is_dir()), path):
        if not remove(one):
            _LOG.debug("group=%s stays: it is in use", one)
    return not path.exists()


# ---- one group -------------------------------------------------------------------------------


def limit_cpu(path: Path, *, cores: float, is_unified: bool) -> None:
    """Give a group no more than so much of the CPUs."""
    quota_us = max(_LEAST_QUOTA_US, round(cores * _PERIOD_US))
    if is_unified:
        _write(path / "cpu.max", f"{quota_us} {_PERIOD_US}")
    else:
        _write(path / "cpu.cfs_period_us", str(_PERIOD_US))
        _write(path / "cpu.cfs_quota_us", str(quota_us))


def limit_memory(path: Path, *, size_bytes: int, is_unified: bool) -> None:
    """Give a group no more memory, and no swap in its stead where the kernel counts that."""
    if is_unified:
        _write(path / "memory.max", str(size_bytes))
        swap, swap_bytes = path / "memory.swap.max", 0
    else:
        _write(path / "memory.limit_in_bytes", str(size_bytes))
        swap, swap_bytes = path / "memory.memsw.limit_in_bytes", size_bytes
    if swap.exists():
        _write(swap, str(swap_bytes))


def memory_kills(path: Path, *, is_unified: bool) -> MemoryKills:
    """Return what the kernel has counted."""
    if is_unified:
        events = _numbers(path / "memory.events")
        return MemoryKills(events.get("oom_kill", 0), events.get("oom", 0) > 0)
    kills = _numbers(path / "memory.oom_control").get("oom_kill", 0)
    # Not memory.failcnt: newer kernels do not count there what ends in a kill.
    most, limit = (int((path / f"memory.{name}_in_bytes").read_text()) for name in ("max_usage", "limit"))
    return MemoryKills(kills, most >= limit - _NEAR_BYTES)


def pids_in(path: Path) -> list[int]:
    """Return the processes in a group; none if there is no such group."""
    try:
        return [int(word) for word in (path / "cgroup.procs").read_text().split() if word != "0"]
    except FileNotFoundError:
        return []
    except OSError as error:
        if error.errno == errno.ENODEV:  # removed while it was read
            return []
        raise


def remove(path: Path) -> bool:
    """Remove a group; False if that cannot be: something is in it."""
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _numbers(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in path.read_text().splitlines())
    return {name: int(value) for name, value in pairs}


def _write(path: Path, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, text.encode())
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} for {text!r}", str(path)) from None
    finally:
        os.close(file)
