"""Prints how many processors the tests may use: not those of the machine, but what this process gets of them, eight at most.

A container with two of sixty-four processors would otherwise be given the work of sixty-four. The standard library only: it
runs before anything is installed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

MOST = 8
GROUPS = Path("/sys/fs/cgroup")


def processors() -> int:
    return max(1, min(MOST, len(os.sched_getaffinity(0)), *map(math.ceil, shares())))


def shares() -> Iterator[float]:
    """Yield the limit of each control group that this process is in, in processors."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, inside = line.split(":", 2)
        if not controllers:
            root = GROUPS
        elif "cpu" in controllers.split(","):
            root = GROUPS / controllers if (GROUPS / controllers).is_dir() else GROUPS / "cpu"
        else:
            continue
        path = root / inside.strip("/")
        for folder in (path, *path.parents):
            if folder.is_relative_to(root) and (quota := share(folder)) is not None:
                yield quota


def share(folder: Path) -> float | None:
    """Return the limit that stands in a folder; None if there is none."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    print(processors())
