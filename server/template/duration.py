"""Durations as Go writes them: ``1h2m3.5s``, ``500ms``. A bare number is not one, except 0 (Go: time.ParseDuration)."""

from __future__ import annotations

import re

MAX_S = ((1 << 63) - 1) / 1e9
"""About 292 years: more nanoseconds than Go counts."""
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> float | None:
    """Return the duration in seconds, None if the text is not one."""
    sign, rest = (-1.0, text[1:]) if text[:1] == "-" else (1.0, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    total, at = 0.0, 0
    while match := _PART.match(rest, at):
        total += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    return sign * total if rest and at == len(rest) and total <= MAX_S else None
