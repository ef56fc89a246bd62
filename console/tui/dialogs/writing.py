"""Asks for a text of several lines, and says what is wrong with it before it is taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from console.tui.dialogs.base import Dialog, Row, Sheet

SHOWN = 8
"""Complaints that are listed before the rest is counted."""


class Writing(Dialog[str]):
    """The answer is the text, None for Esc.

    Args:
        explanation: what is asked for.
        text: what stands there at first.
        complaints: says what is wrong with a text, nothing if it is taken.
        rows: height of the text.
    """

    DEFAULT_CSS = """
    Writing > #box { width: 90; }
    Writing TextArea, Writing TextArea:focus { border: none; background: $panel; padding: 0 1; margin: 1 0; height: 8; }
    """
    is_made_for_typing = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "accept", "take it", priority=True, id="writing.accept")]

    def __init__(
        self, title: str, explanation: str, text: str, complaints: Callable[[str], Sequence[str]], *, rows: int = 8
    ) -> None:
        super().__init__(title)
        self._explanation = explanation
        self._text = text
        self._complaints = complaints
        self._height = rows

    def body(self) -> ComposeResult:
        yield Sheet([[(self._explanation, self.looks.dim)]])
        area = TextArea(self._text, soft_wrap=True, tab_behavior="focus", highlight_cursor_line=False)
        area.cursor_blink = False
        yield area
        yield Sheet(id="complaints")

    def on_mount(self) -> None:
        super().on_mount()
        area = self.query_one(TextArea)
        area.styles.height = max(3, min(self._height, self.app.size.height - 12))
        area.move_cursor(area.document.end)
        area.focus()
        self._say(())
        self.desk.typing_begins(self)

    def action_accept(self) -> None:
        """Take the text, or say what is wrong with it."""
        text = self.query_one(TextArea).text
        wrong = self._complaints(text)
        if wrong:
            self._say(wrong)
        else:
            self.dismiss(text)

    def _say(self, wrong: Sequence[str]) -> None:
        looks = self.looks
        rows: list[Row] = [[(f"{looks.glyph('bad')} {one}", looks.alarm)] for one in wrong[:SHOWN]]
        if len(wrong) > SHOWN:
            rows.append([(f"and {len(wrong) - SHOWN} more", looks.alarm)])
        rows.append([("ctrl+s", looks.key), (" takes it   ", looks.dim), ("esc", looks.key), (" leaves", looks.dim)])
        self.query_one("#complaints", Sheet).show(rows)
