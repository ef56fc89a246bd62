"""What an executor does every now and then: it tells what tasks count, use and lose, and deletes what ended ones left behind.

How: metrics.py, usage.py, folders.py, limits.py. Who is told: runner.py.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from itertools import islice
from typing import Any

from executor.api.messages import MetricSample
from executor.folders import TaskFolders
from executor.limits import TaskLimits
from executor.metrics import PART_S, PART_TASKS, MetricBatch
from executor.process import Processes
from executor.settings import Settings
from executor.usage import Usage, UsageNews, read_usage, uptime_s

_LOG = logging.getLogger(__name__)
LOST = "output.lost"
"""What the last process of a task wrote and no disk took."""


class Rounds:
    """All rounds of one executor.

    Args:
        living: returns the tasks that have not ended.
        tell: takes what is new, never nothing.
        has_room: says whether it is passed on; until then what changed is kept, so that no last value is lost.
        start: owns a piece of work until it ends.
    """

    def __init__(
        self,
        settings: Settings,
        processes: Processes,
        folders: TaskFolders,
        limits: TaskLimits,
        *,
        living: Callable[[], Collection[str]],
        tell: Callable[[tuple[MetricSample, ...]], None],
        has_room: Callable[[], bool],
        start: Callable[[Coroutine[Any, Any, None], str], object],
    ) -> None:
        self._settings = settings
        self._processes = processes
        self._folders = folders
        self._limits = limits
        self._living = living
        self._tell = tell
        self._has_room = has_room
        self._start = start
        self._loop = asyncio.get_running_loop()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._metrics = MetricBatch(settings.metrics_interval_s, settings.rate_stale_s)
        self._usage = UsageNews()
        self._lost: dict[str, int] = {}

    def begin(self) -> None:
        """Look from now on; delete at once for the first time."""
        self._plan_usage()
        self._start(self._prune(), "prune")

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def tell_all(self) -> None:
        """Tell everything the next time: whoever listens has nothing yet."""
        self._usage.tell_all()
        self._lost.clear()
        self._metrics.tell_all()
        self._plan_metrics()

    def take(self, task_id: str, metrics: list[tuple[str, float, str]]) -> None:
        """Take the metrics of a task, to be told soon."""
        self._metrics.update(task_id, metrics, self._loop.time())
        self._plan_metrics()

    def ended(self, task_id: str, lost_bytes: int) -> None:
        """Tell what a process that has ended lost since it was last looked at, and forget its metrics."""
        self._metrics.drop(task_id)
        if samples := self._losses({task_id: lost_bytes}):
            self._tell(samples)

    def _plan_metrics(self) -> None:
        due_s, timer = self._metrics.next_s(), self._timers.get("metrics")
        if due_s is not None and (timer is None or due_s < timer.when()):
            if timer is not None:
                timer.cancel()
            self._timers["metrics"] = self._loop.call_at(due_s, self._tell_metrics)

    def _tell_metrics(self) -> None:
        if not self._has_room():
            self._timers["metrics"] = self._loop.call_later(self._settings.metrics_interval_s, self._tell_metrics)
            return
        del self._timers["metrics"]
        if samples := self._metrics.take(self._loop.time()):
            self._tell(samples)
        self._plan_metrics()

    def _plan_usage(self) -> None:
        if self._settings.usage_interval_s > 0:
            self._plan("usage", self._settings.usage_interval_s, self._look)

    def _plan(self, name: str, after_s: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._timers[name] = self._loop.call_later(after_s, lambda: self._start(work(), name))

    async def _look(self) -> None:
        usages: dict[str, Usage] = {}
        try:
            tasks = self._processes.pids()
            found = await asyncio.to_thread(read_usage, frozenset(tasks.values())) if tasks else {}
            usages = {task_id: found[pid] for task_id, pid in tasks.items() if pid in found}
            if samples := self._usage.take_ended(usages) + self._losses(self._processes.losses()):
                self._tell(samples)
        finally:
            self._tell_usages(iter(usages.items()), uptime_s())

    def _tell_usages(self, usages: Iterator[tuple[str, Usage]], read_s: float) -> None:
        """Tell of some tasks now and of the others a little later, then look again after the usual time."""
        if not self._has_room():
            after_s = self._settings.metrics_interval_s
            self._timers["usage"] = self._loop.call_later(after_s, self._tell_usages, usages, read_s)
            return
        part = dict(islice(usages, PART_TASKS))
        living = {task_id: usage for task_id, usage in part.items() if self._processes.get(task_id)}
        if samples := self._usage.take(living, read_s):
            self._tell(samples)
        if part:
            self._timers["usage"] = self._loop.call_later(PART_S, self._tell_usages, usages, read_s)
        else:
            self._plan_usage()

    def _losses(self, losses: Mapping[str, int]) -> tuple[MetricSample, ...]:
        news = {task_id: lost for task_id, lost in losses.items() if lost != self._lost.get(task_id, 0)}
        self._lost |= news
        return tuple(MetricSample(task_id=task_id, name=LOST, value=lost, unit="B") for task_id, lost in news.items())

    async def _prune(self) -> None:
        """Delete folders of ended tasks, and control groups of executors that are no more."""
        try:
            self._limits.remove_stale()
            living = self._living()
            self._folders.let_go_but(living)
            self._lost = {task_id: lost for task_id, lost in self._lost.items() if task_id in living}
            deleted = await asyncio.to_thread(self._folders.prune, time.time())
            if deleted:
                _LOG.info("folders_deleted=%d", deleted)
        finally:
            self._plan("prune", self._settings.prune_interval_s, self._prune)
