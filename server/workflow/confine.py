"""Runs one shell command within limits and ends everything that it started; a program of its own, see sandbox.py.

It is the subreaper of all that the command starts, so that nothing escapes by a new session or a double fork. When the
other end of its stdin is closed, its parent is gone and the command is ended. Standard library only: it must start fast.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38


def main(job: dict[str, Any]) -> dict[str, Any]:
    """Run the command of a job; return how it ended and the last of what it said."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.umask(0o077)
    _limit(job["limits"])
    reading, writing = os.pipe()
    command = subprocess.Popen(
        ["bash", "-c", job["command"]],
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
        start_new_session=True,
    )
    os.close(writing)
    said = _Output(reading, job["tail_bytes"])
    end = _watch(command, said, deadline=time.monotonic() + job["timeout_s"], most=job["output_bytes"])
    _end_all()
    said.drain()
    return {"end": end, "code": command.returncode, "said": said.text()}


class _Output:
    """The last of what was said, and how much it was."""

    def __init__(self, descriptor: int, tail_bytes: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.size = 0
        self._tail = bytearray()
        self._keep = tail_bytes

    def read(self) -> bool:
        """Take what is there; False at the end."""
        try:
            data = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return True
        self.size += len(data)
        self._tail += data
        del self._tail[: -self._keep]
        return bool(data)

    def drain(self) -> None:
        """Take what is left; nobody writes any more."""
        before = -1
        while before != self.size:
            before = self.size
            self.read()

    def text(self) -> str:
        return self._tail.decode("utf-8", "replace")


def _watch(command: subprocess.Popen[bytes], said: _Output, *, deadline: float, most: int) -> str:
    """Wait until the command ends by itself or has to: "exited", "late", "loud" or "orphaned"."""
    ended = os.pidfd_open(command.pid)
    parent = sys.stdin.fileno()
    with selectors.DefaultSelector() as selector:
        for descriptor in (ended, parent, said.descriptor):
            selector.register(descriptor, selectors.EVENT_READ)
        while (left_s := deadline - time.monotonic()) > 0:
            ready = {key.fd for key, _ in selector.select(left_s)}
            if said.descriptor in ready and not said.read():
                selector.unregister(said.descriptor)
            if parent in ready:
                return "orphaned"
            if ended in ready:
                command.wait()
                return "exited"
            if said.size > most:
                return "loud"
    return "late"


def _limit(limits: dict[str, int]) -> None:
    """Set resource limits, for this process and all below it, no higher than they are."""
    for name, value in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(which)
        if name == "NPROC":  # counts all threads of this user, whatever started them
            value += sum(_threads(entry) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def _threads(entry: Path) -> int:
    """Return how many threads a process has, 0 for one of another user or that is gone."""
    try:
        return len(os.listdir(entry / "task")) if entry.stat().st_uid == os.getuid() else 0
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _end_all() -> None:
    """Kill and reap all that is left below this process; what loses its parent becomes our own child."""
    while True:
        for pid in _below(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _below(top: int) -> list[int]:
    """Return all descendants of a process, those near it first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            stat = (entry / "stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(stat[stat.rindex(")") + 2 :].split()[1]), []).append(int(entry.name))
    found = [top]
    for pid in found:
        found += children.get(pid, ())
    return found[1:]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))))
