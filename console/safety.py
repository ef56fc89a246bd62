"""Whether an operator may act: they observe until they arm, and observe again after a while without activity.

What an act needs besides: gates.py. What the link and the state allow: legality.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable

ARM_S = 900.0


class Arming:
    """Off until armed; every sign of the operator starts the time anew, the end of it disarms.

    Args:
        arm_s: how long an arming lasts without activity.
        clock: monotonic, in seconds.
    """

    def __init__(self, arm_s: float = ARM_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._usual_s = arm_s
        self._lasts_s = arm_s
        self._clock = clock
        self._ends_at: float | None = None

    def arm(self, seconds: float | None = None) -> None:
        """Arm until there was no activity for so long; the usual time unless given."""
        self._lasts_s = self._usual_s if seconds is None else seconds
        self._ends_at = self._clock() + self._lasts_s

    def disarm(self) -> None:
        self._ends_at = None

    def touch(self) -> None:
        """Note that the operator did something; an arming that is over stays over."""
        if self.is_armed:
            self._ends_at = self._clock() + self._lasts_s

    @property
    def usual_s(self) -> float:
        """Seconds without activity that an arming lasts unless told otherwise."""
        return self._usual_s

    @property
    def remaining_s(self) -> float:
        """Seconds until it disarms by itself, 0 when only observing."""
        return 0.0 if self._ends_at is None else max(0.0, self._ends_at - self._clock())

    @property
    def is_armed(self) -> bool:
        return self.remaining_s > 0
