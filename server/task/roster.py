"""The table of all tasks of the core: what executors report becomes states, and every change is told.

No I/O. Who talks to executors: commander.py and reception.py; who makes tasks: acquire.py.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from executor.api.messages import MetricSample, Phase, TaskReport, TaskResult
from occ.states import TaskState
from server.api.states import Status
from server.clock import now_ms
from server.task.task import Metric, Task

log = logging.getLogger(__name__)

LOST = "TASK_LOST"
"""Final status of a task whose executor is gone."""


class TaskChange(NamedTuple):
    """One change of the table. ``before`` is None for a new task, ``after`` for a removed one."""

    before: Task | None
    after: Task | None
    cause: str
    """added, restored, claimed, report, result, executor, metrics, released, killing or removed."""

    @property
    def is_of_life(self) -> bool:
        """Whether there is a living task more or less."""
        before, after = self.before, self.after
        return before is None or after is None or before.final_status != after.final_status


TaskListener = Callable[[Sequence[TaskChange]], None]
"""Called at once with what one cause changed, at least one change; must neither block nor raise."""


class Roster:
    """All tasks by id, in the order they came.

    Args:
        now_ms: Unix milliseconds.
    """

    def __init__(self, now_ms: Callable[[], int] = now_ms) -> None:
        self._now_ms = now_ms
        self.agents: set[str] = set()
        """All that ever had a task."""
        self._tasks: dict[str, Task] = {}
        self._living: Counter[str] = Counter()
        """By host."""
        self._listeners: list[TaskListener] = []

    # ---- reading -----------------------------------------------------------------------------

    def get(self, task_id: str) -> Task | None:
        return self._tasks.get(task_id)

    def all(self) -> list[Task]:
        return list(self._tasks.values())

    def of_environment(self, environment_id: str) -> list[Task]:
        """Return the tasks that this environment has locked."""
        return [task for task in self._tasks.values() if task.environment_id == environment_id]

    def count_alive(self, host: str) -> int:
        """Return how many tasks of a host have not ended."""
        return self._living[host]

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._tasks

    def listen(self, listener: TaskListener) -> None:
        """Tell ``listener`` of all changes from now on."""
        self._listeners.append(listener)

    # ---- coming and going ----------------------------------------------------------------------

    def add(self, tasks: Iterable[Task]) -> None:
        """Take in new tasks; a task must be here before its launch, so that no report of it is lost."""
        self._enter(tasks, "added")

    def restore(self, tasks: Iterable[Task]) -> None:
        """Take in the tasks of an earlier life of the core, as they were when it ended; nobody kills them yet."""
        self._enter((replace(task, killing=False) if task.killing else task for task in tasks), "restored")

    def remove(self, task_ids: Iterable[str]) -> None:
        """Forget tasks; unknown ids do not matter."""
        removed = (self._tasks.pop(task_id, None) for task_id in task_ids)
        self._tell([TaskChange(task, None, "removed") for task in removed if task])

    def release(self, task_ids: Iterable[str]) -> None:
        """Unlock tasks: no environment has them any more (core.md 3.8)."""
        self._change("released", ((task_id, {"environment_id": "", "role_path": ""}) for task_id in task_ids))

    def claim(self, tasks: Iterable[Task]) -> None:
        """Lock tasks that are here and unlocked: these are their new values (claims.py)."""
        self._enter(tasks, "claimed")

    def set_killing(self, task_ids: Iterable[str], killing: bool) -> None:
        """Note that tasks were told to end, or that this did not help."""
        self._change("killing", ((task_id, {"killing": killing}) for task_id in task_ids))

    def _enter(self, tasks: Iterable[Task], cause: str) -> None:
        changes = []
        for task in tasks:
            changes.append(TaskChange(self._tasks.get(task.task_id), task, cause))
            self.agents.add(task.agent_id)
            self._tasks[task.task_id] = task
        self._tell(changes)

    # ---- what executors say --------------------------------------------------------------------

    def apply(self, host: str, reports: Iterable[TaskReport]) -> None:
        """Take in where tasks stand (core.md 3.6). A report that says nothing new changes nothing."""
        changes: list[TaskChange] = []
        for report in reports:
            task = self._tasks.get(report.task_id)
            if task is None or task.host != host or task.ended:
                continue
            after = self._ended(task, report) if report.phase is Phase.ENDED else self._alive(task, report)
            self._note(changes, task, after, "report")
        self._tell(changes)

    def apply_results(self, results: Iterable[TaskResult]) -> None:
        """Take in the states that a reply to a command reports, also those beside an error (core.md 3.6).

        A result that knows no state changes none; after the end of a task nothing changes it.
        """
        changes: list[TaskChange] = []
        tasks, now_ms = self._tasks, self._now_ms()
        for result in results:
            task = tasks.get(result.task_id)
            if task is None or not result.state or task.final_status:
                continue
            state = TaskState.parse(result.state)
            if state is task.state and (result.error == task.error or not result.error):
                continue
            after = replace(task, state=state, state_since_ms=now_ms, error=result.error)
            tasks[result.task_id] = after
            changes.append(TaskChange(task, after, "result"))
        self._tell(changes)

    def executor_lost(self, host: str, executor_id: str, reason: str) -> list[str]:
        """All tasks of that executor have ended with it; returns their ids."""
        tasks = [task for task in self._tasks.values() if _is_alive_under(task, host, executor_id)]
        self._lose(tasks, reason)
        return [task.task_id for task in tasks]

    def reconcile(
        self, host: str, executor_id: str, reports: Sequence[TaskReport], launching: Collection[str]
    ) -> tuple[list[str], list[str]]:
        """Compare with everything that an executor knows, when it attaches.

        A task that it should have and does not is lost.

        Args:
            launching: tasks that are about to be launched there.

        Returns:
            Tasks alive there that nobody here knows, and ended ones that nobody here knows (any more).
        """
        self.apply(host, reports)
        told = {report.task_id for report in reports}
        expected = [task for task in self._tasks.values() if _is_alive_under(task, host, executor_id)]
        missing = [task for task in expected if task.task_id not in told and task.task_id not in launching]
        self._lose(missing, f"executor {executor_id} on host {host} does not know it (any more)")
        unknown = [report for report in reports if report.task_id not in self._tasks]
        return (
            [report.task_id for report in unknown if report.phase is not Phase.ENDED],
            [report.task_id for report in unknown if report.phase is Phase.ENDED],
        )

    # ---- single facts ------------------------------------------------------------------------

    def set_state(self, task_id: str, state: TaskState, error: str = "") -> None:
        """Set the state of a task that is alive."""
        self.apply_results((TaskResult(task_id=task_id, state=state.value, error=error),))

    def set_metrics(self, samples: Iterable[MetricSample]) -> None:
        """Take in metrics of any tasks; the last value of each name stays."""
        by_task: dict[str, dict[str, Metric]] = {}
        for sample in samples:
            by_task.setdefault(sample.task_id, {})[sample.name] = Metric(sample.value, sample.unit)
        changes: list[TaskChange] = []
        for task_id, metrics in by_task.items():
            if task := self._tasks.get(task_id):
                merged: Mapping[str, Metric] = {**task.metrics, **metrics}
                self._note(changes, task, replace(task, metrics=merged), "metrics")
        self._tell(changes)

    # ---- decisions ---------------------------------------------------------------------------

    def _alive(self, task: Task, report: TaskReport) -> Task:
        if report.phase is Phase.STARTING:
            return replace(task, pid=report.pid) if report.pid and report.pid != task.pid else task
        state = TaskState.parse(report.state) if report.state else task.state
        pid = report.pid or task.pid
        error = report.error or (task.error if state is task.state else "")
        ended = (report.exit_code, report.signal)
        limits = report.limits or task.limits
        known = (task.state, task.status, task.pid, task.error, (task.exit_code, task.signal), task.limits)
        if (state, Status.ACTIVE, pid, error, ended, limits) == known:
            return task
        is_new = state is not task.state or task.status is not Status.ACTIVE
        since_ms = (report.timestamp_ms or self._now_ms()) if is_new else task.state_since_ms
        return replace(
            task, status=Status.ACTIVE, state=state, pid=pid, error=error, state_since_ms=since_ms,
            exit_code=report.exit_code, signal=report.signal, limits=limits,
        )  # fmt: skip

    def _ended(self, task: Task, report: TaskReport) -> Task:
        if report.final_status == "TASK_FINISHED":
            state, error = TaskState.DONE, report.error
        else:
            state = TaskState.ERROR if task.locked else task.state
            error = report.error or _how_it_ended(report)
        return replace(
            task,
            status=Status.INACTIVE,
            state=state,
            error=error,
            pid=report.pid or task.pid,
            final_status=report.final_status or LOST,
            exit_code=report.exit_code,
            signal=report.signal,
            limits=report.limits or task.limits,
            state_since_ms=report.timestamp_ms or self._now_ms(),
        )

    # ---- changes -----------------------------------------------------------------------------

    def _change(self, cause: str, changed: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        changes: list[TaskChange] = []
        for task_id, fields in changed:
            if task := self._tasks.get(task_id):
                self._note(changes, task, replace(task, **fields), cause)
        self._tell(changes)

    def _note(self, changes: list[TaskChange], before: Task, after: Task, cause: str) -> None:
        if after is not before and after != before:
            self._tasks[after.task_id] = after
            changes.append(TaskChange(before, after, cause))

    def _lose(self, tasks: Iterable[Task], reason: str) -> None:
        changes: list[TaskChange] = []
        for task in tasks:
            after = replace(
                task, status=Status.INACTIVE, state=TaskState.ERROR, error=reason, final_status=LOST,
                state_since_ms=self._now_ms(),
            )  # fmt: skip
            self._note(changes, task, after, "executor")
        self._tell(changes)

    def _tell(self, changes: list[TaskChange]) -> None:
        if changes:
            for change in changes:
                if change.is_of_life:
                    self._count(change)
            for listener in self._listeners:
                listener(changes)

    def _count(self, change: TaskChange) -> None:
        for task, step in ((change.before, -1), (change.after, 1)):
            if task is not None and not task.ended:
                self._living[task.host] += step


def _is_alive_under(task: Task, host: str, executor_id: str) -> bool:
    return task.executor_id == executor_id and task.host == host and not task.ended


def _how_it_ended(report: TaskReport) -> str:
    if report.signal:
        return f"killed by signal {report.signal}"
    if report.exit_code is not None:
        return f"ended with exit code {report.exit_code}"
    return f"ended with {report.final_status or LOST}"
