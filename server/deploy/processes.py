"""Processes of this machine: start one that outlives us, notice the end of any at once, kill what is left of an executor.

Linux only: pidfd and /proc. Which executor runs where is known to local.py.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

INSTANCE = "ALIECS_INSTANCE"
"""Environment variable of every process of an instance."""
EXECUTOR_ID = "ALIECS_EXECUTOR_ID"
"""Of an executor and, inherited, of everything that it starts."""
TASK_ID = "ALIECS_TASK_ID"


def spawn(argv: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Start a program in its own session, with both outputs appended to ``log``; returns its pid. Blocks shortly.

    Not subprocess.Popen nor asyncio's: those end, or complain about, a child that outlives them.

    Raises:
        OSError: there is no such program, or the log cannot be written.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        argv[0],
        list(argv),
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP],
    )


def started_ticks(pid: int) -> int | None:
    """Return when the process began, in clock ticks since boot; None if there is none or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError):
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def last_line(log: Path) -> str:
    """Return the last line of text in a log file, "" if there is none. Blocks shortly."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


_TAIL = 4096


class ProcessWatch:
    """Tells when a process ends; it need not be our child.

    Args:
        pid: of a living process, or of a child that was not waited for yet.
        on_end: called once on the loop with how it ended, in words, and not after ``close``.

    Raises:
        ProcessLookupError: there is no such process.
    """

    def __init__(self, pid: int, on_end: Callable[[str], None]) -> None:
        self.pid = pid
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._descriptor = os.pidfd_open(pid)
        self._loop.add_reader(self._descriptor, self._ended)

    def kill(self) -> None:
        """Send SIGKILL; nothing happens if the process has ended."""
        if self._descriptor >= 0:
            _kill(self._descriptor)

    def close(self) -> None:
        """Stop watching; the process goes on."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _ended(self) -> None:
        how = _reap(self._descriptor)
        self.close()
        self._on_end(how)


def kill_strays(instance: str, executor_id: str, task_ids: Collection[str]) -> int:
    """Kill every process that an executor left behind; returns how many there were.

    They are known by their environment: of this instance, and started below this executor or for one of these tasks.
    Blocks until they are dead, for ``_DEATH_S`` at most: some time passes from the signal to that on a busy machine.
    """
    wanted = {f"{EXECUTOR_ID}={executor_id}".encode()} | {f"{TASK_ID}={task_id}".encode() for task_id in task_ids}
    killed: set[tuple[int, int]] = set()
    while True:
        found = [pid for pid in _pids() if _belongs(pid, f"{INSTANCE}={instance}".encode(), wanted)]
        # A process may be made while we look: look again until there is nothing new.
        new = {(pid, ticks) for pid in found if (ticks := started_ticks(pid)) is not None} - killed
        if not new:
            return len(killed)
        dying: list[int] = []
        for pid, ticks in new:
            try:
                descriptor = os.pidfd_open(pid)
            except OSError:
                continue
            if started_ticks(pid) == ticks:
                _kill(descriptor)
                dying.append(descriptor)
            else:
                os.close(descriptor)
        _wait_dead(dying)
        killed |= new


_DEATH_S = 10.0


def _wait_dead(descriptors: Sequence[int]) -> None:
    """Wait until these processes have ended, and close the descriptors."""
    until_s = time.monotonic() + _DEATH_S
    for descriptor in descriptors:
        end = select.poll()
        end.register(descriptor, select.POLLIN)
        end.poll(max(0.0, until_s - time.monotonic()) * 1000)
        os.close(descriptor)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _belongs(pid: int, instance: bytes, wanted: set[bytes]) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # ended meanwhile, or somebody else's
        return False
    return instance in environment and not wanted.isdisjoint(environment)


def _kill(descriptor: int) -> None:
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reap(descriptor: int) -> str:
    """Say how the process behind a readable pidfd ended, and bury it if it is our child."""
    try:
        status = os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return "ended"
    if status is None:
        return "ended"
    if status.si_code == os.CLD_EXITED:
        return f"ended with exit code {status.si_status}"
    return f"was killed by signal {status.si_status} ({signal.Signals(status.si_status).name})"
