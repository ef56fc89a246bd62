"""A time laid out as Go's time package does: a layout is how 2006-01-02 15:04:05 would be written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

_PIECE = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|-07:00:00|-07:00|-070000|-0700|-07|Z07:00:00|Z07:00|Z070000|Z0700|Z07"
    r"|002|01|02|03|04|05|06|15|PM|pm|__2|_2006|_2|[.,]0+(?![0-9])|[.,]9+(?![0-9])|[12345]"
)


def formatted(time: datetime, layout: str) -> str:
    """Return the time in the layout."""
    return _PIECE.sub(lambda match: _piece(time, match[0]), layout)


def _piece(time: datetime, piece: str) -> str:
    if piece[0] in ".,":
        digits = f"{time.microsecond:06d}".ljust(9, "0")
        shown = digits[: len(piece) - 1]
        shown = shown if piece[1] == "0" else shown.rstrip("0")
        return piece[0] + shown if shown else ""
    if piece[0] == "Z" and not time.utcoffset():
        return "Z"
    if piece[:3] in ("-07", "Z07"):
        return _offset(time, piece[1:])
    return _PIECES[piece](time)


def _offset(time: datetime, form: str) -> str:
    offset = time.utcoffset()
    seconds = int(offset.total_seconds()) if offset else 0
    sign, seconds = "-" if seconds < 0 else "+", abs(seconds)
    shown = form.replace("07", f"{seconds // 3600:02d}")
    parts = (f"{seconds // 60 % 60:02d}", f"{seconds % 60:02d}")
    for part in parts:
        shown = shown.replace("00", part, 1) if "00" in form else shown
    return sign + shown


def _hour(time: datetime) -> int:
    return time.hour % 12 or 12


_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PIECES: Mapping[str, Callable[[datetime], str]] = {
    "January": lambda t: _MONTHS[t.month - 1],
    "Jan": lambda t: _MONTHS[t.month - 1][:3],
    "1": lambda t: str(t.month),
    "01": lambda t: f"{t.month:02d}",
    "Monday": lambda t: _DAYS[t.weekday()],
    "Mon": lambda t: _DAYS[t.weekday()][:3],
    "2": lambda t: str(t.day),
    "_2": lambda t: f"{t.day:2d}",
    "02": lambda t: f"{t.day:02d}",
    "__2": lambda t: f"{t.timetuple().tm_yday:3d}",
    "002": lambda t: f"{t.timetuple().tm_yday:03d}",
    "_2006": lambda t: f"_{t.year:04d}",
    "15": lambda t: f"{t.hour:02d}",
    "3": lambda t: str(_hour(t)),
    "03": lambda t: f"{_hour(t):02d}",
    "4": lambda t: str(t.minute),
    "04": lambda t: f"{t.minute:02d}",
    "5": lambda t: str(t.second),
    "05": lambda t: f"{t.second:02d}",
    "2006": lambda t: f"{t.year:04d}",
    "06": lambda t: f"{t.year % 100:02d}",
    "PM": lambda t: "PM" if t.hour >= 12 else "AM",
    "pm": lambda t: "pm" if t.hour >= 12 else "am",
    "MST": lambda t: t.tzname() or "",
}
