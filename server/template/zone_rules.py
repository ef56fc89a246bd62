"""Rules of a time zone beyond its list of transitions: ``CET-1CEST,M3.5.0,M10.5.0/3``, as a TZif file ends with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from server.template.days import date_of, day_number, days_in, is_leap, weekday_of


class Spell(NamedTuple):
    """What holds in a zone for a while."""

    offset_s: int
    """East of Greenwich."""
    is_dst: bool
    name: str


@dataclass(frozen=True, slots=True)
class _Change:
    """One change a year."""

    kind: str
    """M: a weekday of a month; J: a day without leap days; empty: a day from 0 on."""
    month: int
    week: int
    day: int
    time_s: int

    def second_of(self, year: int) -> int:
        """Return the second of the year, in the time that holds before the change."""
        if self.kind == "J":
            return (self.day - 1 + (is_leap(year) and self.day >= 60)) * 86_400 + self.time_s
        if not self.kind:
            return self.day * 86_400 + self.time_s
        first = day_number(year, self.month, 1)
        day = (self.day - weekday_of(first)) % 7 + 7 * (self.week - 1)
        while day >= days_in(self.month, year):
            day -= 7
        return (first - day_number(year, 1, 1) + day) * 86_400 + self.time_s


@dataclass(frozen=True, slots=True)
class YearlyRule:
    standard: Spell
    summer: Spell | None
    begins: _Change | None
    ends: _Change | None

    def at(self, unix_s: int) -> Spell:
        """Return what holds at a time."""
        if self.summer is None or self.begins is None or self.ends is None:
            return self.standard
        year, _, _ = date_of(unix_s // 86_400)
        second = unix_s - day_number(year, 1, 1) * 86_400
        start = self.begins.second_of(year) - self.standard.offset_s
        end = self.ends.second_of(year) - self.summer.offset_s
        if end < start:
            return self.standard if end <= second < start else self.summer
        return self.summer if start <= second < end else self.standard


_NAME = r"(?:<([^>]*)>|([^0-9,+<-][^0-9,+-]{2,}))"
_OFFSET = r"[+-]?\d{1,3}(?::\d{1,2}(?::\d{1,2})?)?"
_ZONE = re.compile(rf"{_NAME}({_OFFSET})(?:{_NAME}({_OFFSET})?(?:[,;]([^,]+),([^,]+))?)?")
_CHANGE = re.compile(rf"(?:M(\d{{1,2}})\.(\d)\.(\d)|(J?)(\d{{1,3}}))(?:/({_OFFSET}))?")


def read_rule(text: str) -> YearlyRule | None:
    """Return the rule that a text says, None if it says none."""
    match = _ZONE.fullmatch(text)
    if match is None:
        return None
    offset = -_seconds(match[3])
    standard = Spell(offset, False, match[1] or match[2])
    name = match[4] or match[5]
    if not name:
        return YearlyRule(standard, None, None, None)
    summer = Spell(-_seconds(match[6]) if match[6] else offset + 3600, True, name)
    begins, ends = _change(match[7] or "M3.2.0"), _change(match[8] or "M11.1.0")
    return YearlyRule(standard, summer, begins, ends) if begins and ends else None


def _change(text: str) -> _Change | None:
    match = _CHANGE.fullmatch(text)
    if match is None:
        return None
    time_s = _seconds(match[6]) if match[6] else 7200
    if match[1]:
        month, week, day = int(match[1]), int(match[2]), int(match[3])
        return _Change("M", month, week, day, time_s) if 1 <= month <= 12 and 1 <= week <= 5 and day <= 6 else None
    return _Change(match[4], 0, 0, int(match[5]), time_s)


def _seconds(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    hours, minutes, seconds = ([int(part) for part in text.lstrip("+-").split(":")] + [0, 0])[:3]
    return sign * (hours * 3600 + minutes * 60 + seconds)
