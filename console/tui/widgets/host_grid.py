"""The hosts of the inventory, with their executors and how many tasks each holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.style import Style

from console.filters import Fields
from console.present import drained
from console.tui.widgets.grid import Cell, Column, ListGrid

if TYPE_CHECKING:
    from console.tui.looks import Styles


CPUS, MEMORY, ADDRESS = "CPUS LEFT", "MB LEFT", "ADDRESS"
WIDE = 100
"""Columns of the list from which it shows addresses beside resources."""


class HostGrid(ListGrid):
    """One row per host, by name."""

    def rows(self) -> Iterable[str]:
        return sorted(self.store.hosts)

    def empty_text(self) -> str:
        return self.desk.session.waiting() or "the inventory names no hosts"

    def fields(self, row: str) -> Fields:
        host = self.store.hosts.get(row)
        if host is None:
            return {}
        return {
            "host": host.name,
            "detector": host.detector,
            "executor": host.executor_state,
            "version": host.version,
            "drained": drained(host.drain) or "no",
        }

    def columns(self, width: int) -> Sequence[Column]:
        has_resources = any(host.cpus for host in self.store.hosts.values())
        return (
            Column("", 1), Column("HOST", 16), Column("DET", 4), Column("EXECUTOR", 9), Column("TASKS", 5, True),
            *((Column(CPUS, 9, True), Column(MEMORY, 13, True)) if has_resources else ()),
            *((Column(ADDRESS, 15),) if width >= WIDE or not has_resources else ()),
            Column("VERSION", 0),
        )  # fmt: skip

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        host = self.store.hosts.get(row)
        if host is None:
            return [Cell("")] * len(columns)
        mark, style = executor_look(host.executor_state, looks)
        optional = {
            CPUS: Cell(_left(host.free_cpus, host.cpus), looks.text),
            MEMORY: Cell(_left(host.free_memory_mb, host.memory_mb), looks.text),
            ADDRESS: Cell(host.address, looks.dim),
        }
        between = [optional[column.title] for column in columns if column.title in optional]
        last = Cell(host.version or "-", looks.dim)
        if host.drain:
            version = f"{host.version or '-'}  " if optional[ADDRESS] in between else ""
            last = Cell(f"{version}drained {drained(host.drain)}", looks.warn)
        return [
            Cell(looks.glyph("skipped"), looks.warn) if host.drain else Cell(mark, style),
            Cell(host.name), Cell(host.detector or "-"), Cell(host.executor_state or "-", style),
            Cell(str(host.tasks), looks.text if host.tasks else looks.dim), *between, last,
        ]  # fmt: skip


def _left(free: float | None, total: float) -> str:
    return f"{'?' if free is None else f'{free:.7g}'}/{total:.7g}" if total else "-"


def executor_look(state: str, looks: Styles) -> tuple[str, Style]:
    """Return sign and style for the state of an executor: one that is gone or silent asks for attention."""
    return {
        "ATTACHED": (looks.glyph("live"), looks.good),
        "STARTING": (looks.glyph("connecting"), looks.text),
        "SILENT": (looks.glyph("warn"), looks.warn),
        "LOST": (looks.glyph("bad"), looks.alarm),
    }.get(state, (looks.glyph("pending"), looks.dim))
