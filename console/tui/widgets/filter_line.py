"""The ``/`` line: which rows of a list stay, tried while it is typed."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from console.store import Key
from console.tui.painting import AtDesk
from console.tui.widgets.grid import Grid


class FilterLine(AtDesk, ModalScreen[None]):
    """One line at the bottom. Enter keeps the filter, Esc takes it off."""

    DEFAULT_CSS = """
    FilterLine { background: transparent; }
    FilterLine > #entry { height: 1; width: 100%; dock: bottom; background: $selection; }
    FilterLine #entry Label { background: $selection; }
    FilterLine #sign { width: 2; color: $accent; text-style: bold; }
    FilterLine #count { width: auto; color: $dim; padding: 0 1; }
    FilterLine #entry Input { width: 1fr; height: 1; border: none; padding: 0; background: $selection; }
    """
    is_made_for_typing = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "clear", id="filter.clear"),
        Binding("down,up", "keep", "keep", show=False, id="filter.keep"),
    ]

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self._grid = grid

    def compose(self) -> ComposeResult:
        with Horizontal(id="entry"):
            yield Label("/ ", id="sign")
            yield Input(
                self._grid.filter_text,
                placeholder="word  key=value  key~part  !not",
                compact=True,
                select_on_focus=False,
            )
            yield Label(id="count")

    def on_mount(self) -> None:
        entry = self.query_one(Input)
        entry.cursor_blink = False
        entry.focus()
        self.desk.typing_begins(self)
        self._count()

    def take(self, changed: set[Key]) -> None:
        """Count again."""
        self._count()

    @on(Input.Changed)
    def _on_changed(self, event: Input.Changed) -> None:
        self._grid.show_only(event.value.strip())
        self._count()

    @on(Input.Submitted)
    def action_keep(self) -> None:
        """Close; the filter stays."""
        self.dismiss(None)

    def action_clear(self) -> None:
        """Close and show all rows again."""
        self._grid.show_only("")
        self.dismiss(None)

    def _count(self) -> None:
        count = self._grid.row_count()
        self.query_one("#count", Label).update(f"{count} row{'' if count == 1 else 's'}")
