"""The screen of the console: one app on one session. Only wiring: who shows what is in screens/ and widgets/.

Widgets read the store while they paint; the session says what changed, and what can be seen of it is painted once per
frame.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, ClassVar, cast

from textual import on, work
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.widget import Widget

from console import themes
from console.session import Session
from console.settings import Settings, recordings_folder
from console.store import Key
from console.subjects import Subject
from console.theme_watch import watch_theme
from console.tui import bindings
from console.tui.actions import OperatorApp
from console.tui.frames import Frames
from console.tui.looks import Styles, default_variables, screen_theme
from console.tui.painting import PlainScrollBar
from console.tui.screens.base import ConsoleScreen
from console.tui.screens.overview import OverviewScreen
from console.tui.widgets.grid import Grid
from console.tui.widgets.header import Tab
from server.api.errors import AliecsError

CLOCK_S = 1.0
"""Between two paints of what shows the passing of time; changes are painted when they come."""

REST_S = 1.0
"""From the start until everything is imported that was not needed for it."""

PROBLEM_S = 15.0
"""How long it is shown that a file of the user's is wrong."""

TABS = (
    Tab("overview", "1", "Overview"),
    Tab("environment", "2", "Environment"),
    Tab("tasks", "3", "Tasks"),
    Tab("events", "4", "Events"),
    Tab("create", "7", "New"),
    Tab("services", "8", "Services"),
)

KEY_NAMES = {
    "ctrl": "^", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup", "question_mark": "?", "colon": ":", "slash": "/",
    "left_square_bracket": "[", "right_square_bracket": "]", "exclamation_mark": "!", "plus": "+", "minus": "-",
    "asterisk": "*", "full_stop": ".", "comma": ",",
    "greater_than_sign": ">", "less_than_sign": "<",
}  # fmt: skip
"""What Textual's names of keys are shortened to."""


def later(name: str) -> Callable[[], Screen[Any]]:
    """Return what makes a screen when it is shown for the first time; what it needs is imported then, or after a while."""
    module, _, kind = name.partition(":")
    return lambda: cast("Screen[Any]", getattr(import_module(f"console.tui.screens.{module}"), kind)())


class ConsoleApp(OperatorApp):
    """The console's screen on one session; the app closes it.

    Args:
        session: not yet following.
        settings: how it looks and what it may do.
        problem: what is wrong with them, to be shown.
    """

    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    SCREENS: ClassVar[dict[str, Callable[[], Screen[Any]]]] = {
        "overview": OverviewScreen,
        "environment": later("environment:EnvironmentScreen"),
        "tasks": later("tasks:TasksScreen"),
        "task": later("task:TaskScreen"),
        "events": later("events:EventsScreen"),
        "create": later("create:CreateScreen"),
        "services": later("services:ServicesScreen"),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(f"{tab.key},f{tab.key}", f"show('{tab.name}')", tab.title, show=False, id=f"app.{tab.name}")
          for tab in TABS),
        Binding("tab", "focus_next", "next pane", show=False, id="app.next"),
        Binding("shift+tab", "focus_previous", "pane before", show=False, id="app.previous"),
        Binding("T", "next_theme", "theme", show=False, id="app.theme"),
        Binding("R", "record", "record", show=False, id="app.record"),
        Binding("m", "note", "note", show=False, id="app.note"),
        Binding("ctrl+l", "redraw", "redraw", show=False, id="app.redraw"),
    ]  # fmt: skip

    def __init__(self, session: Session, settings: Settings | None = None, *, problem: str = "") -> None:
        super().__init__(session, settings or Settings())
        self.tabs: Sequence[Tab] = [tab._replace(key=self.shown_key(tab.key)) for tab in TABS]
        self._environment_id = ""
        self._frames = Frames(self._paint, self.set_timer)
        self._problems = [*([problem] if problem else []), *self.keymap.problems]
        """Found before there was a screen to show them on."""
        self.set_class(self.settings.ascii, "-ascii")
        ScrollBar.renderer = PlainScrollBar if self.settings.ascii else ScrollBarRender  # of all bars of the process
        if self.settings.reduced_motion:
            self.animation_level = "none"
        self.show_theme(self.settings.theme)

    # ---- what the widgets ask ----------------------------------------------------------------

    @property
    def environment_id(self) -> str:
        """The environment that all screens are about, "" for none; it stays when the link is lost."""
        return self._environment_id

    @property
    def subject(self) -> Subject:
        screen = self.console_screen
        subject = screen.subject if screen else Subject()
        task = self.session.store.task(subject.task_id) if subject.task_id else None
        return subject._replace(host=task.host) if task and not subject.host else subject

    @property
    def shown_tab(self) -> str:
        screen = self.console_screen
        return screen.tab if screen else ""

    @property
    def has_verbs(self) -> bool:
        screen = self.console_screen
        return screen is None or screen.has_verbs

    @property
    def console_screen(self) -> ConsoleScreen | None:
        """The screen that is shown, or that a dialog stands on."""
        return next((it for it in reversed(self.screen_stack) if isinstance(it, ConsoleScreen)), None)

    def extra_lines(self) -> Iterable[Widget]:
        """Return widgets that stand above the keys of every screen."""
        return ()

    def focus_environment(self, environment_id: str) -> None:
        """Make all screens be about an environment."""
        if environment_id != self._environment_id:
            self._environment_id = environment_id
            self.session.focus(environment_id)
            screen = self.console_screen
            if screen is not None:
                screen.environment_changed()

    def get_key_display(self, binding: Binding) -> str:
        """Return a key as the screen names it, in ASCII and short."""
        return "+".join(KEY_NAMES.get(part, part) for part in binding.key.split("+")).replace("^+", "^")

    # ---- life --------------------------------------------------------------------------------

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return default_variables()

    def on_mount(self) -> None:
        self.set_keymap(dict(self.keymap.keys))
        self.push_screen("overview")
        self.set_interval(CLOCK_S, self._tick)
        self._following = contextlib.ExitStack()
        self._following.enter_context(self.session.listening(self._frames.add))
        self.session.follow()
        self._follow_theme(self._theme_name)
        for problem in self._problems:
            self._warn(problem)
        self.set_timer(REST_S, lambda: self._import_rest(bindings.modules()))

    def _import_rest(self, names: Iterator[str]) -> None:
        """Import what the first paint did without, one by one: later the files may be those of another version."""
        if (name := next(names, "")) and self.is_running:
            import_module(name)
            self.call_later(self._import_rest, names)

    async def on_unmount(self) -> None:
        self._following.close()
        self.farewell = await self.taping.end()
        await self.session.close()

    # ---- looks -------------------------------------------------------------------------------

    def show_theme(self, name: str) -> None:
        """Use a theme from now on; if it is broken, say so and use the one that is used then."""
        loaded = themes.load(name)
        self._use_theme(loaded.theme)
        self._theme_name = name
        if not self.is_running:
            self._problems += [loaded.problem] if loaded.problem else []
            return
        if loaded.problem:
            self._warn(loaded.problem)
        self._follow_theme(name)

    @work(group="theme", exclusive=True)
    async def _follow_theme(self, name: str) -> None:
        """Use what the theme's files say whenever they change; what is broken is told, and nothing changes."""
        used = self.looks.theme
        async for found in watch_theme(name, used if used.name == name else None):
            self._warn(found) if isinstance(found, str) else self._use_theme(found)

    def _use_theme(self, theme: themes.Theme) -> None:
        self.looks = Styles(theme, ascii=self.settings.ascii, reduced_motion=self.settings.reduced_motion)
        self.register_theme(screen_theme(theme))
        if self.theme == theme.name:
            self.mutate_reactive(ConsoleApp.theme)  # the same name, with other colours
        self.theme = theme.name
        if self.is_running:
            self._repaint()

    def _warn(self, problem: str) -> None:
        self.notify(problem, severity="warning", markup=False, timeout=PROBLEM_S)

    def action_next_theme(self) -> None:
        names = themes.names()
        at = names.index(self.theme) + 1 if self.theme in names else 0
        self.show_theme(names[at % len(names)])

    def action_redraw(self) -> None:
        self.refresh(repaint=True, layout=True)
        self._repaint()

    # ---- recordings --------------------------------------------------------------------------

    def action_record(self) -> None:
        self.record()

    def record(self, path: str = "") -> None:
        if self.session.replay is not None:
            self.tell("a recording is not recorded again", title="record", severity="warning")
        else:
            self.run_worker(self._record(path), group="record", exit_on_error=False)

    async def _record(self, path: str) -> None:
        from console.exit_codes import explain  # as for SCREENS
        from console.recordings import new_path

        file = new_path(recordings_folder(self.settings), path)
        try:
            if told := await self.taping.toggle(file):
                self.tell(told, title="recording")
        except AliecsError as error:
            self.tell(explain(error), title="not recorded", severity="warning")
        self.library.forget("recordings")

    def action_note(self) -> None:
        """Note something in the recording of this screen."""
        if not self.taping.is_on:
            self.tell(f"nothing is recorded: {self.shown_key('R')} begins a recording", title="note")
            return
        from console.tui.widgets.form_prompt import Prompt  # as for SCREENS

        self.push_screen(Prompt("note", "", self._note, hint="stands in the recording at this moment"))

    def _note(self, text: str) -> str:
        if text.strip() and not self.taping.mark(text.strip()):
            return "the recording has ended"
        return ""

    def play(self, args: argparse.Namespace) -> None:
        """Leave this screen for a recording; the one that runs the screens brings this one back after it."""
        self.run_worker(self._play(args), group="play", exclusive=True, exit_on_error=False)

    async def _play(self, args: argparse.Namespace) -> None:
        from console.execute import open_recording  # as for SCREENS
        from console.exit_codes import explain
        from console.tui.asking import leave

        try:
            session = await open_recording(args, self.settings, usual_speed=1.0)
        except AliecsError as error:
            self.tell(explain(error), title="not played", severity="warning")
            return

        def go() -> None:
            self.recording = session
            self.exit(0)

        leave(self, go, word="Leave")

    # ---- screens -----------------------------------------------------------------------------

    def action_show(self, name: str) -> None:
        """Show a screen by the name of its tab."""
        while not isinstance(self.screen, ConsoleScreen) and len(self.screen_stack) > 1:
            self.pop_screen()
        if self.shown_tab != name:
            self.switch_screen(name)

    def show_output(self, task_id: str, *, is_stderr: bool) -> None:
        """Follow what a task writes, on its screen."""
        screen = self.console_screen
        if screen is not None:
            from console.tui.screens.task import open_task  # as for SCREENS
            from console.tui.widgets.task_log import STDERR, STDOUT

            open_task(screen, task_id, is_log=True, stream=STDERR if is_stderr else STDOUT)

    @on(Grid.Selected, "#environments")
    def _on_environment(self, event: Grid.Selected) -> None:
        self.focus_environment(event.row)

    @on(Grid.Opened, "#environments")
    def _on_environment_opened(self, event: Grid.Opened) -> None:
        self.focus_environment(event.row)
        self.action_show("environment")

    # ---- from the session --------------------------------------------------------------------

    def _paint(self, changed: set[Key]) -> None:
        if not self.is_running:  # it is being taken apart
            return
        if not self._environment_id and (known := self.session.store.environments()):
            self.focus_environment(known[0].id)
        for screen in self.screen_stack:
            take = getattr(screen, "take", None)
            if take is not None and screen.is_mounted:  # a screen that is being built reads everything when it is shown
                take(changed)

    def _tick(self) -> None:
        if not self.is_running:
            return
        self.tick_arming()
        below = self.console_screen
        for screen in self.screen_stack:
            tick = getattr(screen, "tick", None)
            if tick is not None and screen.is_mounted and (screen is below or screen.is_modal):
                tick()

    def _repaint(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, ConsoleScreen):
                screen.repaint()
