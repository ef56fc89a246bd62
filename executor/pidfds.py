"""Processes by descriptors, since their numbers get new owners: signalled, and waited for until a deadline."""

from __future__ import annotations

import errno
import logging
import os
import select
import signal as signals
import time
from collections.abc import Callable, Collection, Iterable

_LOG = logging.getLogger(__name__)


def send(pid: int, signal: int, is_meant: Callable[[], bool]) -> bool:
    """Send a signal; False if that cannot be, or the process is another one than meant.

    Args:
        is_meant: says so of the process that has the number now.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        _LOG.debug("pid=%d error=%r", pid, error.strerror)
        return False
    try:
        if not is_meant():
            return False
        signals.pidfd_send_signal(pidfd, signal)
    except OSError as error:
        level = logging.DEBUG if error.errno == errno.ESRCH else logging.WARNING
        _LOG.log(level, "pid=%d signal=%d error=%r", pid, signal, error.strerror)
        return False
    finally:
        os.close(pidfd)
    return True


def kill(members: Callable[[], Iterable[int]]) -> list[int]:
    """Send SIGKILL to all processes of a set; return a pidfd of each, to wait for its end.

    Args:
        members: their numbers at this moment.
    """
    found: dict[int, int] = {}
    try:
        for pid in members():
            try:
                found[pid] = os.pidfd_open(pid)
            except ProcessLookupError:
                continue  # ended meanwhile
            except OSError as error:
                _LOG.warning("pid=%d is killed by its number error=%r", pid, error.strerror)
                _kill_by_number(pid)
        for pid in set(members()) & found.keys():  # whose number has no new owner
            _kill(found[pid], pid)
    except BaseException:
        close(found.values())
        raise
    return list(found.values())


def _kill(pidfd: int, pid: int) -> None:
    try:
        signals.pidfd_send_signal(pidfd, signals.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:
        _LOG.warning("pid=%d may not be killed", pid)


def _kill_by_number(pid: int) -> None:
    try:
        os.kill(pid, signals.SIGKILL)
    except (ProcessLookupError, PermissionError) as error:
        _LOG.debug("pid=%d error=%r", pid, error.strerror)


def wait(pidfds: Collection[int], timeout_s: float) -> set[int]:
    """Block until all these processes have ended; return those that have not in time."""
    left = set(pidfds)
    until_s = time.monotonic() + timeout_s
    poll = select.poll()
    for pidfd in left:
        poll.register(pidfd, select.POLLIN)
    while left and (ended := poll.poll(max(0.0, until_s - time.monotonic()) * 1000)):
        for pidfd, _ in ended:
            poll.unregister(pidfd)
            left.discard(pidfd)
    return left


def close(pidfds: Iterable[int]) -> None:
    for pidfd in pidfds:
        os.close(pidfd)
