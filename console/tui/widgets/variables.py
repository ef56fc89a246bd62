"""The variables of an environment: what counts, and whose value it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from console.filters import Fields
from console.tui.widgets.grid import Cell, Column, ListGrid
from console.variables import USER, Variable, rows

if TYPE_CHECKING:
    from console.tui.looks import Styles

WIDE = 90
"""Columns of the list from which it shows what a value stands instead of."""


class VariableGrid(ListGrid):
    """Variables of the environment that the screen is about; the row is named by the variable."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "only_changed", "user's only", id="variables.only_changed"),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.only_changed = False
        """Show what the user gave, nothing else."""
        self._variables: dict[str, Variable] = {}

    def action_only_changed(self) -> None:
        """Show what the user gave, or all."""
        self.only_changed = not self.only_changed
        self.reload()

    def rows(self) -> Iterable[str]:
        variables = self.store.variables(self.desk.environment_id)
        environment = self.store.environment(self.desk.environment_id)
        known = rows(variables, environment.user_vars if environment else {}) if variables else []
        self._variables = {one.name: one for one in known if one.layer == USER or not self.only_changed}
        return self._variables

    def says(self) -> str:
        """Return what of the variables is shown."""
        return f"{self.row_count()}{', the user' + chr(39) + 's only' if self.only_changed else ''}"

    def empty_text(self) -> str:
        variables = self.store.variables(self.desk.environment_id)
        if variables is None:
            return "the core does not say"
        return "the user gave none; u shows all" if self.only_changed else "none"

    def fields(self, row: str) -> Fields:
        one = self._variables[row]
        return {"name": one.name, "value": one.value, "from": one.layer}

    def details(self, row: str) -> Fields:
        one = self._variables[row]
        known = {
            "variable": one.name,
            "value": one.value or '""',
            "from": one.layer,
            "instead of": one.instead_of or "",
        }
        return {label: text for label, text in known.items() if text}

    def columns(self, width: int) -> Sequence[Column]:
        name = max(16, min(32, width // 3))
        base = [Column("VARIABLE", name), Column("FROM", 7), Column("VALUE", 0)]
        return [*base, Column("INSTEAD OF", width // 4)] if width >= WIDE else base

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        one = self._variables.get(row)
        if one is None:
            return [Cell("")] * len(columns)
        is_user = one.layer == USER
        value = Cell(one.value or '""', looks.text if one.value else looks.dim)
        cells = [Cell(one.name, looks.bold if is_user else looks.text),
                 Cell(one.layer, looks.accent if is_user else looks.dim), value]  # fmt: skip
        return cells if len(columns) == 3 else [*cells, Cell(one.instead_of or "", looks.dim)]
