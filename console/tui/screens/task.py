"""One task: what it is and measures, what it writes, and all that the core says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from console.present import short_class
from console.store import Key
from console.subjects import Subject
from console.tui.painting import Lines, Parts
from console.tui.screens.base import ConsoleScreen
from console.tui.widgets.panes import Pane, PaneTabs
from console.tui.widgets.task_details import TaskDetails
from console.tui.widgets.task_facts import TaskFacts
from console.tui.widgets.task_log import STDERR, STDOUT, TaskLog
from server.api.errors import AliecsError
from server.api.model import Kind

if TYPE_CHECKING:
    from console.tui.looks import Styles

NAME = "task"
DETAILS = "details"
PANES = (Pane(STDOUT, "o", "stdout"), Pane(STDERR, "e", "stderr"), Pane(DETAILS, "v", "Details"))


def open_task(screen: ConsoleScreen, task_id: str, *, is_log: bool = False, stream: str = "") -> None:
    """Show a task in the place of a screen, which Esc brings back.

    Args:
        is_log: its output only.
        stream: the one of its outputs; "" for the one that says something.
    """
    shown = screen.app.get_screen(NAME, TaskScreen)
    if shown is screen:
        shown.show_task(task_id, back_to="", is_log=is_log, stream=stream)
        shown.take_all()
    else:
        shown.show_task(task_id, back_to=screen.tab, is_log=is_log, stream=stream)
        screen.app.switch_screen(NAME)


class TaskScreen(ConsoleScreen):
    """Opened from a list of tasks; Esc goes back there."""

    tab = NAME
    DEFAULT_CSS = """
    TaskScreen #task-facts { height: 6; }
    TaskScreen #task-panes { height: 1fr; }
    TaskScreen.-log #task-facts { display: none; }
    TaskScreen TaskDetails { display: none; }
    TaskScreen.-details TaskDetails { display: block; }
    TaskScreen.-details TaskLog { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(pane.key, f"pane('{pane.name}')", pane.title, id=f"task.{pane.name}") for pane in PANES),
        Binding("L", "log", "log only", id="task.log"),
        Binding("escape", "back", "back", id="task.back"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.task_id = ""
        self._back_to = "tasks"
        self._is_log = False
        self._stream = ""
        """The output that was asked for and is not shown yet."""
        self._asked_state = ""
        """State of the task when the core was asked for details."""

    def show_task(self, task_id: str, *, back_to: str, is_log: bool, stream: str = "") -> None:
        """Be about another task from now on."""
        self._stream = stream
        self._back_to = back_to or self._back_to
        self._is_log = is_log
        self._asked_state = "" if task_id != self.task_id else self._asked_state
        self.task_id = task_id

    @property
    def subject(self) -> Subject:
        return Subject(task_id=self.task_id)

    def body(self) -> ComposeResult:
        yield TaskTitle(id="task-title")
        yield TaskFacts(id="task-facts")
        yield PaneTabs(PANES, id="task-tabs")
        with Vertical(id="task-panes"):
            yield TaskLog(id="task-log")
            yield TaskDetails(id=DETAILS)

    # ---- what is shown -----------------------------------------------------------------------

    def take(self, changed: set[Key]) -> None:
        if (Kind.TASK, self.task_id) in changed:
            self._show()
        self.repaint_lines()

    def take_all(self) -> None:
        self.set_class(self._is_log, "-log")
        log = self.query_one(TaskLog)
        self._show()
        if self._stream:
            log.show_stream(self._stream)
            self._stream = ""
        if self.focused is None or not self.focused.is_on_screen:
            log.focus()
        self._mark()
        self.repaint_lines()

    def _show(self) -> None:
        """Read the task anew."""
        facts = self.query_one(TaskFacts)
        facts.show_task(self.task_id)
        task = facts.shown
        self.query_one(TaskLog).show_task(task.sandbox_stdout if task else "", self.task_id)
        self._share_height()
        self._ask()

    def environment_changed(self) -> None:
        """A task is not about the selected environment."""

    def tick(self) -> None:
        self._mark()
        super().tick()

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._share_height()

    def _share_height(self) -> None:
        """Give the facts what they need, at most half of the screen."""
        facts = self.query_one(TaskFacts)
        facts.styles.height = max(3, min(facts.wanted_height(self.size.width), self.size.height // 2 - 4))

    def _ask(self) -> None:
        """Ask the core for details, when the task is new here or in another state."""
        task = self.query_one(TaskFacts).shown
        state = f"{self.task_id} {task.state if task else ''}"
        if state != self._asked_state:
            self._asked_state = state
            self.run_worker(self._fetch(self.task_id), group="task-details", exclusive=True, exit_on_error=False)

    async def _fetch(self, task_id: str) -> None:
        """Show what the core says of the task; its client's deadline ends that."""
        details, facts = self.query_one(TaskDetails), self.query_one(TaskFacts)
        try:
            info = await self.desk.session.client.task(task_id)
        except AliecsError as error:
            details.show(None, error.message)
            return
        details.show(info)
        facts.command = " ".join([info.command, *info.arguments])
        facts.repaint()

    # ---- keys --------------------------------------------------------------------------------

    def action_pane(self, name: str) -> None:
        """Show a pane and give it the keys."""
        log = self.query_one(TaskLog)
        self.set_class(name == DETAILS, "-details")
        if name == DETAILS:
            self.query_one(TaskDetails).focus()
        else:
            log.show_stream(name)
            log.focus()
        self._mark()

    def _mark(self) -> None:
        """Mark the tab of what is shown; the log may have gone over to the other stream."""
        tabs = self.query_one(PaneTabs)
        name = DETAILS if self.has_class("-details") else self.query_one(TaskLog).stream
        if tabs.shown != name:
            tabs.show(name)

    @on(PaneTabs.Picked)
    def _on_picked(self, event: PaneTabs.Picked) -> None:
        self.action_pane(event.name)

    def action_log(self) -> None:
        """Show nothing but the log, or everything again."""
        self._is_log = not self._is_log
        self.set_class(self._is_log, "-log")

    def action_back(self) -> None:
        self.app.switch_screen(self._back_to)


class TaskTitle(Lines):
    """The task in one line."""

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        screen = self.screen
        assert isinstance(screen, TaskScreen)
        task = screen.query_one(TaskFacts).shown
        if task is None:
            return [[(f" {screen.task_id}", looks.title), ("   no such task", looks.dim)]]
        look = looks.look(task.state, critical=task.critical)
        return [[
            (f" {short_class(task.name or task.class_name)}  ", looks.title), (f"{look.glyph} {look.code}", look.style),
            (f"   {task.host}", looks.bold), (f"   {task.task_id}", looks.text), (f"   {task.path}", looks.dim),
        ]]  # fmt: skip
