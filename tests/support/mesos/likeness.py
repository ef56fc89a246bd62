"""Tells where what came differs from what was recorded: names are compared by what they stand for, times not at all."""

from __future__ import annotations

import re
from typing import Any

from mesos.terms import Json

MADE_UP = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MOMENTARY = frozenset({"timestamp", "executor_pid", "git_sha"})
"""Must be there, with any value of that type."""
BY_CHANCE = frozenset({"uuid", "pid", "port"})
"""Names beside those that contain a made-up part."""
PROSE = "ExecutorInfo is not compatible"
"""After its first line this message prints protobufs, which the double has not."""


class Names:
    """Which name of ours stands for which recorded one; each for one only."""

    def __init__(self) -> None:
        self._ours: dict[object, object] = {}
        self._recorded: dict[object, object] = {}

    def bind(self, recorded: object, ours: object) -> bool:
        """Let ``ours`` stand for ``recorded``; False where one of them stands for something else already."""
        return self._ours.setdefault(recorded, ours) == ours and self._recorded.setdefault(ours, recorded) == recorded

    def ours(self, recorded: Any) -> Any:
        """Return a recorded message with our names in it."""
        if isinstance(recorded, dict):
            return {name: self.ours(part) for name, part in recorded.items()}
        if isinstance(recorded, list):
            return [self.ours(part) for part in recorded]
        return self._ours.get(recorded, recorded) if isinstance(recorded, str) else recorded


def differences(recorded: Json, ours: Json, names: Names) -> list[str]:
    """Return one line for each difference; new names are bound as they come."""
    found: list[str] = []
    _compare("", recorded, ours, names, found)
    return found


def _compare(path: str, recorded: object, ours: object, names: Names, found: list[str]) -> None:
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for name in {**recorded, **ours}:
            where = f"{path}.{name}" if path else name
            if name not in ours or name not in recorded:
                found.append(f"{where}: only {'recorded' if name in recorded else 'ours'}")
            else:
                _compare(where, recorded[name], ours[name], names, found)
    elif isinstance(recorded, list) and isinstance(ours, list):
        if len(recorded) != len(ours):
            found.append(f"{path}: {len(recorded)} recorded, {len(ours)} ours")
        for number, (left, right) in enumerate(zip(recorded, ours, strict=False)):
            _compare(f"{path}[{number}]", left, right, names, found)
    elif not _is_alike(path.rpartition(".")[2], recorded, ours, names):
        found.append(f"{path}: recorded {recorded!r}, ours {ours!r}")


def _is_alike(name: str, recorded: object, ours: object, names: Names) -> bool:
    if name in MOMENTARY:
        return isinstance(ours, type(recorded)) or (isinstance(ours, int | float) and isinstance(recorded, int | float))
    if recorded == ours or names.ours(recorded) == ours:
        return True
    if isinstance(recorded, str) and isinstance(ours, str):
        if recorded.startswith(PROSE):
            return recorded.partition("\n")[0] == ours.partition("\n")[0]
        if name in BY_CHANCE or (MADE_UP.search(recorded) and MADE_UP.search(ours)):
            return names.bind(recorded, ours)
    return name in BY_CHANCE and names.bind((name, recorded), (name, ours))
