"""The screen: environments, the tasks of the selected one, live. Looks only; nothing here changes anything.

Widgets read the store while they paint; the session says what changed, and only that is painted, once per frame.
"""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from console.session import Session, Timings
from console.settings import Settings
from console.store import Key, Link
from console.themes import load
from console.tui.grid import Grid
from console.tui.lines import Line, details, header, keys
from console.tui.lists import EnvironmentGrid, TaskGrid
from console.tui.looks import Styles, default_variables, screen_theme
from server.api.client import Client, Deadlines
from server.api.model import Kind

CLOCK_S = 1.0
"""Between two paints of what shows the passing of time; changes are painted when they come."""


class ConsoleApp(App[int]):
    """The console's screen on one session; the app closes it.

    Args:
        session: not yet following.
        theme: name of a theme file.
    """

    CSS = """
    Screen { layout: vertical; background: $background; }
    #header, #keys { height: 1; }
    #environments { height: 4; }
    #details { height: 3; }
    #tasks { height: 1fr; }
    Grid { background: $background; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit", id="app.quit"),
        Binding("tab", "focus_next", "other list", show=False, id="app.next"),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, session: Session, *, theme: str = "dark") -> None:
        super().__init__()
        self.session = session
        self._theme_name = theme
        self._lost_at = time.monotonic()
        store = session.store
        self._link = store.link
        self._environments = EnvironmentGrid(store, id="environments")
        self._tasks = TaskGrid(store, id="tasks")
        self._lines = (
            Line(header(store, session.client.endpoint, self._lost_for), id="header"),
            Line(details(store, lambda: self._environments.selected), id="details"),
            Line(keys, id="keys"),
        )

    def compose(self) -> ComposeResult:
        top, middle, bottom = self._lines
        with Vertical():
            yield from (top, self._environments, middle, self._tasks, bottom)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return default_variables()

    async def on_mount(self) -> None:
        theme, problem = load(self._theme_name)
        self.register_theme(screen_theme(theme))
        self.theme = theme.name
        if problem:
            self.notify(problem, severity="warning", markup=False)
        styles = Styles(theme)
        for grid in (self._environments, self._tasks):
            grid.styles_of = styles
        for line in self._lines:
            line.styles_of = styles
        self._environments.focus()
        self.set_interval(CLOCK_S, self._tick)
        self._listening = self.session.listening(self._on_change)
        self._listening.__enter__()
        self.session.follow()

    async def on_unmount(self) -> None:
        self._listening.__exit__(None, None, None)
        await self.session.close()

    def on_resize(self) -> None:
        self._share_height()

    def _share_height(self) -> None:
        """Give the environments the lines they need, at most a third."""
        wanted = self._environments.row_count() + 2
        self._environments.styles.height = max(4, min(wanted, self.size.height // 3))

    @on(Grid.Selected, "#environments")
    def _on_environment(self, event: Grid.Selected) -> None:
        self._tasks.show_environment(event.row)
        self._paint_lines()

    # ---- from the session --------------------------------------------------------------------

    def _on_change(self, changed: set[Key]) -> None:
        """Take in one batch; painting comes with the next frame."""
        store = self.session.store
        if store.link is not self._link:
            self._link = store.link
            self._lost_at = time.monotonic()
        kinds = {kind for kind, _ in changed}
        if Kind.ENVIRONMENT in kinds:
            self._environments.update_rows()
            self._share_height()
        if Kind.TASK in kinds:
            shown = self._tasks.environment_id
            if shown and shown == self._environments.selected:
                self._tasks.update_rows(name for kind, name in changed if kind is Kind.TASK)
        self._paint_lines()

    def _tick(self) -> None:
        self._paint_lines()
        if self._link is Link.LIVE:
            self._environments.refresh()
            self._tasks.refresh()

    def _paint_lines(self) -> None:
        for line in self._lines[:2]:
            line.refresh()

    def _lost_for(self) -> float:
        return time.monotonic() - self._lost_at


def run_screen(settings: Settings) -> int:
    """Open the screen and return the exit code when it is closed. It starts without a core too, and waits for one."""

    async def run() -> int:
        client = Client(settings.endpoint, deadlines=Deadlines(connect_s=settings.connect_s))
        app = ConsoleApp(Session(client, timings=Timings(settle_s=settings.settle_s)), theme=settings.theme)
        return await app.run_async() or app.return_code or 0

    return asyncio.run(run())
