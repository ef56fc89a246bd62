"""The status updates of an agent's tasks: one on the way per task, again and again until it is acknowledged (6.5)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mesos.clock import Clock, Timer
from mesos.terms import TERMINAL, Json, Timing

Forward = Callable[[str, Json, str], None]
"""Called with the framework's id, the status, and the latest state of its task."""


@dataclass(slots=True)
class _Line:
    waiting: deque[Json] = field(default_factory=deque)
    received: set[str] = field(default_factory=set)
    latest: str = ""
    timer: Timer | None = None
    retry_s: float = 0.0


@dataclass(slots=True)
class UpdateLines:
    """The updates of all tasks of one agent, by framework and task."""

    clock: Clock
    timing: Timing
    forward: Forward
    _lines: dict[tuple[str, str], _Line] = field(default_factory=dict)
    _is_paused: bool = False

    def add(self, framework_id: str, status: Json) -> None:
        """Take an update; one that was taken before is not taken again."""
        key = (framework_id, status["task_id"]["value"])
        line = self._lines.setdefault(key, _Line())
        if status["uuid"] in line.received:
            return
        line.received.add(status["uuid"])
        line.waiting.append(status)
        line.latest = status["state"]
        if len(line.waiting) == 1 and not self._is_paused:
            self._send(key)

    def acknowledge(self, framework_id: str, task_id: str, uuid: str) -> None:
        """Take the scheduler's word that it has the update; anything but the one on the way is ignored."""
        key = (framework_id, task_id)
        line = self._lines.get(key)
        if line is None or not line.waiting or line.waiting[0]["uuid"] != uuid:
            return
        self._still(line)
        status = line.waiting.popleft()
        if line.waiting:
            self._send(key)
        elif status["state"] in TERMINAL:
            del self._lines[key]

    def pause(self) -> None:
        """Send nothing until ``resume``: the agent has no master."""
        self._is_paused = True
        for line in self._lines.values():
            self._still(line)

    def resume(self, framework_id: str | None = None) -> None:
        """Send at once what is on the way, of one framework or of all: there is somebody new to hear it."""
        self._is_paused = False
        for key, line in list(self._lines.items()):
            if line.waiting and framework_id in (None, key[0]):
                self._still(line)
                self._send(key)

    def forget(self, framework_id: str) -> None:
        """Drop all of a framework that is gone."""
        for key in [key for key in self._lines if key[0] == framework_id]:
            self._still(self._lines.pop(key))

    @staticmethod
    def _still(line: _Line) -> None:
        if line.timer is not None:
            line.timer.cancel()
        line.timer, line.retry_s = None, 0.0

    def _send(self, key: tuple[str, str]) -> None:
        line = self._lines[key]
        line.retry_s = min(line.retry_s * 2 or self.timing.retry_s, self.timing.retry_max_s)
        line.timer = self.clock.later(line.retry_s, lambda: self._send(key))
        self.forward(key[0], line.waiting[0], line.latest)
