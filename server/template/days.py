"""Days of the Gregorian calendar, for years of any size: Go's times go beyond those of Python's datetime."""

from __future__ import annotations

from typing import NamedTuple

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

_CYCLE = 146_097
"""Days of 400 years."""
_SHIFT = 719_468
"""Days from 1 March of year 0 to 1 January 1970."""


class Clock(NamedTuple):
    """What calendar and clock of a zone show."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    nanosecond: int
    year_day: int
    """From 1."""
    weekday: int
    """Sunday is 0."""
    offset_s: int
    """East of Greenwich."""
    zone_name: str


def day_number(year: int, month: int, day: int) -> int:
    """Return the days since 1 January 1970; the day may lie outside of its month."""
    year -= month <= 2
    cycle, of_cycle = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return cycle * _CYCLE + of_cycle * 365 + of_cycle // 4 - of_cycle // 100 + of_year - _SHIFT


def date_of(number: int) -> tuple[int, int, int]:
    """Return year, month and day of a number of days since 1 January 1970."""
    cycle, of_cycle = divmod(number + _SHIFT, _CYCLE)
    year = (of_cycle - of_cycle // 1460 + of_cycle // 36_524 - of_cycle // 146_096) // 365
    of_year = of_cycle - (365 * year + year // 4 - year // 100)
    index = (5 * of_year + 2) // 153
    month = index + 3 if index < 10 else index - 9
    return cycle * 400 + year + (month <= 2), month, of_year - (153 * index + 2) // 5 + 1


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in(month: int, year: int) -> int:
    return 29 if month == 2 and is_leap(year) else 30 if month in (4, 6, 9, 11) else 28 if month == 2 else 31


def weekday_of(number: int) -> int:
    """Return the day of the week, Sunday as 0, of a number of days since 1 January 1970."""
    return (number + 4) % 7
