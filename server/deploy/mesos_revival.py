"""How often a master is asked to offer everything: a few times at once, then at intervals, however many ask for it.

Each such call makes the master allocate anew for us; a deployment on hundreds of hosts asks hundreds of times
(occ-executor-mesos.md 4.2, mesosReviveBurst and mesosReviveWait).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Revival:
    """Passes on what is asked for, later where it was asked for too often; what is asked meanwhile is one call.

    Args:
        revive: makes the call.
        burst: so many calls may be made at once, at least 1.
        wait_s: until one more may be made; 0: nothing is held back.
    """

    def __init__(self, revive: Callable[[], object], *, burst: int, wait_s: float) -> None:
        self._revive = revive
        self._burst = max(1, burst)
        self._wait_s = wait_s
        self._left = float(self._burst)
        self._counted_s = 0.0
        self._later: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        """Make the call, now or as soon as it may be made."""
        if self._later is not None:
            return
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        if self._wait_s > 0:
            self._left = min(self._burst, self._left + (now_s - self._counted_s) / self._wait_s)
            self._counted_s = now_s
            if self._left < 1:
                self._later = loop.call_later((1 - self._left) * self._wait_s, self._ask_again)
                return
            self._left -= 1
        self._revive()

    def close(self) -> None:
        if self._later is not None:
            self._later.cancel()

    def _ask_again(self) -> None:
        self._later = None
        self._left = 0.0
        self._counted_s = asyncio.get_running_loop().time()
        self._revive()
