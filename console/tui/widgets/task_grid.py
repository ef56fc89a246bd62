"""The list of tasks, worst first: those of one environment, or all of the core."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from console.filters import Fields, parse
from console.present import age, rate, run_number, short_class, task_problem
from console.tui.widgets.grid import Cell, Column, Grid
from console.tui.widgets.task_order import TaskOrder
from server.api.model import Task

if TYPE_CHECKING:
    from console.tui.looks import Styles

WIDE = 90
"""Columns of the list from which it shows more."""
HOST_WIDTHS = (8, 20)
"""Least and most cells for the name of a host."""


class TaskGrid(Grid):
    """Tasks; a task's row is named by its id.

    Args:
        of_all: every task of the core, with the environment that holds it, not those of one environment.
    """

    def __init__(self, *, id: str, of_all: bool = False) -> None:
        super().__init__(id=id)
        self._order = TaskOrder()
        self._of_all = of_all
        self._host_width = HOST_WIDTHS[0]
        self.environment_id = ""
        self.only: frozenset[str] | None = None
        """Ids of the tasks of the role that is looked at; None for all."""

    def show_environment(self, environment_id: str) -> None:
        """Show the tasks of another environment."""
        if environment_id != self.environment_id:
            self.environment_id = environment_id
            self.only = None
            self.selected = ""
            self.scroll_to(y=0, animate=False)
            self.reload()

    def show_tasks(self, only: frozenset[str] | None) -> None:
        """Show only these tasks of the environment, None for all."""
        if only != self.only:
            self.only = only
            self.reload()

    def reload(self) -> None:
        if self._of_all:
            tasks = self.store.tasks()
        else:
            tasks = self.store.tasks(self.environment_id) if self.environment_id else []
        if self._of_all or self.only is not None or self.filter_text:
            tasks = [task for task in tasks if self._is_shown(task)]
        self._order.reset(tasks)
        widest = max((len(host) for host in self.store.hosts), default=0)
        self._host_width = max(HOST_WIDTHS[0], min(HOST_WIDTHS[1], widest))
        self.rows_changed()

    def update_rows(self, task_ids: Iterable[str]) -> None:
        """Take in the named tasks as they are now."""
        changed: list[Task] = []
        gone: list[str] = []
        for task_id in task_ids:
            task = self.store.task(task_id)
            if task is not None and self._is_shown(task):
                changed.append(task)
            else:
                gone.append(task_id)
        self._order.change(changed, gone)
        self.rows_changed()

    def _is_shown(self, task: Task) -> bool:
        if not self._of_all and task.environment_id != self.environment_id:
            return False
        if self.only is not None and task.task_id not in self.only:
            return False
        return not self.filter_text or parse(self.filter_text)(_fields(task))

    def row_count(self) -> int:
        return len(self._order)

    def row_id(self, at: int) -> str:
        return self._order[at]

    def row_index(self, row: str) -> int | None:
        return self._order.index(row)

    def empty_text(self) -> str:
        return self.desk.session.waiting() or ("no tasks" if self._of_all or self.environment_id else "")

    def fields(self, row: str) -> Fields:
        task = self.store.task(row)
        return {} if task is None else _fields(task)

    def columns(self, width: int) -> Sequence[Column]:
        base = [Column("", 2), Column("ST", 3), Column("TASK", 16), Column("HOST", self._host_width)]
        if self._of_all:
            base.append(Column("ENV ID", 11))
        if width >= WIDE:
            base += [Column("STATUS", 8), Column("PID", 7, True), Column("FOR", 8, True)]
        return [*base, Column("RATE", 9, True), Column("PROBLEM OR PATH", 0)]

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        task = self.store.task(row)
        if task is None:
            return [Cell("")] * len(columns)
        look = looks.look(task.state, critical=task.critical)
        problem = task_problem(task)
        since = age(self.desk.session.now() - task.state_since_ms / 1000) if task.state_since_ms else "-"
        below_root = task.path.partition(".")[2] or task.path
        by_title = {
            "": Cell(look.glyph, look.style),
            "ST": Cell(look.code, look.style),
            "TASK": Cell(short_class(task.name or task.class_name)),
            "HOST": Cell(task.host),
            "ENV ID": Cell(task.environment_id or "-", looks.text if task.environment_id else looks.warn),
            "STATUS": Cell(task.status, looks.dim),
            "PID": Cell(run_number(task.pid), looks.dim),
            "FOR": Cell(since, looks.dim),
            "RATE": Cell(task_rate(task), looks.dim if task_rate(task) == "-" else looks.text),
            "PROBLEM OR PATH": Cell(problem, looks.alarm) if problem else Cell(below_root, looks.dim),
        }
        return [by_title[column.title] for column in columns]


def task_rate(task: Task) -> str:
    """Return what flows through a task, "-" if it does not say or is no more."""
    if task.status == "INACTIVE":
        return "-"
    return next((rate(metric.value) for metric in task.metrics if metric.unit in ("B/s", "bytes/s")), "-")


def _fields(task: Task) -> Fields:
    return {
        "id": task.task_id,
        "task": task.name,
        "class": short_class(task.class_name),
        "host": task.host,
        "state": task.state,
        "status": task.status,
        "path": task.path,
        "env": task.environment_id,
        "problem": task_problem(task),
        "critical": "yes" if task.critical else "no",
    }
