"""All tasks of the core, worst first, also those that no environment holds."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from console.store import Key
from console.subjects import Subject
from console.tui.screens.base import ConsoleScreen
from console.tui.screens.task import open_task
from console.tui.widgets.grid import Grid
from console.tui.widgets.task_grid import TaskGrid
from server.api.model import Kind


class TasksScreen(ConsoleScreen):
    """S8 of the console's design."""

    tab = "tasks"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("L", "log", "log", id="tasks.log")]
    DEFAULT_CSS = "TasksScreen #all-tasks { height: 1fr; }"

    @property
    def subject(self) -> Subject:
        return Subject(task_id=self.query_one(TaskGrid).selected)

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

    @on(Grid.Opened, "#all-tasks")
    def _on_opened(self, event: Grid.Opened) -> None:
        open_task(self, event.row)

    def action_log(self) -> None:
        """Show the output of the selected task."""
        task_id = self.query_one(TaskGrid).selected
        if task_id:
            open_task(self, task_id, is_log=True)

    def environment_changed(self) -> None:
        self.repaint_lines()
