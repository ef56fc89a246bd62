"""One environment: roles and tasks, what it is, what it went through, what it does now and why it failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.widget import Widget

from console.present import age, state_code
from console.store import Key
from console.subjects import Subject
from console.tui.painting import Lines, Part, Parts, width_of
from console.tui.screens.base import ConsoleScreen
from console.tui.screens.task import open_task
from console.tui.widgets.event_log import EventLog
from console.tui.widgets.facts import Facts
from console.tui.widgets.fault_panel import FaultPanel
from console.tui.widgets.grid import Grid, ListGrid
from console.tui.widgets.panes import Pane, PaneTabs, PaneTitle
from console.tui.widgets.role_tree import RoleGrid
from console.tui.widgets.task_grid import TaskGrid
from console.tui.widgets.timeline import TimelineGrid
from console.tui.widgets.transition_panel import TransitionPanel
from console.tui.widgets.variables import VariableGrid
from server.api.model import Kind

if TYPE_CHECKING:
    from console.tui.looks import Styles

MEDIUM, WIDE = 110, 170
"""Columns from which roles and tasks stand side by side, and from which all panes are shown at once."""
TALL = 34
"""Lines from which panels say everything."""

MANY = 1000
"""When more changed than that, everything is looked at: that costs less than to look for each."""
OF_ENVIRONMENT = (Kind.ENVIRONMENT, Kind.VARIABLES, Kind.HISTORY)

UPPER = (Pane("roles", "b", "Roles"), Pane("tasks", "x", "Tasks"))
LOWER = (
    Pane("facts", "f", "Facts"), Pane("variables", "v", "Variables"), Pane("timeline", "i", "Timeline"),
    Pane("own-events", "e", "Events"),
)  # fmt: skip


class EnvironmentScreen(ConsoleScreen):
    """S2 and S3 of the console's design."""

    tab = "environment"
    DEFAULT_CSS = """
    EnvironmentScreen #upper { height: 1fr; }
    EnvironmentScreen #left { width: 56; margin-right: 1; }
    EnvironmentScreen #right { width: 1fr; }
    EnvironmentScreen #tasks-pane { height: 1fr; }
    EnvironmentScreen #lower { height: 12; }
    EnvironmentScreen.-roomy #lower { height: 16; }
    EnvironmentScreen #all-tabs { display: none; }
    EnvironmentScreen .lower > PaneTitle { display: none; }

    EnvironmentScreen.-narrow #all-tabs { display: block; }
    EnvironmentScreen.-narrow #lower-tabs { display: none; }
    EnvironmentScreen.-narrow PaneTitle { display: none; }
    EnvironmentScreen.-narrow #left { width: 1fr; margin-right: 0; }
    EnvironmentScreen.-narrow #lower { height: 1fr; }

    EnvironmentScreen.-wide #left { width: 68; }
    EnvironmentScreen.-wide #lower { layout: grid; grid-size: 2 2; grid-gutter: 0 1; height: 28; }
    EnvironmentScreen.-wide #lower-tabs { display: none; }
    EnvironmentScreen.-wide .lower > PaneTitle { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(pane.key, f"pane('{pane.name}')", pane.title, show=False, id=f"pane.{pane.name}")
          for pane in (*UPPER, *LOWER)),
        Binding("tab", "next_pane(1)", "next pane", show=False, id="pane.next"),
        Binding("shift+tab", "next_pane(-1)", "pane before", show=False, id="pane.previous"),
        Binding("L", "log", "log", id="environment.log"),
        Binding("exclamation_mark", "first_fault", "first fault", id="environment.fault"),
        Binding("escape", "back", "all", show=False, id="environment.all"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._pane = "roles"
        """The pane that is shown where there is room for one only."""
        self._lower = "facts"
        """The one that is shown below the tasks where there is room for one only."""

    def body(self) -> ComposeResult:
        yield TitleLine(id="title")
        yield TransitionPanel(id="transition")
        yield FaultPanel(id="fault")
        yield PaneTabs([*UPPER, *LOWER], id="all-tabs")
        with Horizontal(id="upper"):
            with Vertical(id="left", classes="pane"):
                yield PaneTitle("Roles", self._say_roles)
                yield RoleGrid(id="roles")
            with Vertical(id="right"):
                with Vertical(id="tasks-pane", classes="pane"):
                    yield PaneTitle("Tasks", self._say_tasks)
                    yield TaskGrid(id="tasks")
                yield PaneTabs(LOWER, id="lower-tabs")
                with Container(id="lower"):
                    for pane, widget in zip(LOWER, self._lower_widgets(), strict=True):
                        with Vertical(classes="pane lower"):
                            yield PaneTitle(pane.title)
                            yield widget

    def _lower_widgets(self) -> Iterator[Widget]:
        yield Facts(id="facts")
        yield VariableGrid(id="variables")
        yield TimelineGrid(id="timeline")
        yield EventLog(id="own-events", only_selected=True)

    # ---- what is shown -----------------------------------------------------------------------

    def on_mount(self) -> None:
        if self.app.is_running:  # else it ends, and not all of this screen is there
            self._arrange()
            self.query_one(RoleGrid).focus()

    def take(self, changed: set[Key]) -> None:
        environment_id = self.desk.environment_id
        kinds = {kind for kind in OF_ENVIRONMENT if (kind, environment_id) in changed}
        if len(changed) > MANY:
            self.query_one(RoleGrid).update_rows(None)
            self._narrow()
            self.query_one(TaskGrid).reload()
        else:
            own, role = f"{environment_id}/", Kind.ROLE
            orders = [int(name[len(own) :]) for kind, name in changed if kind is role and name.startswith(own)]
            tasks = [name for kind, name in changed if kind is Kind.TASK]
            if orders or Kind.ENVIRONMENT in kinds:
                self.query_one(RoleGrid).update_rows(orders)
            if tasks:
                self.query_one(TaskGrid).update_rows(tasks)
            if orders:
                self._narrow()
        if Kind.VARIABLES in kinds:
            self.query_one(VariableGrid).reload()
        if kinds & {Kind.HISTORY, Kind.ENVIRONMENT}:
            self.query_one(TimelineGrid).reload()
        self.query_one(EventLog).take_new()
        self._settle()
        self.repaint_lines()

    def take_all(self) -> None:
        environment_id = self.desk.environment_id
        roles, tasks = self.query_one(RoleGrid), self.query_one(TaskGrid)
        if roles.environment_id == environment_id:
            roles.reload()
        roles.show_environment(environment_id)
        tasks.show_environment(environment_id)
        self._narrow()
        tasks.reload()
        for grid in (*self.query(ListGrid), self.query_one(EventLog)):
            grid.reload()
        self._settle()
        self.repaint_lines()

    def tick(self) -> None:
        self._settle()
        super().tick()

    def _settle(self) -> None:
        """Show the panels that have something to say."""
        transition, fault = self.query_one(TransitionPanel), self.query_one(FaultPanel)
        transition.settle()
        fault.settle()
        self.set_class(self.size.height >= TALL and not (transition.display or fault.display), "-roomy")

    @on(Grid.Selected, "#roles")
    def _on_role(self, event: Grid.Selected) -> None:
        self._narrow()

    def _narrow(self) -> None:
        """Show the tasks below the selected role; all of them for the root."""
        role = self.query_one(RoleGrid).selected_role
        only = None
        if role is not None and role.parent_order is not None:
            below = self.store.tasks_below(self.desk.environment_id, role.order)
            only = frozenset(task.task_id for task in below)
        self.query_one(TaskGrid).show_tasks(only)
        self.repaint_lines(["PaneTitle"])

    def _say_roles(self) -> str:
        roles = self.query_one(RoleGrid)
        order = "worst first" if roles.is_worst_first else "in the template's order"
        return f"{order}{_filtered(roles)}"

    def _say_tasks(self) -> str:
        tasks, role = self.query_one(TaskGrid), self.query_one(RoleGrid).selected_role
        where = f" below {role.name}" if tasks.only is not None and role is not None else ""
        return f"{tasks.row_count()}{where}{_filtered(tasks)}"

    # ---- panes -------------------------------------------------------------------------------

    @property
    def _is_narrow(self) -> bool:
        return self.size.width < MEDIUM

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        if self.app.is_running:
            self._arrange()

    def _arrange(self) -> None:
        """Show as many panes as there is room for."""
        width, height = self.size
        is_wide = width >= WIDE
        self.set_class(self._is_narrow, "-narrow")
        self.set_class(is_wide, "-wide")
        for panel in (self.query_one(TransitionPanel), self.query_one(FaultPanel)):
            panel.is_short = height < TALL
            panel.settle()
        shown = self._pane if self._is_narrow else ""
        lower_names = [pane.name for pane in LOWER]
        self.query_one("#left").display = shown in ("", "roles")
        self.query_one("#right").display = shown != "roles"
        self.query_one("#tasks-pane").display = shown in ("", "tasks")
        self.query_one("#lower").display = shown in ("", *lower_names)
        for name in lower_names:
            pane = self.query_one(f"#{name}").parent
            assert isinstance(pane, Widget)
            pane.display = is_wide or name == (shown or self._lower)
        self.query_one("#all-tabs", PaneTabs).show(self._pane)
        self.query_one("#lower-tabs", PaneTabs).show(self._lower)

    @on(PaneTabs.Picked)
    def _on_picked(self, event: PaneTabs.Picked) -> None:
        self.action_pane(event.name)

    def action_pane(self, name: str) -> None:
        """Show a pane and give it the keys."""
        self._pane = name
        if name in [pane.name for pane in LOWER]:
            self._lower = name
        self._arrange()
        widget = self.query_one(f"#{name}")
        if widget.can_focus:
            widget.focus()
        elif self.focused is not None and not self.focused.is_on_screen:
            self.set_focus(None if self._is_narrow else self.query_one(TaskGrid))

    def action_next_pane(self, step: int) -> None:
        """Go to the next pane, or the one before."""
        if not self._is_narrow:
            self.focus_next() if step > 0 else self.focus_previous()
            return
        names = [pane.name for pane in (*UPPER, *LOWER)]
        self.action_pane(names[(names.index(self._pane) + step) % len(names)])

    # ---- keys --------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Hide the transition panel; else show all roles' tasks again."""
        if not self.query_one(TransitionPanel).hide():
            self.query_one(RoleGrid).show_root()

    @on(Grid.Opened, "#tasks")
    def _on_task_opened(self, event: Grid.Opened) -> None:
        open_task(self, event.row)

    @on(Grid.Opened, "#roles")
    def _on_role_opened(self, event: Grid.Opened) -> None:
        role = self.query_one(RoleGrid).selected_role
        if role is not None and role.task_id:
            open_task(self, role.task_id)

    @property
    def subject(self) -> Subject:
        tasks, role = self.query_one(TaskGrid), self.query_one(RoleGrid).selected_role
        return Subject(task_id=tasks.selected if self.focused is tasks else role.task_id if role else "")

    def action_log(self) -> None:
        """Show the output of the selected task, or of the one that failed first."""
        task_id = self.subject.task_id
        if not task_id:
            fault = self.store.fault(self.desk.environment_id)
            task_id = (fault.task_id if fault else "") or self.query_one(TaskGrid).selected
        if task_id:
            open_task(self, task_id, is_log=True)
        else:
            self.notify("no task is selected", markup=False)

    def action_first_fault(self) -> None:
        """Select what failed first, in both lists."""
        fault = self.store.fault(self.desk.environment_id)
        if fault is None:
            self.notify("this environment has no fault", markup=False)
            return
        roles = self.query_one(RoleGrid)
        roles.show_only("")
        for role in self.store.roles(self.desk.environment_id):
            if (role.task_id == fault.task_id) if fault.task_id else (role.path == fault.role):
                roles.show_role(role.order)
                break
        self._narrow()
        self.query_one(TaskGrid).select(fault.task_id)
        self.action_pane("tasks")


class TitleLine(Lines):
    """The environment in one line: what it is, its state, since when."""

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        environment_id = self.desk.environment_id
        one = self.store.last_seen(environment_id)
        if one is None:
            text = "no environment is selected: choose one in the overview" if not environment_id else environment_id
            return [[(f" {text}", looks.dim)]]
        if self.store.environment(environment_id) is None:
            run = f", run {one.run_number or one.last_run_number}" if one.run_number or one.last_run_number else ""
            return [[(f" {one.id} is gone", looks.warn), (f"   it was {one.state}{run}   {one.template}", looks.dim)]]
        look = looks.look(one.state)
        code = state_code(one, ascii=looks.ascii) if one.transition else one.state
        parts: list[Part] = [(f" {one.id}  ", looks.title), (f"{look.glyph} {code}", look.style)]
        if one.run_number:
            parts.append((f"   run {one.run_number}", looks.bold))
        parts.append((f"   {age(self.desk.session.now() - one.state_since_ms / 1000)}", looks.text))
        for text, style in ((one.run_type, looks.text), (one.template, looks.text), (one.description, looks.dim)):
            if text and width_of(parts) + len(text) + 3 <= width:
                parts.append((f"   {text}", style))
        return [parts]


def _filtered(grid: Grid) -> str:
    return f"   / {grid.filter_text}" if grid.filter_text else ""
