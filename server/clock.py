"""What time it is, for all that the core writes down: Unix milliseconds that go on evenly when somebody sets the clock.

Durations are differences of such times. Deadlines need no such thing: they are those of the event loop.
"""

from __future__ import annotations

import time


class Clock:
    """Wall time at one moment, monotonic time since."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ms(self) -> int:
        """Return Unix milliseconds."""
        return (self._offset_ns + time.monotonic_ns()) // 1_000_000

    def follow(self) -> float:
        """Take over the time of the machine; return by how many seconds it was set since the last time."""
        before_ns, self._offset_ns = self._offset_ns, time.time_ns() - time.monotonic_ns()
        return (self._offset_ns - before_ns) / 1e9


_CLOCK = Clock()
now_ms = _CLOCK.now_ms
follow = _CLOCK.follow
