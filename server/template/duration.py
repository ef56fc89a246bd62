"""Durations as Go writes them: ``1h2m3.5s``, ``500ms``. A bare number is not one, except 0 (Go: time.ParseDuration)."""

from __future__ import annotations

import re

_MOST = 1 << 63
"""Nanoseconds, about 292 years: more is none; with a plus, one less."""
_UNITS = {
    "ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}  # fmt: skip
_PART = re.compile(r"(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)(?=[0-9.]|\Z)")
_DIGITS = 18
"""Of a fraction, that are always read: of more only as many as 63 bits hold."""
_DIGITS_OF_WHOLE = 19


def parse_duration(text: str) -> float | None:
    """Return the duration in seconds, None if the text is not one."""
    nanoseconds = parse_nanoseconds(text)
    return None if nanoseconds is None else nanoseconds / 1e9


def parse_nanoseconds(text: str) -> int | None:
    """Return the duration in nanoseconds, None if the text is not one."""
    is_negative, rest = text[:1] == "-", text[text[:1] in ("+", "-") :]
    if rest == "0":
        return 0
    total, at = 0, 0
    while match := _PART.match(rest, at):
        whole = match[1].lstrip("0")
        if len(whole) > _DIGITS_OF_WHOLE:
            return None
        total += int(whole or "0") * _UNITS[match[3]] + _fraction(match[2] or "", _UNITS[match[3]])
        if total > _MOST:
            return None
        at = match.end()
    if not rest or at < len(rest) or total > _MOST - (not is_negative):
        return None
    return -total if is_negative else total


def _fraction(digits: str, unit: int) -> int:
    """Return the nanoseconds of the digits behind a point, counted by floats as Go does."""
    count = _DIGITS
    while count < len(digits) and int(digits[: count + 1]) <= _MOST and int(digits[:count]) <= (_MOST - 1) // 10:
        count += 1
    read = digits[:count]
    return int(float(int(read)) * (float(unit) / float(10 ** len(read)))) if read else 0
