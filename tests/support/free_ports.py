"""Ports of this machine that nobody uses now, for agents that must say beforehand which they have."""

from __future__ import annotations

import random

from server.deploy.ports import CONTROL_PORTS, DATA_PORTS, is_free


def free_slices(count: int, *, data: int, control: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return so many pairs of ranges, one for channels and one for control ports, that do not overlap."""
    return list(zip(_slices(DATA_PORTS, count, data), _slices(CONTROL_PORTS, count, control), strict=True))


def _slices(bounds: tuple[int, int], count: int, size: int) -> list[tuple[int, int]]:
    low, high = bounds
    found: list[tuple[int, int]] = []
    starts = list(range(low, high - size + 1, size))
    random.shuffle(starts)
    for start in starts:
        if all(is_free(port) for port in range(start, start + size)):
            found.append((start, start + size - 1))
            if len(found) == count:
                return found
    raise AssertionError(f"there are no {count} times {size} free ports between {low} and {high}")
