"""What is known of one task: state, place, what went wrong, and its metrics with small plots of those that vary."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from console.charts import sparkline
from console.present import age, clock, measured, short_class, task_problem
from console.tui.painting import Lines, Part, Parts, width_of
from server.api.model import Metric, Task

if TYPE_CHECKING:
    from console.tui.looks import Styles

SAMPLES = 60
"""Values of each metric that are remembered while the task is looked at."""
SIDE_BY_SIDE = 96
"""Columns from which metrics stand beside the facts."""
LABEL = 10
METRIC = 26


class TaskFacts(Lines):
    """Facts of one task; it stays as it last was when the task is gone."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.task_id = ""
        self.command = ""
        """The command line, as far as it is known."""
        self._last: Task | None = None
        self._values: dict[str, deque[float]] = {}

    @property
    def shown(self) -> Task | None:
        """The task as it is, or as it last was."""
        task = self.store.task(self.task_id) or self._last
        return task if task is not None and task.task_id == self.task_id else None

    def show_task(self, task_id: str) -> None:
        """Be about another task."""
        if task_id != self.task_id:
            self.task_id, self.command, self._last = task_id, "", None
            self._values = {}
        self.take()

    def take(self) -> None:
        """Remember what the task measured."""
        task = self.store.task(self.task_id)
        if task is None:
            return
        for metric in task.metrics:
            self._values.setdefault(metric.name, deque(maxlen=SAMPLES)).append(metric.value)
        self._last = task

    def wanted_height(self, width: int) -> int:
        """Return the lines that everything takes."""
        task = self.shown
        above = bool(task and (task_problem(task) or task.exit_code is not None or task.signal))
        facts = 5 + bool(task and task.limits)
        metrics = len(task.metrics) if task else 0
        return above + (max(facts, metrics) if width >= SIDE_BY_SIDE else facts + metrics)

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        task = self.shown
        if task is None:
            return [[(f" no task {self.task_id}", looks.dim)]]
        problem, *facts = self._facts(task, looks)
        above: list[Parts] = [problem] if problem[-1][0] else []
        metrics = [self._metric(metric, looks) for metric in task.metrics]
        if width < SIDE_BY_SIDE:
            return [*above, *facts, *metrics]
        half = width // 2
        joined: list[Parts] = []
        for number in range(max(len(facts), len(metrics))):
            left = _cut(facts[number], half) if number < len(facts) else []
            right = metrics[number] if number < len(metrics) else []
            joined.append([*left, (" " * (half - width_of(left)), looks.text), *right])
        return [*above, *joined]

    def _facts(self, task: Task, looks: Styles) -> list[list[Part]]:
        """Return a line each; the first is about what went wrong and ends in "" if nothing did."""
        now_s = self.desk.session.now()
        since = f"   since {clock(task.state_since_ms)[:8]}, {age(now_s - task.state_since_ms / 1000)}"
        is_gone = self.store.task(task.task_id) is None
        problem = task_problem(task)
        ended = [f"exit code {task.exit_code}"] if task.exit_code is not None else []
        ended += [f"signal {task.signal}"] if task.signal else []
        said = "   ".join([problem] * bool(problem) + [text for text in ended if text not in problem])
        parts: list[tuple[str, list[Part]]] = [
            ("problem", [(said, looks.alarm)]),
            ("state", [(task.state, looks.look(task.state, critical=task.critical).style),
                       (f"   {task.status}", looks.text), (since if task.state_since_ms else "", looks.dim),
                       ("   it is gone: this is how it last was" if is_gone else "", looks.warn)]),
            ("place", [(task.host or "-", looks.bold), (f"   pid {task.pid}" if task.pid else "", looks.text),
                       (f"   {task.mode}" if task.mode else "", looks.dim),
                       ("   critical" if task.critical else "   not critical", looks.dim)]),
            ("role", [(task.path or "-", looks.text), (f"   {task.environment_id or 'no environment'}", looks.dim)]),
            ("class", [(task.class_name or short_class(task.name), looks.dim)]),
            ("command", [(self.command or "-", looks.text)]),
            *([("limits", [(task.limits, looks.warn if "not enforced" in task.limits else looks.text)])] if task.limits else []),
        ]  # fmt: skip
        return [[(f" {label:{LABEL}}", looks.dim), *texts] for label, texts in parts]

    def _metric(self, metric: Metric, looks: Styles) -> list[Part]:
        values = self._values.get(metric.name, ())
        parts: list[Part] = [(f" {metric.name:{METRIC}}", looks.dim), (f"{measured(metric):>11}  ", looks.text)]
        if varies(list(values)):
            parts.append((sparkline(list(values)[-24:], ascii=looks.ascii), looks.plot))
        return parts


def varies(values: Sequence[float]) -> bool:
    """Say whether a plot of the values says something: they change, and not only upwards as what is counted does."""
    return len(set(values)) > 1 and any(after < before for before, after in pairwise(values))


def _cut(parts: Sequence[Part], width: int) -> list[Part]:
    """Return the parts that fit, the last one cut."""
    cut: list[Part] = []
    left = width - 1
    for text, style in parts:
        if left <= 0:
            break
        cut.append((text[:left], style))
        left -= len(text)
    return cut
