"""What the store remembers beyond the picture: how environments ended, and the data rates of the last minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from server.api.model import Environment, Fault

ENDED_KEPT = 50
RATES_KEPT = 600
"""Points per environment: ten minutes, as there is one per second at most."""


class Ended:
    """Environments that are gone as they last were, with their first faults; the last ones only."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Environment, Fault | None]] = {}

    def keep(self, environment: Environment, fault: Fault | None) -> None:
        """Remember how an environment ended."""
        self._known.pop(environment.id, None)
        self._known[environment.id] = (environment, fault)
        if len(self._known) > ENDED_KEPT:
            del self._known[next(iter(self._known))]

    def forget(self, environment_id: str) -> None:
        """Take back that an environment ended."""
        self._known.pop(environment_id, None)

    def environment(self, environment_id: str) -> Environment | None:
        return self._known.get(environment_id, (None, None))[0]

    def fault(self, environment_id: str) -> Fault | None:
        return self._known.get(environment_id, (None, None))[1]

    def newest_first(self) -> list[tuple[Environment, Fault | None]]:
        return list(reversed(self._known.values()))


class Rates:
    """The data rates of environments over time, one point per second at most, the last ten minutes of points."""

    def __init__(self, points: Mapping[str, Iterable[tuple[float, float]]] | None = None) -> None:
        self._points = {name: deque(some, maxlen=RATES_KEPT) for name, some in (points or {}).items()}

    def add(self, environment_id: str, at_s: float, bytes_per_s: float) -> None:
        """Take in a rate; within the same second the last one counts. Nothing is kept before data first flows."""
        points = self._points.get(environment_id)
        if points is None:
            if not bytes_per_s:
                return
            points = self._points[environment_id] = deque(maxlen=RATES_KEPT)
        while points and int(at_s) <= int(points[-1][0]):  # also when the clock was set back
            points.pop()
        points.append((at_s, bytes_per_s))

    def of(self, environment_id: str) -> tuple[tuple[float, float], ...]:
        """Return (Unix seconds, bytes per second), oldest first."""
        return tuple(self._points.get(environment_id, ()))

    def forget(self, environment_id: str) -> None:
        self._points.pop(environment_id, None)
