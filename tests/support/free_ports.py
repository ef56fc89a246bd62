"""Ports of this machine that nobody uses now. Each worker of a test run has a part of each range to itself: a port that one has
found free, and whose user is still starting, is not found free by another.
"""

from __future__ import annotations

import os
import random
from itertools import count

from server.deploy.ports import CONTROL_PORTS, DATA_PORTS, PortAllocator, is_free
from server.ids import new_id

SINGLE_PORTS = (61000, 65499)
"""Above those that a kernel gives to whoever asks for any, and those that cores give to tasks."""
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def part(bounds: tuple[int, int]) -> tuple[int, int]:
    """Return what of a range belongs to this worker."""
    size = (bounds[1] - bounds[0] + 1) // WORKERS
    low = bounds[0] + WORKER * size
    return low, low + size - 1


_LOW, _HIGH = part(SINGLE_PORTS)
_turn = count(random.randrange(_HIGH - _LOW + 1))


def free_port() -> int:
    """Return a port for one server; another one each time, for as long as there are others."""
    for _ in range(_HIGH - _LOW + 1):
        port = _LOW + next(_turn) % (_HIGH - _LOW + 1)
        if is_free(port):
            return port
    raise AssertionError(f"there is no free port between {_LOW} and {_HIGH}")


def instance_id() -> str:
    """Return an id for an instance whose core begins to give ports to tasks in this worker's part, the lower half of it."""
    low, high = part(CONTROL_PORTS)
    while True:
        found = f"{new_id()}-{os.getpid()}"
        if low <= PortAllocator(found).take_control() <= (low + high) // 2:
            return found


def free_slices(number: int, *, data: int, control: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return so many pairs of ranges, one for channels and one for control ports, that do not overlap.

    They are for agents, which must say beforehand which ports they have: those of the upper half of this worker's part.
    """
    return list(zip(_slices(DATA_PORTS, number, data), _slices(CONTROL_PORTS, number, control), strict=True))


def _slices(bounds: tuple[int, int], number: int, size: int) -> list[tuple[int, int]]:
    low, high = part(bounds)
    ours = range((low + high) // 2 + 1, high + 2 - size, size)
    elsewhere = range(bounds[0], bounds[1] + 2 - size, size)  # where there are so many workers that ours are too few
    found: list[tuple[int, int]] = []
    for start in (*random.sample(ours, len(ours)), *random.sample(elsewhere, len(elsewhere))):
        end = start + size - 1
        if all(end < one[0] or one[1] < start for one in found) and all(map(is_free, range(start, end + 1))):
            found.append((start, end))
            if len(found) == number:
                return found
    raise AssertionError(f"there are no {number} times {size} free ports between {bounds[0]} and {bounds[1]}")
