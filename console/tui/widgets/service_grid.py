"""The integrated services: DCS, trigger and the others that workflows call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from console.filters import Fields
from console.tui.widgets.grid import Cell, Column, ListGrid

if TYPE_CHECKING:
    from console.tui.looks import Styles


class ServiceGrid(ListGrid):
    """One row per service, by id."""

    def rows(self) -> Iterable[str]:
        return sorted(self.store.services)

    def empty_text(self) -> str:
        return self.desk.session.waiting() or "the core has no integrated services"

    def fields(self, row: str) -> Fields:
        one = self.store.services.get(row)
        return {} if one is None else {"service": one.id, "name": one.name, "connection": one.connection_state}

    def details(self, row: str) -> Fields:
        one = self.store.services.get(row)
        if one is None:
            return {}
        return {**self.fields(row), "enabled": "yes" if one.enabled else "no", "endpoint": one.endpoint}

    def columns(self, width: int) -> Sequence[Column]:
        return (
            Column("", 1), Column("SERVICE", 14), Column("NAME", 20), Column("CONNECTION", 17), Column("ENDPOINT", 0),
        )  # fmt: skip

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        one = self.store.services.get(row)
        if one is None:
            return [Cell("")] * len(columns)
        if not one.enabled:
            mark, style = looks.glyph("pending"), looks.dim
        elif one.connection_state == "READY":
            mark, style = looks.glyph("live"), looks.good
        else:
            mark, style = looks.glyph("warn"), looks.warn
        connection = one.connection_state or "-" if one.enabled else "disabled"
        return [
            Cell(mark, style),
            Cell(one.id),
            Cell(one.name),
            Cell(connection, style),
            Cell(one.endpoint or "-", looks.dim),
        ]
