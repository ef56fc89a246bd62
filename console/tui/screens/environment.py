"""One environment: its tasks and what happened to it."""

from __future__ import annotations

from textual.app import ComposeResult

from console.store import Key
from console.tui.screens.base import ConsoleScreen
from console.tui.widgets.event_log import EventLog
from console.tui.widgets.task_grid import TaskGrid
from server.api.model import Kind


class EnvironmentScreen(ConsoleScreen):
    """S2 of the console's design."""

    tab = "environment"
    DEFAULT_CSS = """
    EnvironmentScreen #tasks { height: 2fr; }
    EnvironmentScreen #own-events { height: 1fr; }
    """

    def body(self) -> ComposeResult:
        yield TaskGrid(id="tasks")
        yield EventLog(id="own-events", only_selected=True)

    def take(self, changed: set[Key]) -> None:
        tasks = [name for kind, name in changed if kind is Kind.TASK]
        if tasks:
            self.query_one(TaskGrid).update_rows(tasks)
        self.query_one(EventLog).take_new()
        self.repaint_lines()

    def take_all(self) -> None:
        grid = self.query_one(TaskGrid)
        grid.show_environment(self.desk.environment_id)
        grid.reload()
        self.query_one(EventLog).reload()
        self.repaint_lines()
