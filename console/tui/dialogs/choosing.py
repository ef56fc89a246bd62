"""Asks for one value of a list, several of them, or one that is typed: a line that narrows the list, and the list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from console.filters import Fields
from console.form import choices
from console.form_fields import Control, Field, chosen, problem, toggled
from console.tui.dialogs.base import Dialog, Sheet
from console.tui.widgets.grid import Cell, Column, Grid, ListGrid

if TYPE_CHECKING:
    from console.tui.looks import Styles

LONGEST = 14
"""Values in sight."""


class Choosing(Dialog[str]):
    """The answer is the new value, None for Esc.

    Args:
        field: a control that has values to choose from.
        text: the value now.
    """

    DEFAULT_CSS = """
    Choosing > #box { width: 64; }
    Choosing Input { height: 1; border: none; padding: 0 1; background: $panel; margin-bottom: 1; }
    Choosing #keys-of { margin-top: 1; }
    """
    is_made_for_typing = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "down", show=False, id="choosing.down"),
        Binding("up", "move(-1)", "up", show=False, id="choosing.up"),
        Binding("pagedown", "move(10)", "page down", show=False, id="choosing.page_down"),
        Binding("pageup", "move(-10)", "page up", show=False, id="choosing.page_up"),
    ]

    def __init__(self, field: Field, text: str) -> None:
        super().__init__(field.label)
        self.field = field
        self.text = text

    def body(self) -> ComposeResult:
        yield Sheet([[(self.field.description, self.looks.dim)]] if self.field.description else [])
        narrows = "narrow the list, or type another value" if self._may_type else "narrow the list"
        entry = _Narrowing(placeholder=narrows, compact=True)
        entry.cursor_blink = False
        yield entry
        yield ChoiceGrid(self.field, self.text)
        yield Sheet(id="keys-of")

    def on_mount(self) -> None:
        super().on_mount()
        entry = self.query_one(Input)
        entry.focus()
        self._list.reload()
        self._list.styles.height = min(LONGEST, max(2, self._list.row_count()), max(3, self.app.size.height - 12)) + 1
        if not self._is_many:
            self._list.select(self.text)
        self._say("")
        self.desk.typing_begins(self)

    @property
    def _list(self) -> ChoiceGrid:
        return self.query_one(ChoiceGrid)

    @property
    def _is_many(self) -> bool:
        return self.field.control is Control.MANY

    @property
    def _may_type(self) -> bool:
        return self.field.control is Control.COMBO

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the blank to the line where only one value is chosen."""
        return self._is_many if action == "take" else super().check_action(action, parameters)

    def action_move(self, steps: int) -> None:
        self._list.action_move(steps)

    def action_take(self) -> None:
        """Take the selected value, or leave it out."""
        if self._list.selected:
            self.text = self._list.text = toggled(self.field, self.text, self._list.selected)
            self._list.refresh()

    @on(Input.Changed)
    def _on_changed(self, event: Input.Changed) -> None:
        self._list.narrow(event.value.strip(), is_offered=self._may_type)
        self._say("")

    @on(Input.Submitted)
    def _on_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._is_many:
            self.dismiss(self.text)
        elif self._list.row_count():
            self._take_one(self._list.selected)

    def _take_one(self, value: str) -> None:
        if why_not := problem(self.field, value):
            self._say(why_not, is_wrong=True)
        else:
            self.dismiss(value)

    @on(Grid.Opened)
    def _on_opened(self, event: Grid.Opened) -> None:
        event.stop()
        if self._is_many:
            self.action_take()
        else:
            self._take_one(event.row)

    def _say(self, words: str, *, is_wrong: bool = False) -> None:
        looks = self.looks
        usual = (
            "space takes or leaves one, enter is done" if self._is_many else "enter takes the marked one, esc leaves"
        )
        style = looks.alarm if is_wrong else looks.dim
        sign = f"{looks.glyph('bad')} " if is_wrong else ""
        self.query_one("#keys-of", Sheet).show([[(f"{sign}{words or usual}", style)]])


class ChoiceGrid(ListGrid):
    """The values, what is chosen marked."""

    DEFAULT_CSS = "ChoiceGrid { height: 6; }"

    def __init__(self, field: Field, text: str) -> None:
        super().__init__(id="choices")
        self.field = field
        self.text = text
        self.can_focus = False
        self._typed = ""
        """Offered as a value of its own."""

    def narrow(self, typed: str, *, is_offered: bool) -> None:
        """Keep the values that hold what was typed; that itself comes last where it may be a value."""
        self._typed = typed if is_offered and typed not in self.field.allowed else ""
        self.filter_text = typed
        self.reload()

    def reload(self) -> None:
        self._rows = [*self.filtered(self.rows()), *([self._typed] if self._typed else [])]
        self.rows_changed()

    def rows(self) -> Iterable[str]:
        return (value for value, _ in choices(self.field, self.text))

    def columns(self, width: int) -> Sequence[Column]:
        return (Column("", 3), Column("VALUE", 0), Column("", 10))

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        is_many = self.field.control is Control.MANY
        is_chosen = row in chosen(self.text) if is_many else row == self.text
        inside = "x" if is_many else looks.glyph("point")
        box = f"[{inside if is_chosen else ' '}]" if is_many else f"({inside if is_chosen else ' '})"
        is_default = row in chosen(self.field.default) if is_many else row == self.field.default
        return (
            Cell(box, looks.accent if is_chosen else looks.dim),
            Cell(row or "(empty)", looks.bold if is_chosen else looks.text),
            Cell("default" if is_default else "as typed" if row and row == self._typed else "", looks.dim),
        )

    def fields(self, row: str) -> Fields:
        return {"value": row}

    def empty_text(self) -> str:
        return "no value"


class _Narrowing(Input):
    """The line above the list, which would take the blank before anything above it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "screen.take", "take", show=False, priority=True, id="choosing.take")
    ]
