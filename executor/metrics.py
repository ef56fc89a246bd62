"""Numbers of many tasks, thinned to what changed, a few tasks at a time; a rate that is no longer renewed falls to 0.

No clock of its own and no I/O: the runner asks and sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from executor.api.messages import MetricSample

PART_TASKS = 8
"""In one message. Hundreds at once would stop the loops of executor and core for tens of milliseconds."""
PART_S = 0.02
"""Between two such messages: what else is to be told comes in between."""


@dataclass(slots=True)
class _Value:
    value: float
    unit: str
    fresh: bool = True


class MetricBatch:
    """The last value of every metric of every task. All times are seconds of one monotonic clock.

    Args:
        interval_s: between the beginnings of two rounds, in which every task that has news is told once.
        rate_stale_s: a rate that was not renewed for so long is 0.
    """

    def __init__(self, interval_s: float, rate_stale_s: float) -> None:
        self._interval_s = interval_s
        self._rate_stale_s = rate_stale_s
        self._values: dict[str, dict[str, _Value]] = {}
        self._fresh: dict[str, None] = {}
        """Tasks with news."""
        self._round: dict[str, None] = {}
        """Those that are still to be told in this round."""
        self._rates: dict[tuple[str, str], float] = {}
        """When each rate that is not 0 was renewed, the oldest first."""
        self._round_s = self._part_s = float("-inf")

    def update(self, task_id: str, metrics: list[tuple[str, float, str]], now_s: float) -> None:
        """Take values (name, value, unit) of a task."""
        own = self._values.setdefault(task_id, {})
        for name, value, unit in metrics:
            known = own.get(name)
            if known is None or (known.value, known.unit) != (value, unit):
                own[name] = _Value(value, unit)
                self._fresh[task_id] = None
            self._rates.pop((task_id, name), None)
            if value and unit.endswith("/s"):
                self._rates[task_id, name] = now_s

    def drop(self, task_id: str) -> None:
        """Forget a task."""
        for name in self._values.pop(task_id, ()):
            self._rates.pop((task_id, name), None)
        self._fresh.pop(task_id, None)
        self._round.pop(task_id, None)

    def tell_all(self) -> None:
        """Have everything told again: whoever listens has nothing yet."""
        for own in self._values.values():
            for metric in own.values():
                metric.fresh = True
        self._fresh = dict.fromkeys(self._values)

    def next_s(self) -> float | None:
        """Return when ``take`` should be called next; None if there is nothing to wait for."""
        if self._round:
            return self._part_s + PART_S
        if self._fresh:
            return self._round_s + self._interval_s
        oldest = next(iter(self._rates.values()), None)
        return None if oldest is None else max(oldest + self._rate_stale_s, self._round_s + self._interval_s)

    def take(self, now_s: float) -> tuple[MetricSample, ...]:
        """Return what changed of some tasks, stale rates as 0; nothing before its time."""
        due_s = self.next_s()
        if due_s is None or now_s < due_s:
            return ()
        if not self._round:
            self._let_stale_rates_fall(now_s)
            self._round, self._fresh, self._round_s = self._fresh, {}, now_s
        self._part_s = now_s
        samples = []
        for task_id in list(islice(self._round, PART_TASKS)):
            del self._round[task_id]
            for name, metric in self._values[task_id].items():
                if metric.fresh:
                    metric.fresh = False
                    samples.append(MetricSample(task_id=task_id, name=name, value=metric.value, unit=metric.unit))
        return tuple(samples)

    def _let_stale_rates_fall(self, now_s: float) -> None:
        stale = []
        for (task_id, name), renewed_s in self._rates.items():
            if now_s - renewed_s < self._rate_stale_s:
                break
            stale.append((task_id, name))
        for task_id, name in stale:
            del self._rates[task_id, name]
            self._values[task_id][name] = _Value(0.0, self._values[task_id][name].unit)
            self._fresh[task_id] = None
