"""The one line that is laid over a value while it is typed."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from console.tui.widgets.form_variables import VariableGrid


class Editor(Input):
    """Enter and Tab take what was typed, Esc leaves the value as it was."""

    DEFAULT_CSS = """
    Editor { layer: above; position: absolute; height: 1; border: none; padding: 0; background: $selection; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", id="editor.leave"),
        Binding("tab,down,up", "accept", "take", show=False, id="editor.accept"),
    ]

    class Accepted(Message):
        """A value was typed."""

        def __init__(self, name: str, text: str) -> None:
            super().__init__()
            self.name = name
            self.text = text

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.display = False
        self._name = ""

    def open(self, grid: VariableGrid, name: str, text: str) -> None:
        """Lie over the value of a row of the list."""
        at, left = grid.row_index(name), grid.value_at()
        if at is None:
            return
        self._name = name
        self.value = text
        self.cursor_position = len(text)
        self.styles.offset = (left, at - int(grid.scroll_offset.y) + 1)
        self.styles.width = max(10, grid.size.width - left)
        self.display = True
        self.screen.set_focus(self)  # at once: what is typed next is for it

    def action_leave(self) -> None:
        self._close()

    def action_accept(self) -> None:
        name, text = self._name, self.value
        self._close()
        if name:
            self.post_message(self.Accepted(name, text))

    @on(Input.Submitted)
    def _on_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_accept()

    def on_blur(self, event: events.Blur) -> None:
        """Take what was typed also when something else gets the focus."""
        if self.display and self.screen.is_current:
            self.action_accept()

    def _close(self) -> None:
        self._name = ""
        if self.display:
            self.display = False
            self.screen.set_focus(self.screen.query_one(VariableGrid))
