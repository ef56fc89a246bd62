"""The list of all environments (S1 of the console's design): one row each, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from console.equipment import equipment
from console.filters import Fields
from console.present import age, names, rate, run_number, size, state_code
from console.tui.widgets.grid import Cell, Column, ListGrid
from server.api.model import Environment

if TYPE_CHECKING:
    from console.tui.looks import Styles

WIDE = 110
"""Columns of a terminal from which more is shown."""
WIDEST = 160

_NARROW = (
    Column("", 1), Column("STATE", 12), Column("RUN", 7, True), Column("ENV ID", 11), Column("FOR", 8, True),
    Column("TYPE", 9), Column("TASKS", 7, True), Column("!", 2, True), Column("DETECTORS", 0),
)  # fmt: skip
_MIDDLE = (
    Column("", 1), Column("STATE", 12), Column("RUN", 7, True), Column("ENV ID", 11), Column("FOR", 8, True),
    Column("TYPE", 10), Column("DETECTORS", 0), Column("FLP", 3, True), Column("EPN", 3, True), Column("DCS", 3),
    Column("TRG", 3), Column("TASKS", 9, True), Column("!", 2, True), Column("OWNER", 10),
)  # fmt: skip
_WIDE = (*_MIDDLE[:-1], Column("RATE", 10, True), Column("MOVED", 8, True), Column("TEMPLATE", 24), Column("OWNER", 18))


class EnvironmentGrid(ListGrid):
    """All environments; the selected one is what verbs act on."""

    def rows(self) -> Iterable[str]:
        return [one.id for one in self.store.environments()]

    def default_row(self) -> str:
        """The environment that all screens are about, which may be known before there is a core to list it."""
        wanted = self.desk.environment_id
        return wanted if self.row_index(wanted) is not None else super().default_row()

    def empty_text(self) -> str:
        return self.desk.session.waiting() or "no environments; create one from a template with the screen New"

    def columns(self, width: int) -> Sequence[Column]:
        return _WIDE if width >= WIDEST else _MIDDLE if width >= WIDE else _NARROW

    def fields(self, row: str) -> Fields:
        one = self.store.environment(row)
        if one is None:
            return {"id": row}
        return {
            "id": one.id,
            "state": one.state,
            "run": str(one.run_number or ""),
            "type": one.run_type,
            "detectors": " ".join(one.detectors),
            "owner": one.owner.name,
            "template": one.template,
            "transition": one.transition.event if one.transition else "",
        }

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        one = self.store.environment(row)
        if one is None:
            return [Cell("")] * len(columns)
        shown = {column.title for column in columns}
        by_title = self._cells(one, looks)
        if "DETECTORS" in shown:
            others = sum(column.width + 1 for column in columns) + 1
            by_title["DETECTORS"] = Cell(names(one.detectors, max(4, self.size.width - others)))
        return [by_title[column.title] for column in columns]

    def _cells(self, one: Environment, looks: Styles) -> dict[str, Cell]:
        look = looks.look(one.state)
        parts = equipment(self._variables(one))
        is_running = one.state == "RUNNING"
        quiet = {"-", "off"}

        def part(text: str) -> Cell:
            return Cell(text, looks.dim if text in quiet else looks.text)

        tasks = f"{one.tasks_ok}/{one.tasks_total}" if one.tasks_ok != one.tasks_total else str(one.tasks_total)
        since = age(self.desk.session.now() - one.state_since_ms / 1000) if one.state_since_ms else "-"
        return {
            "": Cell(look.glyph, look.style),
            "STATE": Cell(state_code(one, ascii=looks.ascii), look.style),
            "RUN": Cell(run_number(one.run_number), looks.bold if one.run_number else looks.dim),
            "ENV ID": Cell(one.id),
            "FOR": Cell(since, looks.dim),
            "TYPE": part(one.run_type or "-"),
            "FLP": Cell(str(one.flps or one.hosts or "-")),
            "EPN": part(parts.epns),
            "DCS": part(parts.dcs),
            "TRG": part(parts.trigger),
            "TASKS": Cell(tasks, looks.text if one.tasks_ok == one.tasks_total else looks.bold),
            "!": Cell(str(one.tasks_error), looks.alarm if one.tasks_error else looks.dim),
            "OWNER": Cell(one.owner.name or "-", looks.dim),
            "RATE": Cell(rate(one.bytes_per_s) if is_running else "-", looks.text if is_running else looks.dim),
            "MOVED": Cell(size(one.bytes_moved) if one.bytes_moved else "-", looks.dim),
            "TEMPLATE": Cell(one.template),
        }

    def _variables(self, one: Environment) -> dict[str, str]:
        known = self.store.variables(one.id)
        return dict(one.user_vars) if known is None else {**known.defaults, **known.vars, **known.user_vars}
