"""A time laid out as Go's time package does: a layout is how 2006-01-02 15:04:05 would be written.

The other way, from text to time: layout_reading.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from server.template.days import MONTHS, WEEKDAYS, Clock
from server.template.errors import ExpressionError

RFC3339 = "2006-01-02T15:04:05Z07:00"
RFC3339_NANO = "2006-01-02T15:04:05.999999999Z07:00"

_PIECE = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|-07:00:00|-07:00|-070000|-0700|-07|Z07:00:00|Z07:00|Z070000|Z0700|Z07"
    r"|002|01|02|03|04|05|06|15|PM|pm|__2|_2(?!006)|[.,]0+(?![0-9])|[.,]9+(?![0-9])|[12345]"
)


MAX_LENGTH = 4000
"""Characters of a layout, and of a text that is read by one: an expression must not take the machine's time."""


def pieces(layout: str) -> tuple[tuple[str, str], ...]:
    """Return the pieces of a layout that stand for something, each after the text before it; the last is empty.

    Raises:
        ExpressionError: the layout is too long.
    """
    if len(layout) > MAX_LENGTH:
        raise ExpressionError(f"a layout of times has at most {MAX_LENGTH} characters, found {len(layout)}")
    return _split(layout)


@lru_cache(maxsize=1000)
def _split(layout: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    at = 0
    for match in _PIECE.finditer(layout):
        found.append((layout[at : match.start()], match[0]))
        at = match.end()
    return (*found, (layout[at:], ""))


def formatted(clock: Clock, layout: str) -> str:
    """Return a time in the layout."""
    return "".join(text + _shown(clock, piece) for text, piece in pieces(layout))


def padded(value: int, width: int) -> str:
    """Return a number with zeros in front, behind its sign."""
    return f"{'-' if value < 0 else ''}{abs(value):0{width}d}"


def _shown(clock: Clock, piece: str) -> str:
    if piece[:1] in (".", ","):
        digits = f"{clock.nanosecond:09d}"[: len(piece) - 1]
        shown = digits if piece[1] == "0" else digits.rstrip("0")
        return piece[0] + shown if shown else ""
    if piece[:1] == "Z" and not clock.offset_s:
        return "Z"
    if piece[:3] in ("-07", "Z07"):
        return _offset(clock.offset_s, piece[1:])
    return _PIECES[piece](clock)


def _offset(offset_s: int, form: str) -> str:
    minutes, second = divmod(abs(offset_s), 60)
    if -60 < offset_s < 0:
        second = offset_s  # Go decides by the minutes whether the whole is negative
    sizes = (minutes // 60, minutes % 60, second)
    count = len(form.replace(":", "")) // 2
    shown = (":" if ":" in form else "").join(padded(size, 2) for size in sizes[:count])
    return f"{'-' if offset_s <= -60 else '+'}{shown}"


def _hour(clock: Clock) -> int:
    return clock.hour % 12 or 12


_PIECES: Mapping[str, Callable[[Clock], str]] = {
    "": lambda c: "",
    "January": lambda c: MONTHS[c.month - 1],
    "Jan": lambda c: MONTHS[c.month - 1][:3],
    "1": lambda c: str(c.month),
    "01": lambda c: f"{c.month:02d}",
    "Monday": lambda c: WEEKDAYS[c.weekday],
    "Mon": lambda c: WEEKDAYS[c.weekday][:3],
    "2": lambda c: str(c.day),
    "_2": lambda c: f"{c.day:2d}",
    "02": lambda c: f"{c.day:02d}",
    "__2": lambda c: f"{c.year_day:3d}",
    "002": lambda c: f"{c.year_day:03d}",
    "15": lambda c: f"{c.hour:02d}",
    "3": lambda c: str(_hour(c)),
    "03": lambda c: f"{_hour(c):02d}",
    "4": lambda c: str(c.minute),
    "04": lambda c: f"{c.minute:02d}",
    "5": lambda c: str(c.second),
    "05": lambda c: f"{c.second:02d}",
    "2006": lambda c: padded(c.year, 4),
    "06": lambda c: f"{abs(c.year) % 100:02d}",
    "PM": lambda c: "PM" if c.hour >= 12 else "AM",
    "pm": lambda c: "pm" if c.hour >= 12 else "am",
    "MST": lambda c: c.zone_name or _offset(c.offset_s, "0700"),
}
