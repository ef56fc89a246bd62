"""A text read as a time by a layout, as Go's time.Parse does; what layouts are: layouts.py."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from server.template.days import MONTHS, WEEKDAYS, days_in, is_leap
from server.template.errors import ExpressionError
from server.template.layouts import MAX_LENGTH, pieces
from server.template.moments import Moment, moment_of
from server.template.zones import UTC, Zone, fixed_zone


def read_moment(text: str, layout: str, default: Zone, local: Zone) -> Moment:
    """Return the time that a text says.

    Args:
        default: where the clock shows it if the text does not say.
        local: the zone taken if it has the offset or abbreviation of the text; any other is one with nothing but these.

    Raises:
        ExpressionError: the text does not fit the layout, or no clock ever shows it.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"a time has at most {MAX_LENGTH} characters, found {len(text)}")
    reader = _Reader(text, layout)
    parts = pieces(layout)
    for number, (before, piece) in enumerate(parts):
        reader.skip(before)
        if piece:
            reader.read(piece, parts[number + 1][1])
    if reader.rest:
        raise reader.error(f"unexpected {reader.rest!r} at the end")
    return _put_together(reader, default, local)


@dataclass(slots=True)
class _Values:
    year: int = 0
    month: int | None = None
    day: int | None = None
    year_day: int | None = None
    hour: int = 0
    minute: int = 0
    second: int = 0
    nanosecond: int = 0
    halves: frozenset[str] = frozenset()
    """AM, PM: a layout may name both."""
    is_utc: bool = False
    offset_s: int | None = None
    zone_name: str = ""


_OFFSETS = {
    form: re.compile("([+-])" + pattern)
    for form, pattern in {
        "07": "(..)",
        "0700": "(..)(..)",
        "07:00": "(..):(..)",
        "070000": "(..)(..)(..)",
        "07:00:00": "(..):(..):(..)",
    }.items()
}
_ZONE_NAME = re.compile(
    r"ChST|MeST|GMT(?:[+-]0*(?:2[0-3]|1?[0-9])(?![0-9]))?|[+-]0*(?:2[0-3]|1?[0-9])(?![0-9])"
    r"|(?:[A-Z]{4}T|[A-Z]{3}T|WITA)(?![A-Z])|[A-Z]{3}(?![A-Z])",
    re.ASCII | re.DOTALL,
)
_SHORTEST_ZONE = 3
_YEAR_PIVOT = 69
_SIZES = {"hour": 24, "minute": 60, "second": 60}
_NUMBERS = {
    "1": "month", "01": "month", "2": "day", "_2": "day", "02": "day", "15": "hour", "3": "hour", "03": "hour",
    "4": "minute", "04": "minute", "5": "second", "05": "second",
}  # fmt: skip


@dataclass(slots=True)
class _Reader:
    text: str
    layout: str
    rest: str = ""
    values: _Values = field(default_factory=_Values)

    def __post_init__(self) -> None:
        self.rest = self.text

    def error(self, reason: str) -> ExpressionError:
        return ExpressionError(f"cannot read {self.text!r} as a time laid out as {self.layout!r}: {reason}")

    def skip(self, expected: str) -> None:
        """Pass the text between two pieces; a run of spaces stands for any, also for none at the end."""
        at = 0
        while at < len(expected):
            if expected[at] == " ":
                if self.rest and self.rest[0] != " ":
                    raise self.error(f"expected a space before {self.rest!r}")
                at += len(expected[at:]) - len(expected[at:].lstrip(" "))
                self.rest = self.rest.lstrip(" ")
                continue
            if self.rest[:1] != expected[at]:
                raise self.error(f"expected {expected[at:]!r} before {self.rest!r}")
            at += 1
            self.rest = self.rest[1:]

    def read(self, piece: str, following: str) -> None:
        """Take what a piece stands for; ``following`` is the next one."""
        values = self.values
        if piece in _NUMBERS:
            self._read_number(piece, following)
        elif piece == "2006":
            values.year = int(self._take(r"[0-9]{4}", piece))
        elif piece == "06":
            year = int(self._take(r"[0-9]{2}|[+-][0-9]", piece))
            values.year = year + (1900 if year >= _YEAR_PIVOT else 2000)
        elif piece in ("Jan", "January"):
            values.month = self._one_of([name[: 3 if piece == "Jan" else None] for name in MONTHS], piece) + 1
        elif piece in ("Mon", "Monday"):
            self._one_of([name[: 3 if piece == "Mon" else None] for name in WEEKDAYS], piece)
        elif piece in ("002", "__2"):
            if piece == "__2":
                self._take(" {0,2}", piece)
            values.year_day = int(self._take("[0-9]{3}" if piece == "002" else "[0-9]{1,3}", piece))
        elif piece in ("PM", "pm"):
            shown = self._take("[AP]M" if piece == "PM" else "[ap]m", piece)
            values.halves |= {shown.upper()}
        elif piece[0] in ".,":
            self._read_fraction(piece)
        elif piece == "MST":
            self._read_zone_name()
        elif piece[0] == "Z" and self.rest.startswith("Z"):
            self.rest = self.rest[1:]
            values.is_utc = True
        else:
            self._read_offset(piece)

    def _take(self, pattern: str, piece: str) -> str:
        match = re.compile(pattern, re.ASCII).match(self.rest)
        if match is None:
            raise self.error(f"expected something like {piece!r}, found {self.rest!r}")
        self.rest = self.rest[match.end() :]
        return match[0]

    def _one_of(self, names: list[str], piece: str) -> int:
        for number, name in enumerate(names):
            start = self.rest[: len(name)]
            if start.isascii() and start.lower() == name.lower():
                self.rest = self.rest[len(name) :]
                return number
        raise self.error(f"expected a name like {piece!r}, found {self.rest!r}")

    def _read_number(self, piece: str, following: str) -> None:
        name = _NUMBERS[piece]
        if piece == "_2" and self.rest.startswith(" "):
            self.rest = self.rest[1:]
        fixed = len(piece) == 2 and piece[0] == "0"
        value = int(self._take("[0-9]{2}" if fixed else "[0-9]{1,2}", piece))
        if name == "month" and not 1 <= value <= 12:
            raise self.error("month out of range")
        if name in _SIZES and value >= (13 if piece in ("3", "03") else _SIZES[name]):
            raise self.error(f"{name} out of range")
        setattr(self.values, name, value)
        if name == "second" and re.match(r"[.,][0-9]", self.rest) and following[:1] not in (".", ","):
            self._read_fraction(".9")  # a fraction that the layout does not mention

    def _read_fraction(self, piece: str) -> None:
        if piece[1] == "9":
            if not re.match(r"[.,][0-9]", self.rest):
                return
            digits = self._take(r"[.,][0-9]+", piece)[1:]
        else:
            count = len(piece) - 1
            digits = self._take(rf"[.,](?:[0-9]{{{count}}}|\+[0-9]{{{count - 1}}}|-0{{{count - 1}}})", piece)[1:]
        digits = digits[:9]
        self.values.nanosecond = int(digits.lstrip("+-") or "0") * 10 ** (9 - len(digits))

    def _read_zone_name(self) -> None:
        if self.rest.startswith("UTC"):
            self.rest = self.rest[3:]
            self.values.is_utc = True
            return
        match = _ZONE_NAME.match(self.rest)
        if match is None or len(self.rest) < _SHORTEST_ZONE:
            raise self.error(f"expected a time zone like 'CET', found {self.rest!r}")
        self.rest = self.rest[match.end() :]
        self.values.zone_name = match[0]

    def _read_offset(self, piece: str) -> None:
        match = _OFFSETS[piece[1:]].match(self.rest)
        sizes = match.groups()[1:] if match else ()
        if match is None or not all(size.isascii() and size.isdigit() for size in sizes):
            raise self.error(f"expected an offset like {piece!r}, found {self.rest!r}")
        hours, minutes, seconds = ([int(size) for size in sizes] + [0, 0])[:3]
        if hours > 24 or minutes > 60 or seconds > 60:
            raise self.error("time zone offset out of range")
        self.rest = self.rest[match.end() :]
        offset_s = (hours * 60 + minutes) * 60 + seconds
        self.values.offset_s = -offset_s if match[1] == "-" else offset_s


def _date(reader: _Reader) -> tuple[int, int, int]:
    values = reader.values
    month, day, left = values.month, values.day, values.year_day
    if left is not None:
        if not 1 <= left <= 365 + is_leap(values.year):
            raise reader.error("day of the year out of range")
        found = 1
        while left > days_in(found, values.year):
            left -= days_in(found, values.year)
            found += 1
        if month not in (None, found) or day not in (None, left):
            raise reader.error("the day of the year is another one than that of the month")
        month, day = found, left
    month, day = 1 if month is None else month, 1 if day is None else day
    if not 1 <= day <= days_in(month, values.year):
        raise reader.error("day out of range")
    return values.year, month, day


def _put_together(reader: _Reader, default: Zone, local: Zone) -> Moment:
    values = reader.values
    hour = values.hour
    if "PM" in values.halves and hour < 12:
        hour += 12
    elif "AM" in values.halves and hour == 12:
        hour = 0
    date, time = _date(reader), (hour, values.minute, values.second)
    if values.is_utc:
        return moment_of(date, time, values.nanosecond, UTC)
    name, offset_s = values.zone_name, values.offset_s
    shown = moment_of(date, time, values.nanosecond, UTC)
    if offset_s is not None and offset_s != -1:  # Go's mark for none
        found = Moment.from_unix(shown.unix_s - offset_s, values.nanosecond, UTC)
        spell = local.at(found.unix_s)
        fits = spell.offset_s == offset_s and name in ("", spell.name)
        return found.seen_from(local if fits else fixed_zone(name, offset_s))
    if name:
        known = local.named(name, shown.unix_s)
        if known is not None:
            return Moment.from_unix(shown.unix_s - known, values.nanosecond, local)
        return shown.seen_from(fixed_zone(name, int(name[3:] or 0) * 3600 if name.startswith("GMT") else 0))
    return moment_of(date, time, values.nanosecond, default)
