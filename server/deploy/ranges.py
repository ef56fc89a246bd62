"""Sets of port numbers as sorted, disjoint, inclusive ranges: pure arithmetic. Who hands ports out: ports.py."""

from __future__ import annotations

from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]
"""Inclusive, sorted, disjoint."""


def normalise(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the same numbers as sorted ranges that neither overlap nor touch; empty ones are dropped."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted((low, high) for low, high in ranges if low <= high):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def count(ranges: Ranges) -> int:
    """Return how many numbers there are."""
    return sum(high - low + 1 for low, high in ranges)


def subtract(ranges: Ranges, taken: Ranges) -> Ranges:
    """Return what is in ``ranges`` and not in ``taken``."""
    left: list[tuple[int, int]] = []
    for low, high in ranges:
        for begin, end in taken:
            if end < low or begin > high:
                continue
            if begin > low:
                left.append((low, begin - 1))
            low = end + 1
        if low <= high:
            left.append((low, high))
    return tuple(left)


def clip(ranges: Ranges, low: int, high: int) -> Ranges:
    """Return what lies between the two bounds, both included."""
    return tuple((max(low, a), min(high, b)) for a, b in ranges if a <= high and b >= low)


def missing(wanted: Ranges, offered: Ranges) -> Ranges:
    """Return what is wanted and not offered; empty means that everything wanted is there."""
    return subtract(wanted, offered)


def to_text(ranges: Ranges) -> str:
    """Return ``9000,9010-9020``."""
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


def contains(ranges: Ranges, number: int) -> bool:
    """Tell whether a number is in one of the ranges."""
    return any(low <= number <= high for low, high in ranges)
