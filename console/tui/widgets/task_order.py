"""The order of tasks on the screen, worst first, kept sorted while they change. Plain lists; no widgets."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable

from console.present import RANK
from server.api.model import Task

Key = tuple[int, bool, str, str, str]
"""Rank of the state, not critical, host, path, id."""

REBUILD_SHARE = 8
"""When more than one in so many changed, sorting anew is cheaper."""


class TaskOrder:
    """Ids of tasks, sorted. Changing one costs a search and a shift, not a sort."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._order: list[Key] = []

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, at: int) -> str:
        return self._order[at][4]

    def index(self, task_id: str) -> int | None:
        """Return where a task stands, None if it is not there."""
        key = self._keys.get(task_id)
        return None if key is None else bisect_left(self._order, key)

    def reset(self, tasks: Iterable[Task]) -> None:
        """Forget everything and hold these tasks."""
        self._keys = {task.task_id: key_of(task) for task in tasks}
        self._order = sorted(self._keys.values())

    def change(self, tasks: Collection[Task], gone: Collection[str]) -> None:
        """Take in tasks as they are now, and ids that are no longer there."""
        if (len(tasks) + len(gone)) * REBUILD_SHARE > len(self._keys):
            for task_id in gone:
                self._keys.pop(task_id, None)
            self._keys.update((task.task_id, key_of(task)) for task in tasks)
            self._order = sorted(self._keys.values())
            return
        for task_id in gone:
            self._drop(task_id)
        for task in tasks:
            key = key_of(task)
            if self._keys.get(task.task_id) != key:
                self._drop(task.task_id)
                self._keys[task.task_id] = key
                insort(self._order, key)

    def _drop(self, task_id: str) -> None:
        key = self._keys.pop(task_id, None)
        if key is not None:
            del self._order[bisect_left(self._order, key)]


def key_of(task: Task) -> Key:
    """Return the sort key of a task."""
    return (RANK.get(task.state, len(RANK)), not task.critical, task.host, task.path, task.task_id)
