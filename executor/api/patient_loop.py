"""An event loop whose clock stands still while its process does not run, for both ends of a link.

A process that was stopped, or a machine that was paused, finds all deadlines passed when it goes on, before it has read the
answers that came in time. Here the others get the time that we did not have. Timestamps are no business of this clock.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable

PAUSE_S = 0.5
"""Work that lasts longer, and a wait that lasts so much longer than it should, was a pause; a loaded machine makes such too."""
GRACE_S = 1.0
"""What is due next gets so much more, since nobody knows where in the wait the pause began."""


class PatientLoop(asyncio.SelectorEventLoop):
    """The loop of a process that waits for others.

    Attributes:
        on_pause: called with the length of each pause in seconds, as soon as it is over.
    """

    def __init__(self) -> None:
        self._paused_s = 0.0
        self.on_pause: Callable[[float], object] | None = None
        super().__init__(_Selector(self._was_paused))

    def time(self) -> float:
        """Return monotonic seconds without those of pauses."""
        return time.monotonic() - self._paused_s

    def _was_paused(self, for_s: float) -> None:
        self._paused_s += for_s
        if self.on_pause is not None:
            self.on_pause(for_s)


def tell_pauses(tell: Callable[[float], object]) -> None:
    """Call ``tell`` on the running loop after each pause, before anything that became due meanwhile, if the loop is patient."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, PatientLoop):
        loop.on_pause = lambda for_s: loop.call_soon(tell, for_s)


class _Selector(selectors.DefaultSelector):
    """Notices waits that took too long."""

    def __init__(self, on_pause: Callable[[float], None]) -> None:
        super().__init__()
        self._on_pause = on_pause
        self._returned_s = time.monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        began_s = time.monotonic()
        busy_s = began_s - self._returned_s
        found = super().select(timeout)
        self._returned_s = time.monotonic()
        wanted_s = 0.0 if timeout is None else max(0.0, timeout)
        over_s = 0.0 if timeout is None else self._returned_s - began_s - wanted_s
        if over_s > PAUSE_S:
            self._on_pause(over_s + min(wanted_s, GRACE_S))
        if busy_s > PAUSE_S:  # stopped, or held up, in the midst of work: nothing could be read then either
            self._on_pause(busy_s)
        return found
