"""The two lists of the screen: environments, and the tasks of one of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from console.present import age, names, rate, run_number, short_class, size, state_code, task_problem
from console.store import Store
from console.tui.grid import Cell, Column, Grid
from console.tui.looks import Styles
from console.tui.order import TaskOrder
from server.api.model import Environment, Task

WIDE = 110
"""Columns of a terminal from which the lists show more."""


class EnvironmentGrid(Grid):
    """All environments, oldest first."""

    def __init__(self, store: Store, *, id: str) -> None:
        super().__init__(id=id)
        self._store = store
        self._ids: list[str] = []

    def update_rows(self) -> None:
        """Read the environments again; for when one came or went."""
        self._ids = [environment.id for environment in self._store.environments()]
        self.rows_changed()

    def row_count(self) -> int:
        return len(self._ids)

    def row_id(self, at: int) -> str:
        return self._ids[at]

    def row_index(self, row: str) -> int | None:
        return self._ids.index(row) if row in self._ids else None

    def empty_text(self) -> str:
        return (
            "no environments: aliecs env create TEMPLATE makes one"
            if self._store.is_complete
            else "waiting for the core"
        )

    def columns(self, width: int) -> Sequence[Column]:
        base = [
            Column("", 1), Column("STATE", 12), Column("RUN", 7, True), Column("ID", 11), Column("FOR", 8, True),
            Column("TASKS", 9, True), Column("RATE", 10, True),
        ]  # fmt: skip
        if width >= WIDE:
            base += [Column("MOVED", 8, True), Column("DETECTORS", 18)]
        return [*base, Column("TEMPLATE", 0)]

    def cells(self, row: str, columns: Sequence[Column], styles: Styles) -> Sequence[Cell]:
        environment = self._store.environment(row)
        if environment is None:
            return [Cell("")] * len(columns)
        glyph, _, style = styles.look(environment.state)
        tasks = f"{environment.tasks_ok}/{environment.tasks_total}"
        running = environment.state == "RUNNING"
        base = [
            Cell(glyph, style),
            Cell(state_code(environment), style),
            Cell(run_number(environment.run_number), styles.bold if environment.run_number else styles.dim),
            Cell(environment.id),
            Cell(_since(environment), styles.dim),
            Cell(tasks, styles.alarm if environment.tasks_error else styles.text),
            Cell(rate(environment.bytes_per_s) if running else "-", styles.text if running else styles.dim),
        ]
        if len(columns) > len(base) + 1:
            base += [Cell(size(environment.bytes_moved) if environment.bytes_moved else "-", styles.dim),
                     Cell(names(environment.detectors, 18))]  # fmt: skip
        return [*base, Cell(environment.template)]


class TaskGrid(Grid):
    """Tasks of one environment, worst first."""

    def __init__(self, store: Store, *, id: str) -> None:
        super().__init__(id=id)
        self._store = store
        self._order = TaskOrder()
        self.environment_id = ""

    def show_environment(self, environment_id: str) -> None:
        """Show the tasks of another environment."""
        self.environment_id = environment_id
        self._order.reset(self._store.tasks(environment_id) if environment_id else ())
        self.selected = ""
        self.scroll_to(y=0, animate=False)
        self.rows_changed()

    def update_rows(self, task_ids: Iterable[str]) -> None:
        """Take in the named tasks as they are now."""
        changed: list[Task] = []
        gone: list[str] = []
        for task_id in task_ids:
            task = self._store.task(task_id)
            if task is not None and task.environment_id == self.environment_id:
                changed.append(task)
            else:
                gone.append(task_id)
        self._order.change(changed, gone)
        self.rows_changed()

    def row_count(self) -> int:
        return len(self._order)

    def row_id(self, at: int) -> str:
        return self._order[at]

    def row_index(self, row: str) -> int | None:
        return self._order.index(row)

    def empty_text(self) -> str:
        return "no tasks" if self.environment_id else ""

    def columns(self, width: int) -> Sequence[Column]:
        base = [Column("", 2), Column("ST", 3), Column("TASK", 16), Column("HOST", 10), Column("STATUS", 8)]
        if width >= WIDE:
            base += [Column("PID", 7, True), Column("FOR", 8, True)]
        return [*base, Column("RATE", 10, True), Column("PROBLEM OR PATH", 0)]

    def cells(self, row: str, columns: Sequence[Column], styles: Styles) -> Sequence[Cell]:
        task = self._store.task(row)
        if task is None:
            return [Cell("")] * len(columns)
        glyph, code, style = styles.look(task.state, task.critical)
        problem = task_problem(task)
        base = [
            Cell(glyph, style),
            Cell(code, style),
            Cell(short_class(task.name or task.class_name)),
            Cell(task.host),
            Cell(task.status, styles.dim),
        ]
        if len(columns) > len(base) + 2:
            base += [Cell(run_number(task.pid), styles.dim), Cell(_since(task), styles.dim)]
        below_root = task.path.partition(".")[2] or task.path
        last = Cell(problem, styles.alarm) if problem else Cell(below_root, styles.dim)
        return [*base, Cell(_rate(task)), last]


def _since(thing: Environment | Task) -> str:
    if not thing.state_since_ms:
        return "-"
    return age(time.time() - thing.state_since_ms / 1000)


def _rate(task: Task) -> str:
    return next((rate(metric.value) for metric in task.metrics if metric.unit in ("B/s", "bytes/s")), "-")
