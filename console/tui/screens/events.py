"""Everything that happened, newest last."""

from __future__ import annotations

from textual.app import ComposeResult

from console.store import Key
from console.tui.screens.base import ConsoleScreen
from console.tui.widgets.event_log import EventLog


class EventsScreen(ConsoleScreen):
    """S7 of the console's design."""

    tab = "events"
    DEFAULT_CSS = "EventsScreen #all-events { height: 1fr; }"

    def body(self) -> ComposeResult:
        yield EventLog(id="all-events")

    def take(self, changed: set[Key]) -> None:
        self.query_one(EventLog).take_new()
        self.repaint_lines()

    def take_all(self) -> None:
        self.query_one(EventLog).reload()
        self.repaint_lines()

    def environment_changed(self) -> None:
        self.repaint_lines()
