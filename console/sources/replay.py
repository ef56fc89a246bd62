"""Batches from a recording, at the pace that somebody chooses. Nothing can be asked of a core here, and nothing changed.

The file itself: console/recording.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import time
from argparse import ArgumentTypeError
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol

from console.parse import duration
from console.recording import Mark, Moment, Rates, Recording
from console.recording_lines import Header
from console.sources.source import Source
from server.api.client import Client, Deadlines
from server.api.errors import ConfigError, RefusedError
from server.api.model import Batch, Part

SLOWEST, FASTEST = 0.1, 60.0
AS_FAST_AS_POSSIBLE = 0.0
READ_AHEAD = 100
"""Moments."""
REFUSAL = "this is a recording: nothing can be asked of or changed in a core"
JUST_PASSED_S = 1.0
"""Going back to the mark before passes over one that was reached so short ago."""
DAY_S = 86_400.0
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?")
IDLE_S = 3600.0
"""Longest wait for somebody to do something."""


class Clock(Protocol):
    """Tells the time and waits."""

    def time(self) -> float:
        """Return seconds that only rise."""
        ...

    async def wait(self, event: asyncio.Event, timeout_s: float) -> None:
        """Return when the event is set or the time is over."""
        ...


class WallClock:
    """The clock of this machine."""

    def time(self) -> float:
        return time.monotonic()

    async def wait(self, event: asyncio.Event, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), timeout_s)


class ReplaySource(Source):
    """Plays a recording, which it owns. Positions are seconds since its start.

    Args:
        speed: times real time, 0.1 to 60; 0: as fast as possible.
        at_s: where to begin.

    Attributes:
        on_jump: called before a batch that does not follow from what was shown before, with the rates to remember.
        is_jumping: more batches follow at once, until the picture is that of the place jumped to.
    """

    is_advisory = False

    def __init__(
        self, recording: Recording, *, speed: float = 1.0, at_s: float = 0.0, clock: Clock | None = None
    ) -> None:
        self.recording = recording
        self.name = recording.path.name
        self.on_jump: Callable[[Rates | None], None] = lambda rates: None
        self.is_jumping = False
        self._clock = clock or WallClock()
        self._speed = _allowed(speed)
        self._is_paused = False
        self._turned = asyncio.Event()
        """Somebody did something."""
        self._is_ended = False
        self._shown_s = 0.0
        """When the last batch came that was given away."""
        self._last = Batch("", 0, Part.NONE, ())
        self._base_s = self._within(at_s)
        """Position at the time that follows."""
        self._base_at = self._clock.time()
        self._goal: float | None = self._base_s
        """Where to jump to next."""

    def close(self) -> None:
        self.recording.close()

    # ---- where it is -------------------------------------------------------------------------

    def now(self) -> float:
        """Return the recorded time."""
        return self.recording.header.started_s + self.position_s

    @property
    def position_s(self) -> float:
        if self._is_paused or self._speed == AS_FAST_AS_POSSIBLE:
            return self._base_s
        return self._within(self._base_s + (self._clock.time() - self._base_at) * self._speed)

    @property
    def duration_s(self) -> float:
        return self.recording.duration_s

    @property
    def marks(self) -> list[Mark]:
        return self.recording.marks

    @property
    def speed(self) -> float:
        return self._speed

    @property
    def is_paused(self) -> bool:
        return self._is_paused

    @property
    def at_end(self) -> bool:
        """All has been shown."""
        return self._is_ended

    # ---- what somebody does ------------------------------------------------------------------

    def pause(self) -> None:
        self._turn(is_paused=True)

    def resume(self) -> None:
        self._turn(is_paused=False)

    def set_speed(self, speed: float) -> None:
        """Play at this speed, at the nearest one that is allowed."""
        self._turn(speed=_allowed(speed))

    def seek(self, position_s: float) -> None:
        """Go to a position, at most to either end."""
        goal = self._within(position_s)
        place = self.recording.place
        follows = self._goal is None and goal >= self._shown_s and place(goal) == place(self._shown_s)
        if not follows:
            self._goal = goal
        self._is_ended = False
        self._turn(to_s=goal)

    def next_mark(self) -> Mark | None:
        """Go to the next mark and return it, None if there is none."""
        at = bisect_right(self.marks, self.position_s, key=lambda it: it.t)
        return self._go_to(at)

    def previous_mark(self) -> Mark | None:
        """Go to the mark before and return it, None if there is none."""
        at = bisect_left(self.marks, self.position_s - JUST_PASSED_S * max(self._speed, 1.0), key=lambda it: it.t)
        return self._go_to(at - 1)

    def _go_to(self, at: int) -> Mark | None:
        if not 0 <= at < len(self.marks):
            return None
        self.seek(self.marks[at].t)
        return self.marks[at]

    def _turn(self, *, to_s: float | None = None, is_paused: bool | None = None, speed: float | None = None) -> None:
        self._base_s, self._base_at = self.position_s if to_s is None else to_s, self._clock.time()
        self._is_paused = self._is_paused if is_paused is None else is_paused
        self._speed = self._speed if speed is None else speed
        self._turned.set()

    def _within(self, position_s: float) -> float:
        return min(max(position_s, min(self.recording.time(0), self.duration_s)), self.duration_s)

    # ---- the batches -------------------------------------------------------------------------

    async def batches(self, epoch: str, since: int) -> AsyncIterator[Batch]:
        """Yield what was recorded, without end: after the last batch it waits for somebody to go back.

        What a jump brings comes in one go, without a pause between. A batch without changes tells of the end.

        Raises:
            ConfigError: a line of the file does not hold what it should.
        """
        coming: deque[Moment] = deque()
        index = 0
        if self._goal is None:
            self._goal = self._base_s
        while True:
            self._turned.clear()
            if self._goal is not None:
                goal = self._goal
                moments, index = await asyncio.to_thread(self._read_to, goal)
                if self._goal != goal:
                    continue
                self._goal = None
                self._turn(to_s=goal)
                coming = deque(moments)
                while coming and coming[0].t <= goal:
                    moment = coming.popleft()
                    self.is_jumping = bool(coming) and coming[0].t <= goal
                    yield self._give(moment)
                continue
            if not coming:
                moments, index = await asyncio.to_thread(self.recording.read, index, READ_AHEAD)
                coming.extend(moments)
                if self._goal is not None:
                    continue
            wait_s = self._wait_s(coming[0].t if coming else self.duration_s)
            if wait_s > 0:
                await self._clock.wait(self._turned, wait_s)
            elif coming:
                yield self._give(coming.popleft())
            else:
                self._base_s = self.duration_s
                self._is_ended = True
                yield replace(self._last, part=Part.NONE, changes=())  # who waits for the end looks up
                await self._clock.wait(self._turned, IDLE_S)

    def _read_to(self, goal: float) -> tuple[list[Moment], int]:
        """Return what leads from the picture before to the goal, perhaps some more, and the index to go on from."""
        moments, index = self.recording.read(self.recording.place(goal), READ_AHEAD, is_afresh=True)
        while self.recording.time(index) <= goal:
            more, index = self.recording.read(index, READ_AHEAD)
            moments += more
        return moments, index

    def _give(self, moment: Moment) -> Batch:
        self._shown_s, self._last = moment.t, moment.batch
        if self._speed == AS_FAST_AS_POSSIBLE and not self._is_paused:
            self._base_s = max(self._base_s, moment.t)
        if moment.is_jump:
            self.on_jump(moment.rates)
        return moment.batch

    def _wait_s(self, due_s: float) -> float:
        """Return how long to wait for a position; not at all for one that was passed."""
        left_s = due_s - self.position_s
        if left_s <= 0:
            return 0.0
        if self._is_paused:
            return IDLE_S
        return 0.0 if self._speed == AS_FAST_AS_POSSIBLE else left_s / self._speed


def speed_of(text: str) -> float:
    """Return the speed that somebody wrote; ConfigError if it is none."""
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if speed != AS_FAST_AS_POSSIBLE and not SLOWEST <= speed <= FASTEST:
        raise ConfigError(
            f"speed {text!r}", hint=f"{SLOWEST:g} to {FASTEST:g} times real time, or 0: as fast as possible"
        )
    return speed


def position_of(text: str, started_s: float) -> float:
    """Return seconds from the start for "90s", "1m30s", or a time of day as the screen shows it, "21:02" or "21:02:05.5".

    Raises:
        ConfigError: it is none of these.
    """
    if match := _TIME_OF_DAY.fullmatch(text):
        start = datetime.fromtimestamp(started_s)
        hours, minutes, seconds = int(match[1]), int(match[2]), float(match[3] or 0)
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        after_s = (midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds) - start).total_seconds()
        return max(0.0, after_s + DAY_S if after_s < -DAY_S / 2 else after_s)
    try:
        return duration(text)
    except ArgumentTypeError:
        raise ConfigError(f"place {text!r}", hint="90s, 1m30s, or the time of day 21:02:05") from None


def _allowed(speed: float) -> float:
    return AS_FAST_AS_POSSIBLE if speed == AS_FAST_AS_POSSIBLE else min(max(speed, SLOWEST), FASTEST)


class RecordedClient(Client):
    """A client by type that has no channel: whatever is asked of it, it refuses.

    Args:
        header: of the recording; names the core that it was.
    """

    def __init__(self, header: Header) -> None:  # on purpose without the parent's, which makes a channel
        self.endpoint = header.endpoint
        self.deadlines = Deadlines()
        self.user = header.user
        self.read_only = True

    async def ready(self, *, patient: bool = False) -> None:
        _refuse()

    async def close(self) -> None:
        """There is nothing to close."""

    async def _call(self, method: str, request: Any, deadline_s: float | None = None) -> Any:
        _refuse()

    async def raw(self, method: str, request: Any) -> bytes:
        _refuse()


def _refuse() -> NoReturn:
    raise RefusedError(REFUSAL)
