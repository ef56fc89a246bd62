"""All tasks of the core, worst first, also those that no environment holds."""

from __future__ import annotations

from textual.app import ComposeResult

from console.store import Key
from console.tui.screens.base import ConsoleScreen
from console.tui.widgets.task_grid import TaskGrid
from server.api.model import Kind


class TasksScreen(ConsoleScreen):
    """S8 of the console's design."""

    tab = "tasks"
    DEFAULT_CSS = "TasksScreen #all-tasks { height: 1fr; }"

    def body(self) -> ComposeResult:
        yield TaskGrid(id="all-tasks", of_all=True)

    def take(self, changed: set[Key]) -> None:
        tasks = [name for kind, name in changed if kind is Kind.TASK]
        if tasks:
            self.query_one(TaskGrid).update_rows(tasks)
        self.repaint_lines()

    def take_all(self) -> None:
        self.query_one(TaskGrid).reload()
        self.repaint_lines()

    def environment_changed(self) -> None:
        self.repaint_lines()
