"""The order of tasks on the screen, worst first, kept sorted while they change. Plain lists; no widgets.

Each task has a place by host, path and id, which its state does not touch. What is sorted is one number per task: the
rank of the state above, the place below.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable

from console.present import RANK
from server.api.model import Task

SORT_SHARE = 16
"""When more than one in so many changed, sorting anew is cheaper."""

_LAST = len(RANK)
_BITS = 32
_LOW = (1 << _BITS) - 1
_GONE = -1


class TaskOrder:
    """Ids of tasks, sorted. Changing one costs a search and a shift, changing many a sort of numbers."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._tasks: list[Task] = []
        """By place, as last seen."""
        self._keys: list[int] = []
        """By place, _GONE for those that are not there any more."""
        self._order: list[int] = []

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, at: int) -> str:
        return self._tasks[self._order[at] & _LOW].task_id

    def index(self, task_id: str) -> int | None:
        """Return where a task stands, None if it is not there."""
        place = self._places.get(task_id)
        if place is None or self._keys[place] == _GONE:
            return None
        return bisect_left(self._order, self._keys[place])

    def reset(self, tasks: Iterable[Task]) -> None:
        """Hold these tasks and no others."""
        tasks = list(tasks)
        places = self._places
        keys = [_GONE] * len(self._tasks)
        for task in tasks:
            place = places.get(task.task_id)
            if place is None or self._has_moved(place, task):
                self._place(tasks)
                return
            self._tasks[place] = task
            keys[place] = (2 * RANK.get(task.state, _LAST) + (not task.critical)) << _BITS | place
        self._keys = keys
        self._sort()

    def change(self, tasks: Collection[Task], gone: Collection[str]) -> None:
        """Take in tasks as they are now, and ids that are no longer there."""
        is_anew = any(
            (place := self._places.get(task.task_id)) is None or self._has_moved(place, task) for task in tasks
        )
        if is_anew:
            left = {self._tasks[key & _LOW].task_id: self._tasks[key & _LOW] for key in self._order}
            left |= {task.task_id: task for task in tasks}
            self._place([task for task in left.values() if task.task_id not in set(gone)])
            return
        sorts = (len(tasks) + len(gone)) * SORT_SHARE > len(self._order)
        for task_id in gone:
            if (place := self._places.get(task_id)) is not None:
                self._put(place, _GONE, is_sorted=not sorts)
        for task in tasks:
            place = self._places[task.task_id]
            self._tasks[place] = task
            self._put(place, _key(task, place), is_sorted=not sorts)
        if sorts:
            self._sort()

    def _has_moved(self, place: int, task: Task) -> bool:
        known = self._tasks[place]
        return known.host != task.host or known.path != task.path

    def _place(self, tasks: Iterable[Task]) -> None:
        """Give every task a place anew."""
        self._tasks = sorted(tasks, key=lambda task: (task.host, task.path, task.task_id))
        self._places = {task.task_id: place for place, task in enumerate(self._tasks)}
        self._keys = [_key(task, place) for place, task in enumerate(self._tasks)]
        self._sort()

    def _put(self, place: int, key: int, *, is_sorted: bool) -> None:
        known = self._keys[place]
        if key == known:
            return
        self._keys[place] = key
        if is_sorted:
            if known != _GONE:
                del self._order[bisect_left(self._order, known)]
            if key != _GONE:
                insort(self._order, key)

    def _sort(self) -> None:
        self._order = sorted(self._keys)
        if _GONE in self._order[:1]:
            del self._order[: bisect_left(self._order, 0)]


def _key(task: Task, place: int) -> int:
    return (2 * RANK.get(task.state, _LAST) + (not task.critical)) << _BITS | place
