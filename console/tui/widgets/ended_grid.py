"""Environments that are gone, the last one first: how each ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from console.filters import Fields
from console.present import moment
from console.tui.widgets.grid import Cell, Column, ListGrid

if TYPE_CHECKING:
    from console.tui.looks import Styles


class EndedGrid(ListGrid):
    """What this console saw end."""

    def rows(self) -> Iterable[str]:
        return [environment.id for environment, _ in self.store.ended()]

    def empty_text(self) -> str:
        return "none so far"

    def fields(self, row: str) -> Fields:
        one = self.store.last_seen(row)
        return {"id": row} | ({"template": one.template, "run": str(one.last_run_number)} if one else {})

    def details(self, row: str) -> Fields:
        one, fault = self.store.last_seen(row), self.store.fault(row)
        if one is None:
            return {}
        known = dict(self.fields(row)) | {
            "detectors": " ".join(one.detectors), "owner": one.owner.name, "created": moment(one.created_ms),
        }  # fmt: skip
        if fault is not None:
            known |= {
                "fault": fault.what,
                "where": f"{fault.role} {fault.host}",
                "cause": fault.cause,
                "next": fault.hint,
            }
        return {label: text for label, text in known.items() if text.strip() and text != "0"}

    def columns(self, width: int) -> Sequence[Column]:
        return (Column("", 1), Column("ENDED", 11), Column("RUN", 7, True), Column("HOW", 0))

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        one, fault = self.store.last_seen(row), self.store.fault(row)
        if one is None:
            return [Cell("")] * len(columns)
        run = one.run_number or one.last_run_number
        how = Cell(fault.what, looks.alarm) if fault else Cell(one.template, looks.dim)
        mark = Cell(looks.glyph("bad"), looks.alarm) if fault else Cell(looks.glyph("ok"), looks.good)
        return [mark, Cell(one.id), Cell(str(run or "-"), looks.dim), how]
