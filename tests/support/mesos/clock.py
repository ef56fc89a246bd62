"""The clock of the double: Mesos' seconds, which may pass faster than those on the wall, or only when told to."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Protocol


class Timer(Protocol):
    """Something that will happen unless it is cancelled."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Times and delays in Mesos' seconds."""

    def now(self) -> float: ...

    def later(self, delay_s: float, action: Callable[[], None]) -> Timer: ...

    def real_s(self, mesos_s: float) -> float:
        """Return how many seconds on the wall that takes, for all that is told to others."""


class LoopClock:
    """The clock of the event loop; ``pace`` Mesos seconds pass in one of its seconds."""

    def __init__(self, pace: float = 1.0) -> None:
        self._pace = pace

    def now(self) -> float:
        return asyncio.get_running_loop().time() * self._pace

    def later(self, delay_s: float, action: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(delay_s / self._pace, action)

    def real_s(self, mesos_s: float) -> float:
        return mesos_s / self._pace


class _Alarm:
    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self.action = None


class HandClock:
    """A clock that stands still until it is moved: what is due by then happens at once, in order."""

    def __init__(self, start_s: float = 0.0) -> None:
        self._now = start_s
        self._order = count()
        self._alarms: list[tuple[float, int, _Alarm]] = []

    def now(self) -> float:
        return self._now

    def later(self, delay_s: float, action: Callable[[], None]) -> Timer:
        alarm = _Alarm(action)
        heapq.heappush(self._alarms, (self._now + delay_s, next(self._order), alarm))
        return alarm

    def real_s(self, mesos_s: float) -> float:
        return mesos_s

    def move_to(self, time_s: float) -> None:
        """Let time pass until ``time_s``; it never goes back."""
        while self._alarms and self._alarms[0][0] <= time_s:
            due, _, alarm = heapq.heappop(self._alarms)
            self._now = max(self._now, due)
            if alarm.action is not None:
                alarm.action()
        self._now = max(self._now, time_s)


def duration_text(seconds: float) -> str:
    """Return a duration as Mesos prints it: in the largest unit of which it is a whole number."""
    nanoseconds = round(seconds * 1e9)
    units = {"weeks": 604_800, "days": 86_400, "hrs": 3_600, "mins": 60, "secs": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
    for unit, size_s in units.items():
        size_ns = round(size_s * 1e9)
        if nanoseconds and nanoseconds % size_ns == 0:
            return f"{nanoseconds // size_ns}{unit}"
    return "0ns"
