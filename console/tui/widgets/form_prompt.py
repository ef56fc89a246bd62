"""One line at the bottom to type into: what it is for, the text, what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from console.store import Key
from console.tui.painting import AtDesk


class Prompt(AtDesk, ModalScreen[None]):
    """Enter gives the text to ``take``, which says what is wrong with it; Esc leaves.

    Args:
        label: what is asked for, a few words.
        text: what stands there at first.
        take: uses the text, and returns why it cannot be used, "" if it was.
    """

    DEFAULT_CSS = """
    Prompt { background: transparent; }
    Prompt > #entry { height: auto; width: 100%; dock: bottom; background: $selection; }
    Prompt Horizontal { height: 1; }
    Prompt Label { background: $selection; }
    Prompt #label { color: $accent; text-style: bold; padding: 0 1; }
    Prompt #problem { color: $alarm; text-style: bold; padding: 0 1; width: 100%; display: none; }
    Prompt.-problem #problem { display: block; }
    Prompt Input { width: 1fr; height: 1; border: none; padding: 0; background: $selection; }
    """
    is_made_for_typing = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave", id="prompt.leave")]

    def __init__(self, label: str, text: str, take: Callable[[str], str], *, hint: str = "") -> None:
        super().__init__()
        self._label = label
        self._text = text
        self._take = take
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical(id="entry"):
            yield Label(id="problem")
            with Horizontal():
                yield Label(Content(self._label), id="label")
                entry = Input(self._text, placeholder=self._hint, compact=True, select_on_focus=False)
                entry.cursor_blink = False
                yield entry

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self.desk.typing_begins(self)

    def take(self, changed: set[Key]) -> None:
        """Nothing of the picture is shown here."""

    def action_leave(self) -> None:
        self.dismiss(None)

    @on(Input.Changed)
    def _on_changed(self, event: Input.Changed) -> None:
        self.remove_class("-problem")

    @on(Input.Submitted)
    def _on_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        problem = self._take(event.value)
        if problem:
            self.query_one("#problem", Label).update(Content(f"{self.looks.glyph('bad')} {problem}"))
            self.add_class("-problem")
        else:
            self.dismiss(None)
