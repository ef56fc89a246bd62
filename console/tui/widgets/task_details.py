"""All that the core says of a task: command, environment, channels, properties; asked for when it is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from console.filters import Fields
from console.tui.widgets.grid import Cell, Column, ListGrid
from server.api.replies import TaskInfo

if TYPE_CHECKING:
    from console.tui.looks import Styles


class TaskDetails(ListGrid):
    """Names and values; a row is named by its number."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._details: list[tuple[str, str, str]] = []
        """Kind, name and value."""
        self._problem = "asking the core ..."

    def show(self, info: TaskInfo | None, problem: str = "") -> None:
        """Show what was answered, or why nothing was."""
        self._details = details(info) if info is not None else []
        self._problem = problem
        self.reload()

    def rows(self) -> Iterable[str]:
        return map(str, range(len(self._details)))

    def empty_text(self) -> str:
        return self._problem

    def fields(self, row: str) -> Fields:
        kind, name, value = self._details[int(row)]
        return {"kind": kind, "name": name, "value": value}

    def copied_text(self) -> str:
        """Return what is copied of the selected row: the value."""
        return self._details[int(self.selected)][2] if self.selected else ""

    def columns(self, width: int) -> Sequence[Column]:
        return [Column("WHAT", 8), Column("NAME", max(16, min(44, width // 3))), Column("VALUE", 0)]

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        if int(row) >= len(self._details):
            return [Cell("")] * len(columns)
        kind, name, value = self._details[int(row)]
        return [Cell(kind, looks.dim), Cell(name), Cell(value)]


def details(info: TaskInfo) -> list[tuple[str, str, str]]:
    """Return kind, name and value of each detail."""
    found = [("command", "program", info.command)]
    found += [("command", f"argument {number}", text) for number, text in enumerate(info.arguments, start=1)]
    found += [("command", "user", info.user)] if info.user else []
    found += [("command", "shell", "yes" if info.shell else "no")]
    found += [("inbound", channel.name, f"{channel.type} {channel.target}".strip()) for channel in info.inbound]
    found += [("outbound", channel.name, f"{channel.type} {channel.target}".strip()) for channel in info.outbound]
    found += [("property", name, value) for name, value in sorted(info.properties.items())]
    for one in info.environment:
        name, _, value = one.partition("=")
        found.append(("variable", name, value))
    return found
