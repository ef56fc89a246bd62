"""The role tree of one environment of a stock core: as the core showed it, and as its tasks have changed since."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from console.sources import stock
from server.api.model import Role
from server.api.outline import RoleOutline
from server.api.replies import TaskSummary


class Tree:
    """Roles in pre-order, so that children come after their parents.

    Args:
        outlines: as the core shows them; none if they were not asked for yet.
        tasks: of the environment; who of them is critical stands there only.
    """

    def __init__(
        self, environment_id: str, outlines: tuple[RoleOutline, ...], tasks: Mapping[str, TaskSummary]
    ) -> None:
        self.outlines = outlines
        self.roles: list[Role] = []
        self._environment_id = environment_id
        self._children: list[list[int]] = [[] for _ in outlines]
        self._place = {outline.task_id: order for order, outline in enumerate(outlines) if outline.task_id}
        for order, outline in enumerate(outlines):
            if outline.parent >= 0:
                self._children[outline.parent].append(order)
        self._is_critical = self._criticals(tasks)

    def grow(self) -> Iterator[Role]:
        """Yield the roles one by one; nothing else may be asked before that is done."""
        for order, outline in enumerate(self.outlines):
            parent = self.outlines[outline.parent].path if outline.parent >= 0 else ""
            self.roles.append(
                stock.role(
                    outline,
                    environment_id=self._environment_id,
                    order=order,
                    parent=parent,
                    critical=self._is_critical[order],
                )
            )
            yield self.roles[-1]

    @property
    def task_ids(self) -> Iterable[str]:
        return self._place.keys()

    def path(self, task_id: str) -> str:
        """Return the path of a task's role, "" if it is not known."""
        order = self._place.get(task_id)
        return "" if order is None else self.outlines[order].path

    def is_as_told(self, outlines: tuple[RoleOutline, ...]) -> bool:
        """Tell whether these outlines bring nothing new."""
        return self.outlines == outlines and all(map(_is_as_told, self.roles, outlines))

    def update(self, tasks: Iterable[TaskSummary]) -> Iterator[Role]:
        """Bring the roles of tasks up to date, and what is above them; yield those that have changed."""
        stale: set[int] = set()
        for task in tasks:
            order = self._place.get(task.task_id)
            if order is not None and self._set(order, task.state, task.status):
                yield self.roles[order]
                stale.add(self.outlines[order].parent)
        ahead = [-order for order in stale if order >= 0]
        heapq.heapify(ahead)
        while ahead:
            order = -heapq.heappop(ahead)  # the last first
            if self._set(order, *stock.combined([self.roles[child] for child in self._children[order]])):
                yield self.roles[order]
                parent = self.outlines[order].parent
                if parent >= 0 and -parent not in ahead:
                    heapq.heappush(ahead, -parent)

    def _set(self, order: int, state: str, status: str) -> bool:
        role = self.roles[order]
        if (role.state, role.status) == (state, status):
            return False
        self.roles[order] = replace(role, state=state, status=status)
        return True

    def _criticals(self, tasks: Mapping[str, TaskSummary]) -> list[bool]:
        """Return of each role whether it is critical: a leaf if its task is, others if one of their children is."""
        found = [False] * len(self.outlines)
        for order in range(len(found) - 1, -1, -1):
            task = tasks.get(self.outlines[order].task_id)
            if self.outlines[order].is_leaf:
                found[order] = task.critical if task else True  # by default, and nobody tells of a call
            else:
                found[order] = any(found[child] for child in self._children[order])
        return found


def _is_as_told(role: Role, outline: RoleOutline) -> bool:
    state = "UNKNOWN" if role.state == "INVARIANT" else role.state  # as it prints on the wire (core.md 3.3)
    return (state, role.status) == (outline.state, outline.status)
