"""What the keys of every screen ask for beside moving about: verbs, palette, lines, arming, copying, help, the end."""

from __future__ import annotations

import argparse
import asyncio
from collections import deque
from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input
from textual.worker import Worker

from console import keymap, legality
from console.safety import Arming
from console.session import Session
from console.settings import Settings, recordings_folder
from console.subjects import Subject
from console.tui import bindings, verb_keys
from console.tui.library import Library
from console.tui.painting import Line
from console.tui.taping import Taping
from console.tui.widgets.grid import Grid
from console.tui.widgets.header import Tab

if TYPE_CHECKING:
    from textual.binding import ActiveBinding

    from console.tui.looks import Styles
    from console.tui.operator import Operator

LAST_MINUTE_S = 60.0
TYPED_AHEAD = 4096
"""Keys that are kept for a line that is being made; more than anybody pastes into one."""
FAILURE_SHOWN_S = 10.0
"""A message of something that went wrong stays longer than others."""

OPENING = frozenset({"filter", "command", "palette"})
"""Actions that open a line to type into."""


class OperatorApp(App[int]):
    """An app that gives orders. What it shows: app.py."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *verb_keys.bindings(),
        Binding("A", "arm", "arm", id="app.arm"),
        # First of all keys, so that those typed right behind them find the line that they open.
        Binding("slash", "filter", "filter", id="app.filter", priority=True),
        Binding("colon", "command", "line", id="app.command", priority=True),
        Binding("ctrl+p", "palette", "palette", id="app.palette", priority=True),
        Binding("question_mark", "help", "help", id="app.help"),
        Binding("E", "expert", "act on task or host", show=False, id="app.expert"),
        Binding("y", "yank", "copy id", show=False, id="app.yank"),
        Binding("Y", "yank_line", "copy command", show=False, id="app.yank_line"),
        Binding("ctrl+q,q", "quit", "quit", id="app.quit"),
    ]  # fmt: skip

    looks: Styles
    tabs: Sequence[Tab]

    def __init__(self, session: Session, settings: Settings) -> None:
        # With the terminal's own colours allowed, textual takes NO_COLOR at its word.
        super().__init__(ansi_color=True if settings.is_colourless else None)
        self.session = session
        self.settings = settings
        self.arming = Arming(settings.arm_s)
        self._typed_ahead: deque[events.Event] = deque(maxlen=TYPED_AHEAD)
        self._was_letter = False
        """Of the key that was given last."""
        self.keymap = keymap.load(bindings.known, settings.keys)
        self._usual_keys = bindings.bindings_of(type(self))
        aside = partial(self.run_worker, group="library", exit_on_error=False)
        self.library = Library(session, aside, recordings_folder(settings))
        self.taping = Taping(session, lambda text, title, severity: self.tell(text, title=title, severity=severity))
        self.recording: Session | None = None
        """Plays the recording that shall be shown instead of this screen, which has ended for it."""
        self.farewell = ""
        """What is said when the screen is closed."""

    @cached_property
    def operator(self) -> Operator:
        """Carries out what is asked for; made when something is."""
        from console.tui.operator import Operator  # as all that follows a key, not for the first paint

        return Operator(self)

    @property
    def environment_id(self) -> str:
        """The environment that all screens are about, "" for none; it stays when the link is lost."""
        raise NotImplementedError

    @property
    def subject(self) -> Subject:
        """The task or host that is selected on the screen that is shown."""
        raise NotImplementedError

    @property
    def has_verbs(self) -> bool:
        """What is shown is about environments that are there."""
        raise NotImplementedError

    def focus_environment(self, environment_id: str) -> None:
        """Make all screens be about an environment."""
        raise NotImplementedError

    def action_show(self, name: str) -> None:
        """Show a screen by the name of its tab."""
        raise NotImplementedError

    def show_theme(self, name: str) -> None:
        """Use a theme from now on."""
        raise NotImplementedError

    def tell(self, text: str, *, title: str = "", severity: str = "information") -> None:
        """Say something in a corner of the screen for a while."""
        timeout_s = FAILURE_SHOWN_S if severity != "information" else None
        self.notify(text, title=title, severity=severity, timeout=timeout_s, markup=False)  # type: ignore[arg-type]

    # ---- observing and armed -----------------------------------------------------------------

    def mode_text(self) -> tuple[str, str]:
        """Return what can be done now, and the name of its style."""
        left_s = self.arming.remaining_s
        if not left_s:
            return "OBSERVE", "bar"
        return f"ARMED {f'{left_s / 60:.0f}m' if left_s >= LAST_MINUTE_S else f'{left_s:.0f}s'}", "armed"

    def recorded_text(self) -> str:
        """Return that this screen is recorded, and for how long by now; "" if it is not."""
        seconds = int(self.taping.duration_s)
        return f"REC {seconds // 60}:{seconds % 60:02}" if self.taping.is_on else ""

    def arm(self, seconds: float | None = None) -> None:
        """Make changes possible until nobody touched a key for a while."""
        self.arming.arm(seconds)
        self._was_armed = True
        self.refresh_bindings()

    def disarm(self) -> None:
        """Only observe again."""
        self.arming.disarm()
        self._was_armed = False
        self.refresh_bindings()

    def action_arm(self) -> None:
        """Arm after a word about what that means; disarm at once."""
        if self.arming.is_armed:
            self.disarm()
            self.tell("changes are not possible any more", title="observing")
            return
        if why_not := self.session.refusal():
            self.tell(why_not, title="cannot be armed", severity="warning")
            return
        from console.tui.asking import ask_to_arm  # as all that follows a key

        ask_to_arm(self)

    def tick_arming(self) -> None:
        """Tell when the arming ran out; once per second."""
        if self._was_armed and not self.arming.is_armed:
            self.disarm()
            self.tell("no key for a while: changes are not possible any more", title="observing", severity="warning")

    _was_armed = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys that open a line to dialogs and to what is being typed into."""
        if action in OPENING:
            return None if isinstance(self.screen, ModalScreen) or isinstance(self.focused, Input) else True
        return super().check_action(action, parameters)

    # ---- typing ------------------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.MouseDown | events.Paste):
            self.arming.touch()
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            if self._typed_ahead or self._must_wait(event):
                self._keep(event)
                return
            self._was_letter = is_letter(event)
        await super().on_event(event)

    async def _on_key(self, event: events.Key) -> None:
        """Keep a key that no widget took for the screen that is being built."""
        if not self.screen.is_mounted:
            event.prevent_default()
            self._keep(events.Key(event.key, event.character))

    def _must_wait(self, event: events.Event) -> bool:
        """What was pressed before has not come to its effect: a screen is not built, letters are not in their line."""
        if not self.screen_stack:
            return False
        screen = self.screen_stack[-1]
        if self._is_line_made or not screen.is_mounted:
            return True
        if self._was_letter and is_letter(event):
            return False
        if (
            not self._typed_ahead
            and not isinstance(screen.focused, Input)
            and not hasattr(screen, "is_made_for_typing")
        ):
            return False
        concerned = (screen.focused or screen).ancestors_with_self
        return any(one._pending_message or one.message_queue_size for one in concerned)

    @property
    def _is_line_made(self) -> bool:
        """A line to type into was asked for and is not there yet: what is typed meanwhile is for it."""
        return bool(self.screen_stack) and getattr(self.screen_stack[-1], "is_made_for_typing", False)

    def typing_begins(self, line: Line) -> None:
        """Give a line that can be typed into now what was typed while it was being made."""
        self.call_later(self._begin_typing, line)

    async def _begin_typing(self, line: Line) -> None:
        line.is_made_for_typing = False
        await self._give_typed_ahead()

    def _keep(self, event: events.Event) -> None:
        self._typed_ahead.append(event)
        if len(self._typed_ahead) == 1:
            self._give_soon()

    async def _give_typed_ahead(self) -> None:
        """Give one key after the other, each when the one before came to its effect."""
        while self._typed_ahead and self.is_running and not self._must_wait(self._typed_ahead[0]):
            event = self._typed_ahead.popleft()
            self._was_letter = is_letter(event)
            await super().on_event(event)
        if self._typed_ahead:
            self._give_soon()

    def _give_soon(self) -> None:
        """Look again when the widgets have had their turn; a line that is being made says when it can be typed into."""
        if self.is_running and not self._is_line_made:
            asyncio.get_running_loop().call_soon(self.call_later, self._give_typed_ahead)

    # ---- orders ------------------------------------------------------------------------------

    def action_verb(self, key: str) -> None:
        """Give the verb that a key means for the environment that the screens are about."""
        environment_id = self.environment_id
        command = verb_keys.meant(verb_keys.by_key()[key], self.session, environment_id)
        if not self.has_verbs and legality.takes_environment(command):
            told = "this screen is about an environment that is not there yet; others have its keys"
            self.tell(told, title=f"{command.name}: not here", severity="warning")
            return
        if not environment_id and legality.takes_environment(command):
            self.tell("no environment selected", title=f"{command.name}: not possible now", severity="warning")
            return
        from console.tui.order import words_for  # as all that follows a key

        self.operator.submit(words_for(command, self.session.store, environment_id))

    def key_look(self, active: ActiveBinding) -> tuple[str, bool]:
        """Return the word for a key in the last line, "" for none, and whether what it means is possible now."""
        binding = active.binding
        is_verb = binding.id == "app.arm" or binding.action.startswith(f"{verb_keys.ACTION}(")
        if is_verb and self.session.replay is not None:
            return "", False
        if is_verb and binding.id != "app.arm" and not self.has_verbs:
            return "", False
        if is_verb and binding.id != "app.arm":
            key = binding.action.split("'")[1]
            return verb_keys.shown(key, self.session, self.environment_id, self.arming)
        if binding.id == "app.arm":
            return ("disarm", True) if self.arming.is_armed else ("arm", not self.session.refusal())
        return binding.description, active.enabled

    def shown_key(self, usual: str) -> str:
        """Return how a key is shown that the table of verbs, or a tab, has for itself: where the user has moved it."""
        binding = next((name for name, keys in self._usual_keys.items() if usual in keys.split(",")), "")
        return self.get_key_display(Binding(self.keymap.key_of(binding, usual) if binding else usual, ""))

    def show_output(self, task_id: str, *, is_stderr: bool) -> None:
        """Follow what a task writes."""
        raise NotImplementedError

    def record(self, path: str = "") -> None:
        """Begin to record what is shown, or end it."""
        raise NotImplementedError

    def play(self, args: argparse.Namespace) -> None:
        """Leave this screen for a recording."""
        raise NotImplementedError

    def create_environment(self) -> None:
        """Begin a new environment."""
        self.action_show("create")

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if "operator" in self.__dict__:
            self.operator.broke(event.worker)

    def dialog_closed(self) -> None:
        """Show what waited for a dialog to close."""
        if self.is_running:
            self.call_later(self.operator.show_waiting)

    # ---- what is opened over a screen: with all that is imported for it -----------------------

    def action_command(self, text: str = "") -> None:
        """Open the ``:`` line."""
        from console.tui import opening

        opening.open_line(self, text)

    def action_filter(self) -> None:
        """Filter the focused list, else the first of the screen."""
        from console.tui import opening

        opening.open_filter(self)

    def action_expert(self) -> None:
        """Open the palette on what can be done with the selected task or host."""
        task_id, host = self.subject
        if task_id or host:
            self.action_palette(task_id or host)
        else:
            self.tell("no task and no host is selected here", title="act on task or host")

    def action_palette(self, typed: str = "") -> None:
        """Open the palette."""
        from console.tui import opening

        opening.open_palette(self, typed)

    def action_help(self) -> None:
        """Show the keys of what has the focus and of this screen, and all verbs."""
        from console.tui import opening

        opening.open_help(self)

    # ---- copying -----------------------------------------------------------------------------

    def action_yank(self) -> None:
        """Copy the id of what is selected."""
        focused = self.focused
        text = focused.copied_text() if isinstance(focused, Grid) else self.environment_id
        self.copy(text or self.environment_id)

    def action_yank_line(self) -> None:
        """Copy the act that was asked for last as a command line."""
        self.copy(self.operator.last_line)

    def copy(self, text: str) -> None:
        """Copy a text to the terminal's clipboard, and show it."""
        if text:
            self.copy_to_clipboard(text)
            self.tell(text, title="copied")
        else:
            self.tell("nothing to copy yet", title="copy")

    # ---- the end -----------------------------------------------------------------------------

    async def action_quit(self) -> None:
        """Close the screen."""
        from console.tui.asking import leave  # as all that follows a key

        leave(self, lambda: self.exit(0))


def is_letter(event: events.Event) -> bool:
    """Say whether a key is a letter of a word: one does not change what the next one means. A blank may take what is marked."""
    return isinstance(event, events.Key) and event.is_printable and event.key != "space"
