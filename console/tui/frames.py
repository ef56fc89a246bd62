"""When to paint: at once while the screen is idle, and under load once per frame with all that came since."""

from __future__ import annotations

import time
from collections.abc import Callable

from console.store import Key

FRAME_S = 1 / 60


class Frames:
    """Collects changes and hands them on.

    Args:
        paint: called with all changes since the last call.
        later: calls a function after so many seconds.
    """

    def __init__(self, paint: Callable[[set[Key]], None], later: Callable[[float, Callable[[], None]], object]) -> None:
        self._paint = paint
        self._later = later
        self._changed: set[Key] = set()
        self._is_waiting = False
        self._painted_at = 0.0

    def add(self, changed: set[Key]) -> None:
        """Take changes; paint them now, or with the next frame."""
        self._changed |= changed
        if self._is_waiting:
            return
        left_s = self._painted_at + FRAME_S - time.monotonic()
        if left_s <= 0:
            self._flush()
        else:
            self._is_waiting = True
            self._later(left_s, self._flush)

    def _flush(self) -> None:
        self._is_waiting = False
        changed, self._changed = self._changed, set()
        self._paint(changed)
        self._painted_at = time.monotonic()
