"""The home screen: all environments, what the selected one is up to, what ended, what happened last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from console.present import rate, size
from console.store import Key
from console.tui.painting import Lines, Part, Parts, title_line
from console.tui.screens.base import ConsoleScreen
from console.tui.widgets.ended_grid import EndedGrid
from console.tui.widgets.environment_grid import EnvironmentGrid
from console.tui.widgets.event_log import EventLog
from console.tui.widgets.fault_panel import FaultPanel
from console.tui.widgets.grid import Grid
from console.tui.widgets.transition_panel import TransitionPanel
from server.api.model import Environment, Kind

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

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("L", "log", "log", show=False, id="overview.log"),
        Binding("exclamation_mark", "first_fault", "first fault", show=False, id="overview.fault"),
    ]

    def body(self) -> ComposeResult:
        yield EnvironmentGrid(id="environments")
        yield TransitionPanel(id="transition")
        yield FaultPanel(id="fault")
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
        self._settle()
        self.repaint_lines()

    def take_all(self) -> None:
        for grid in self.query(Grid):
            grid.reload()
        if self._environments.row_index(self.desk.environment_id) is not None:
            self._environments.select(self.desk.environment_id)
        self._settle()
        self._share_height()
        self.repaint_lines()

    def on_resize(self, event: object) -> None:
        self.set_class(self.size.width < SIDE_BY_SIDE, "-narrow")
        self._share_height()

    def _settle(self) -> None:
        """Show the panels that have something to say."""
        for panel in (self.query_one(TransitionPanel), self.query_one(FaultPanel)):
            panel.is_short = True
            panel.settle()

    def _share_height(self) -> None:
        """Give the environments the lines they need, at most half of the screen."""
        wanted = self._environments.row_count() + 2
        self._environments.styles.height = max(4, min(wanted, self.size.height // 2))

    def tick(self) -> None:
        self._settle()
        super().tick()

    def action_first_fault(self) -> None:
        """Go to what failed first in the selected environment."""
        from console.tui.screens.environment import EnvironmentScreen  # not for the first paint

        shown = self.app.get_screen("environment", EnvironmentScreen)
        self.app.switch_screen("environment")
        shown.call_after_refresh(shown.action_first_fault)

    def action_log(self) -> None:
        """Show the output of the task that failed first in the selected environment."""
        fault = self.query_one(FaultPanel).fault
        from console.tui.screens.task import open_task  # not for the first paint

        if fault is not None and fault.task_id:
            open_task(self, fault.task_id, is_log=True)
        else:
            self.notify("no task of this environment failed", markup=False)

    @on(Grid.Selected, "#environments")
    def _on_selected(self, event: Grid.Selected) -> None:
        self._settle()
        self.repaint_lines()


class Summary(Lines):
    """What the selected environment is and does. Why it failed, and how its transition goes: the panels above it."""

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        environment = self.store.environment(self.desk.environment_id)
        if environment is None:
            return [title_line("Selected", "", looks, width)]
        heading = f"{environment.id}  {environment.template}  {environment.description}"
        return [
            title_line("Selected", heading, looks, width),
            [(f" {_quiet(environment)}", looks.text)],
            _users(environment, looks),
        ]


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
