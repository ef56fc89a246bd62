"""The home screen: all environments, what the selected one is up to, what ended, what happened last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from console.present import fault_line, rate, size, step_line
from console.store import Key
from console.tui.painting import Lines, Part, Parts
from console.tui.screens.base import ConsoleScreen
from console.tui.widgets.ended_grid import EndedGrid
from console.tui.widgets.environment_grid import EnvironmentGrid
from console.tui.widgets.event_log import EventLog
from console.tui.widgets.grid import Grid
from server.api.model import Environment, Fault, Kind

if TYPE_CHECKING:
    from console.tui.looks import Styles

SIDE_BY_SIDE = 110
"""Columns from which what ended stands beside the events."""


class OverviewScreen(ConsoleScreen):
    """S1 of the console's design."""

    tab = "overview"
    DEFAULT_CSS = """
    OverviewScreen #environments { height: 6; }
    OverviewScreen #summary { height: 4; }
    OverviewScreen #ended { width: 46; margin-right: 1; }
    OverviewScreen #events { width: 1fr; }
    OverviewScreen.-narrow #ended { display: none; }
    """

    def body(self) -> ComposeResult:
        yield EnvironmentGrid(id="environments")
        yield Summary(id="summary")
        with Horizontal():
            yield EndedGrid(id="ended")
            yield EventLog(id="events", with_details=False)

    def on_mount(self) -> None:
        self._environments.focus()

    @property
    def _environments(self) -> EnvironmentGrid:
        return self.query_one(EnvironmentGrid)

    def take(self, changed: set[Key]) -> None:
        kinds = {kind for kind, _ in changed}
        if Kind.ENVIRONMENT in kinds:
            self._environments.reload()
            self.query_one(EndedGrid).reload()
            self._share_height()
        self.query_one(EventLog).take_new()
        self._tell_selection()
        self.repaint_lines()

    def take_all(self) -> None:
        for grid in self.query(Grid):
            grid.reload()
        if self.desk.environment_id:
            self._environments.select(self.desk.environment_id)
        self._tell_selection()
        self._share_height()
        self.repaint_lines()

    def on_resize(self, event: object) -> None:
        self.set_class(self.size.width < SIDE_BY_SIDE, "-narrow")
        self._share_height()

    def _share_height(self) -> None:
        """Give the environments the lines they need, at most half of the screen."""
        wanted = self._environments.row_count() + 2
        self._environments.styles.height = max(4, min(wanted, self.size.height // 2))

    def tick(self) -> None:
        self._tell_selection()
        super().tick()

    def _tell_selection(self) -> None:
        """Say again which environment is selected if nobody heard it: a screen that is being built is not heard."""
        grid = self._environments
        if grid.selected and not self.desk.environment_id:
            grid.post_message(Grid.Selected(grid, grid.selected))

    @on(Grid.Selected, "#environments")
    def _on_selected(self, event: Grid.Selected) -> None:
        self.repaint_lines()


class Summary(Lines):
    """What the selected environment does or why it failed, and the next step."""

    def ground(self, looks: Styles) -> Style:
        return looks.text

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        environment = self.store.environment(self.desk.environment_id)
        if environment is None:
            fault = self.store.last_fault()
            if fault is None:
                return [title_line("Selected", "", looks, width)]
            heading = f"{fault.environment_id} is gone; its first fault was"
            return [title_line("Selected", heading, looks, width), *fault_parts(fault, looks)]
        heading = f"{environment.id}  {environment.template}  {environment.description}"
        fault = self.store.fault(environment.id)
        first = title_line("First fault" if fault else "Selected", heading, looks, width)
        if environment.transition is not None:
            look = looks.look(environment.state)
            user = f"  by {environment.transition.user}" if environment.transition.user else ""
            return [
                first,
                [(f" {look.glyph} ", look.style), (f"{step_line(environment.transition)}{user}", looks.bold)],
            ]
        if fault is not None:
            return [first, *fault_parts(fault, looks)]
        return [first, [(f" {_quiet(environment)}", looks.text)], _users(environment, looks)]


def title_line(title: str, rest: str, looks: Styles, width: int) -> list[Part]:
    """Return the heading of a panel over the whole width."""
    parts = [(f" {title} ", looks.heading)]
    text = f" {rest}"
    return [*parts, (text + " " * max(0, width - len(title) - 2 - len(text)), looks.heading)]


def fault_parts(fault: Fault, looks: Styles) -> list[Parts]:
    """Return a first fault as lines: what, where, since when, cause; next step."""
    lines: list[Parts] = [[(f" {looks.glyph('bad')} ", looks.alarm), (fault_line(fault), looks.alarm)]]
    if fault.hint:
        lines.append([("   next: ", looks.dim), (fault.hint, looks.text)])
    return lines


def _quiet(environment: Environment) -> str:
    parts = [f"{environment.tasks_active} of {environment.tasks_total} tasks active on {environment.hosts} hosts"]
    if environment.state == "RUNNING":
        parts.append(rate(environment.bytes_per_s))
    if environment.bytes_moved:
        parts.append(f"{size(environment.bytes_moved)} moved")
    return "   ".join(parts)


def _users(environment: Environment, looks: Styles) -> list[Part]:
    words = []
    if environment.owner.name:
        words.append(f"owner {environment.owner.name}")
    if environment.last_user.name and environment.last_user != environment.owner:
        words.append(f"last changed by {environment.last_user.name}")
    if environment.last_run_number and not environment.run_number:
        words.append(f"last run {environment.last_run_number}")
    return [(f" {'   '.join(words)}", looks.dim)]
