"""Numbers of many tasks, thinned to one batch per interval; a rate that is no longer renewed falls to 0.

No clock of its own and no I/O: the runner asks and sends.
"""

from __future__ import annotations

from dataclasses import dataclass

from executor.api.messages import MetricSample


@dataclass(slots=True)
class _Value:
    value: float
    unit: str
    renewed_s: float
    fresh: bool


class MetricBatch:
    """The last value of every metric of every task. All times are seconds of one monotonic clock."""

    def __init__(self, interval_s: float, rate_stale_s: float) -> None:
        self._interval_s = interval_s
        self._rate_stale_s = rate_stale_s
        self._values: dict[str, dict[str, _Value]] = {}
        self._sent_s = float("-inf")

    def update(self, task_id: str, metrics: list[tuple[str, float, str]], now_s: float) -> None:
        """Take new values (name, value, unit) of a task."""
        own = self._values.setdefault(task_id, {})
        for name, value, unit in metrics:
            own[name] = _Value(value, unit, now_s, True)

    def drop(self, task_id: str) -> None:
        """Forget a task."""
        self._values.pop(task_id, None)

    def next_s(self) -> float | None:
        """Return when ``take`` should be called next; None if there is nothing to wait for."""
        due: float | None = None
        for own in self._values.values():
            for metric in own.values():
                if metric.fresh:
                    return self._sent_s + self._interval_s
                if metric.value and metric.unit.endswith("/s"):
                    stale_s = metric.renewed_s + self._rate_stale_s
                    due = stale_s if due is None else min(due, stale_s)
        return None if due is None else max(due, self._sent_s + self._interval_s)

    def take(self, now_s: float) -> tuple[MetricSample, ...]:
        """Return what changed since the last time, stale rates as 0."""
        samples = []
        for task_id, own in self._values.items():
            for name, metric in own.items():
                is_rate = metric.unit.endswith("/s")
                if is_rate and metric.value and now_s - metric.renewed_s >= self._rate_stale_s:
                    metric.value, metric.fresh = 0.0, True
                if metric.fresh:
                    metric.fresh = False
                    samples.append(MetricSample(task_id=task_id, name=name, value=metric.value, unit=metric.unit))
        if samples:
            self._sent_s = now_s
        return tuple(samples)
