"""Clears control groups away: kills what is in them, waits for its end, removes them. Whose they were: limits.py."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from executor import cgroups, pidfds

_LOG = logging.getLogger(__name__)
_CLOSE_S = 1.0
"""For what was killed at the end to be gone."""


class Clearance:
    """The groups of one executor that are to go. Used from one loop."""

    def __init__(self) -> None:
        self._waiting: dict[Path, list[int]] = {}
        """Groups that are not removed yet, with pidfds of the processes in them; none: to be tried again later."""

    def clear(self, path: Path) -> None:
        """Kill all that is in a group until it is empty, then remove it; never raises for what the kernel does."""
        try:
            waits = _kill(path)
        except OSError as error:
            _LOG.warning("group=%s is not cleared yet error=%r", path, error.strerror)
            self._waiting[path] = []
            return
        if waits:
            self._waiting[path] = waits
            asyncio.get_running_loop().add_reader(waits[0], self._one_gone, path, waits)
        elif cgroups.remove(path):
            self._waiting.pop(path, None)
        else:
            self._waiting[path] = []  # it has ended, but the kernel is not done with it

    def try_again(self) -> None:
        """Clear what could not be removed earlier."""
        for path in [path for path, waits in self._waiting.items() if not waits]:
            self.clear(path)

    def close(self) -> None:
        """Remove all that is left; blocks until then, for a second at most."""
        until_s = time.monotonic() + _CLOSE_S
        for path, waits in list(self._waiting.items()):
            self._forget(path, waits)
            try:
                while (waits := _kill(path)) and time.monotonic() < until_s:
                    pidfds.wait(waits, until_s - time.monotonic())
                    pidfds.close(waits)
                pidfds.close(waits)
            except OSError as error:
                _LOG.warning("group=%s is left error=%r", path, error.strerror)
            cgroups.remove(path)

    def _one_gone(self, path: Path, waits: list[int]) -> None:
        self._forget(path, waits)
        self.clear(path)

    def _forget(self, path: Path, waits: list[int]) -> None:
        if waits:
            asyncio.get_running_loop().remove_reader(waits[0])
        pidfds.close(waits)
        self._waiting.pop(path, None)


def _kill(path: Path) -> list[int]:
    return pidfds.kill(lambda: cgroups.pids_in(path))
