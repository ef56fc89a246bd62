"""Times and durations of expressions, as Go's time package has them, to the nanosecond (workflows-config.md 6.2).

How they are laid out and read: layouts.py, layout_reading.py. What expressions may call on them: methods.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from server.template.days import MONTHS, WEEKDAYS, Clock, date_of, day_number, weekday_of
from server.template.layouts import RFC3339_NANO, formatted
from server.template.sized import wrap
from server.template.zones import UTC, Zone, local_zone

SECOND = 1_000_000_000
"""Nanoseconds."""
_DAY_S = 86_400
_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1

YEAR_ONE_S = 62_135_596_800
"""Seconds from the year 1, from which on Go counts, to 1970."""
_ABSOLUTE_YEAR = -292_277_022_400
"""Go counts days from 1 March of this year, without a sign."""
_ABSOLUTE_DAY = day_number(_ABSOLUTE_YEAR, 3, 1)

_STARTED_NS = time.monotonic_ns()


def _saturated(value: int) -> int:
    return min(max(value, _LEAST), _GREATEST)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    number: int
    """From 1."""

    def __str__(self) -> str:
        return MONTHS[self.number - 1]

    def json_form(self) -> object:
        return self.number


@dataclass(frozen=True, slots=True, order=True)
class Weekday:
    number: int
    """Sunday is 0."""

    def __str__(self) -> str:
        return WEEKDAYS[self.number]

    def json_form(self) -> object:
        return self.number


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    number: int
    """Nanoseconds, in 64 bits with a sign."""

    def __str__(self) -> str:
        size = abs(self.number)
        sign = "-" if self.number < 0 else ""
        if size < SECOND:
            unit, divisor = ("ns", 1) if size < 1000 else ("µs", 1000) if size < 1_000_000 else ("ms", 1_000_000)
            return f"{sign}{_decimal(size, divisor)}{unit}" if size else "0s"
        minutes, rest = divmod(size, 60 * SECOND)
        hours, minutes_left = divmod(minutes, 60)
        shown = (f"{hours}h" if hours else "") + (f"{minutes_left}m" if minutes else "")
        return f"{sign}{shown}{_decimal(rest, SECOND)}s"

    def json_form(self) -> object:
        return self.number

    def in_units(self, unit_ns: int) -> float:
        """Return how many of a unit it is, with the last digits of Go."""
        whole = abs(self.number) // unit_ns
        rest = abs(self.number) % unit_ns
        size = float(whole) + float(rest) / float(unit_ns)
        return -size if self.number < 0 else size

    def absolute(self) -> Duration:
        return Duration(_saturated(abs(self.number)))

    def truncated(self, unit: Duration) -> Duration:
        return self if unit.number <= 0 else Duration(self.number - _remainder(self.number, unit.number))

    def rounded(self, unit: Duration) -> Duration:
        """Round to the nearest multiple, halves away from zero."""
        if unit.number <= 0:
            return self
        rest = abs(self.number) % unit.number
        size = abs(self.number) - rest + (0 if rest * 2 < unit.number else unit.number)
        return Duration(_saturated(-size if self.number < 0 else size))


def _remainder(value: int, divisor: int) -> int:
    """Return the remainder with the sign of the value, as Go has it."""
    rest = abs(value) % divisor
    return -rest if value < 0 else rest


def _decimal(value: int, divisor: int) -> str:
    whole, rest = divmod(value, divisor)
    fraction = f"{rest:0{len(str(divisor)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, seen from a zone. Equal are those that would be one key of a map: within one zone."""

    seconds: int
    """Since the year 1, in 64 bits with a sign."""
    nanosecond: int
    zone: Zone
    monotonic_ns: int | None = None
    """Since this process began, of a moment that was now."""

    def __lt__(self, other: Moment) -> bool:
        return self.order(other) < 0

    def __str__(self) -> str:
        text = formatted(self.clock, "2006-01-02 15:04:05.999999999 -0700 MST")
        if self.monotonic_ns is None:
            return text
        seconds, rest = divmod(abs(self.monotonic_ns), SECOND)
        return f"{text} m={'-' if self.monotonic_ns < 0 else '+'}{seconds}.{rest:09d}"

    def json_form(self) -> str:
        """Return the time as RFC 3339 has it.

        Raises:
            ValueError: its year or its offset has too many digits.
        """
        clock = self.clock
        if not 0 <= clock.year <= 9999:
            raise ValueError("year outside of range [0,9999]")
        if abs(clock.offset_s) >= _DAY_S:
            raise ValueError("timezone hour outside of range [0,23]")
        return formatted(clock, RFC3339_NANO)

    @classmethod
    def from_unix(cls, unix_s: int, nanosecond: int, zone: Zone) -> Moment:
        return cls(wrap(unix_s + YEAR_ONE_S), nanosecond, zone)

    @property
    def unix_s(self) -> int:
        return wrap(self.seconds - YEAR_ONE_S)

    @property
    def clock(self) -> Clock:
        spell = self.zone.at(self.unix_s)
        shift = YEAR_ONE_S + _ABSOLUTE_DAY * _DAY_S
        since_1970 = (self.seconds + spell.offset_s - shift) % (1 << 64) + _ABSOLUTE_DAY * _DAY_S
        number, second = divmod(since_1970, _DAY_S)
        year, month, day = date_of(number)
        year_day = number - day_number(year, 1, 1) + 1
        minute, second = divmod(second, 60)
        hour, minute = divmod(minute, 60)
        time_of_day = (hour, minute, second, self.nanosecond)
        return Clock(year, month, day, *time_of_day, year_day, weekday_of(number), spell.offset_s, spell.name)

    @property
    def iso_week(self) -> tuple[int, int]:
        clock = self.clock
        thursday = day_number(clock.year, clock.month, clock.day) + 3 - (clock.weekday - 1) % 7
        year, _, _ = date_of(thursday)
        return year, (thursday - day_number(year, 1, 1)) // 7 + 1

    def seen_from(self, zone: Zone) -> Moment:
        return Moment(self.seconds, self.nanosecond, zone)

    def plus(self, duration_ns: int) -> Moment:
        seconds, nanosecond = divmod(self.nanosecond + duration_ns, SECOND)
        monotonic_ns = None if self.monotonic_ns is None else self.monotonic_ns + duration_ns
        return Moment(wrap(self.seconds + seconds), nanosecond, self.zone, monotonic_ns)

    def minus(self, other: Moment) -> Duration:
        """Return how much later it is, at most what a duration can say."""
        if self.monotonic_ns is not None and other.monotonic_ns is not None:
            return Duration(_saturated(self.monotonic_ns - other.monotonic_ns))
        return Duration(_saturated((self.seconds - other.seconds) * SECOND + self.nanosecond - other.nanosecond))

    def order(self, other: Moment) -> int:
        """Return -1, 0 or 1: before, together with, after the other."""
        if self.monotonic_ns is not None and other.monotonic_ns is not None:
            mine, others = (self.monotonic_ns, 0), (other.monotonic_ns, 0)
        else:
            mine, others = (self.seconds, self.nanosecond), (other.seconds, other.nanosecond)
        return (mine > others) - (mine < others)

    def says_the_same(self, other: Moment) -> bool:
        """Tell whether the other shows the same in the same zone, though the zone was loaded apart."""
        return (
            (self.seconds, self.nanosecond, self.monotonic_ns) == (other.seconds, other.nanosecond, other.monotonic_ns)
            # Go forgets the zone of a time that is UTC: it equals no other zone, whatever that says.
            and (
                self.zone is other.zone or (UTC not in (self.zone, other.zone) and self.zone.says_the_same(other.zone))
            )
        )

    def truncated(self, unit: Duration) -> Moment:
        plain = self.seen_from(self.zone)
        return plain if unit.number <= 0 else plain.plus(-plain._beyond(unit))

    def rounded(self, unit: Duration) -> Moment:
        """Round to the nearest multiple since the year 1, halves up."""
        plain = self.seen_from(self.zone)
        if unit.number <= 0:
            return plain
        rest = plain._beyond(unit)
        return plain.plus(-rest if rest * 2 < unit.number else unit.number - rest)

    def _beyond(self, unit: Duration) -> int:
        return (self.seconds * SECOND + self.nanosecond) % unit.number

    def moved(self, years: int, months: int, days: int) -> Moment:
        """Return the time of another date: one of 30 February is one of March."""
        clock = self.clock
        date = (clock.year + years, clock.month + months, clock.day + days)
        return moment_of(date, (clock.hour, clock.minute, clock.second), self.nanosecond, self.zone)


def moment_of(date: tuple[int, int, int], time_of_day: tuple[int, int, int], nanosecond: int, zone: Zone) -> Moment:
    """Return the moment of what calendar and clock show in a zone; month, day and time may lie beyond their bounds.

    What the clock showed twice is the first or the second; what it never showed is before or after the gap: as Go decides.
    """
    year, month, day = date
    hour, minute, second = time_of_day
    carried, month = divmod(month - 1, 12)
    days = day_number(year + carried, month + 1, 1) + day - 1
    local_s = wrap(days * _DAY_S + hour * 3600 + minute * 60 + second)
    offset_s = zone.at(local_s).offset_s
    if offset_s:
        offset_s = zone.at(local_s - offset_s).offset_s
    return Moment.from_unix(local_s - offset_s, nanosecond, zone)


def now(zone: Zone | None = None) -> Moment:
    """Return the time: in the zone of this host with what a clock that is never set shows, or in another zone."""
    unix_s, nanosecond = divmod(time.time_ns(), SECOND)
    if zone is not None:
        return Moment.from_unix(unix_s, nanosecond, zone)
    return Moment(unix_s + YEAR_ONE_S, nanosecond, local_zone(), time.monotonic_ns() - _STARTED_NS)


ZERO = Moment(0, 0, UTC)
"""What stands for no time at all."""
