"""Finds and ends processes of an instance, by the id in their environment and by descent. Linux only."""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import time
from contextlib import suppress
from pathlib import Path

from occ.errors import AliecsError

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise AliecsError(f"cannot become a child subreaper: {os.strerror(ctypes.get_errno())}")


def reap_orphans() -> None:
    """Collect adopted children that have ended. Takes every child's exit: call it when no other child is awaited."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def of_instance(mark: str) -> set[int]:
    """Return the pids of all processes whose environment has ``mark``, a ``NAME=value``; never our own."""
    wanted, found = mark.encode(), set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with suppress(OSError):  # ended meanwhile, or another user's
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.add(int(folder.name))
    return found - {os.getpid()}


def descendants() -> set[int]:
    """Return the pids of our children, their children, and so on."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, IndexError, ValueError):
                # pid (name) state ppid: the name may hold anything, so count from its closing bracket
                parent = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found: set[int] = set()
    ahead = [os.getpid()]
    while ahead:
        below = children.get(ahead.pop(), [])
        found.update(below)
        ahead.extend(below)
    return found


def end_all(mark: str, timeout_s: float) -> tuple[list[str], list[str]]:
    """Kill every descendant and every process with the mark, until there is none.

    Returns:
        What was killed and what is still there when the time is over, each as ``name (pid)``.
    """
    killed: dict[int, str] = {}
    deadline = time.monotonic() + timeout_s
    while True:
        reap_orphans()
        alive = {pid: name for pid in of_instance(mark) | descendants() if (name := _name(pid))}
        if not alive or time.monotonic() >= deadline:
            return sorted(killed.values()), sorted(alive.values())
        killed |= alive
        _kill(set(alive), mark, deadline)


def _kill(pids: set[int], mark: str, deadline: float) -> None:
    """Kill the processes and wait until they have ended."""
    descriptors: dict[int, int] = {}
    for pid in pids:
        with suppress(OSError):  # ended meanwhile
            descriptors[pid] = os.pidfd_open(pid)
    try:
        # A pid may have passed to somebody else since it was found; a descriptor cannot, so look again now.
        still = of_instance(mark) | descendants()
        with selectors.DefaultSelector() as selector:
            for pid, descriptor in descriptors.items():
                if pid in still:
                    with suppress(ProcessLookupError):
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                    selector.register(descriptor, selectors.EVENT_READ)
            while selector.get_map() and (remaining := deadline - time.monotonic()) > 0:
                for key, _ in selector.select(remaining):
                    selector.unregister(key.fileobj)
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)


def _name(pid: int) -> str:
    """Return ``name (pid)``, "" for a process that has ended, collected or not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    name, _, rest = status.partition("(")[2].rpartition(")")
    if rest.split()[:1] in (["Z"], ["X"]):
        return ""
    words = [os.path.basename(word.decode(errors="replace")) for word in command[:2] if word]
    # Scripts are shown by their own name, not by their interpreter's.
    if len(words) == 2 and words[0].startswith("python") and not words[1].startswith("-"):
        name = words[1]
    return f"{name} ({pid})"
