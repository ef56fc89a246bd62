"""Step 2 of a creation: which detectors and hosts take part. What is in use is marked and cannot be taken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from console.creation import DETECTORS, HOSTS
from console.filters import Fields
from console.tui.painting import Lines, Parts, title_line
from console.tui.widgets.form_bench import Step, bench_of, inset
from console.tui.widgets.form_prompt import Prompt
from console.tui.widgets.grid import Cell, Column, Grid, ListGrid

if TYPE_CHECKING:
    from console.tui.looks import Styles

ALL, PART, NONE = "[x]", "[-]", "[ ]"
"""All of it takes part, a part, nothing."""
NARROW = 40
"""Cells of the list of detectors up to which it says less."""


class HostsStep(Step):
    """Detectors beside hosts: taking one takes the others along."""

    DEFAULT_CSS = "HostsStep #detectors { width: 26; margin-right: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "type", "type", id="create.type"),
        Binding("u", "undo", "as the template", id="create.undo"),
    ]

    def compose(self) -> ComposeResult:
        with Horizontal(classes="lists"):
            yield DetectorGrid(id="detectors")
            yield HostPicker(id="hosts")
        yield HostsNote(id="chosen")

    def first(self) -> Widget:
        return self.query_one(HostPicker) if self.bench.around.hosts else self.query_one(DetectorGrid)

    def go_back(self) -> bool:
        return self.query_one(HostPicker).drop_range() or super().go_back()

    @on(Grid.Selected)
    def _on_selected(self, event: Grid.Selected) -> None:
        """Bring the hosts of a detector into sight."""
        event.stop()
        picker = self.query_one(HostPicker)
        if event.grid.id == "detectors" and event.grid.has_focus:
            first = next((one for one in picker.rows() if self.bench.around.detector(one) == event.row), "")
            if first:
                picker.select(first)

    @on(Grid.Opened)
    def _on_opened(self, event: Grid.Opened) -> None:
        event.stop()
        if event.grid.id == "detectors":
            self.query_one(HostPicker).focus()
        else:
            self.bench.action_next()

    def action_undo(self) -> None:
        """Take the hosts that the template names."""
        for name in (HOSTS, DETECTORS):
            self.bench.creation.form.reset(name)
        self.bench.changed()

    def action_type(self) -> None:
        """Type the hosts."""
        text = ", ".join(self.bench.creation.hosts)
        self.app.push_screen(Prompt("hosts", text, self._take, hint="flp001, flp002"))

    def _take(self, text: str) -> str:
        problem = self.bench.creation.type_hosts(text)
        if not problem:
            self.bench.changed()
        return problem


class DetectorGrid(ListGrid):
    """The detectors with how many of their hosts take part."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "take", "take", id="create.take"),
        Binding("enter", "open", "hosts", id="create.hosts"),
    ]

    def rows(self) -> Iterable[str]:
        return bench_of(self).around.detectors

    def action_take(self) -> None:
        """Take the detector with all its hosts, or leave it out."""
        if self.selected:
            bench = bench_of(self)
            _told(self, bench.creation.toggle_detector(self.selected, bench.around))

    def columns(self, width: int) -> Sequence[Column]:
        title, cells = ("DETECTOR", 8) if width > NARROW else ("DET", 4)
        return (Column("", 3), Column(title, cells), Column("HOSTS", 5, True), Column("", 0))

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        bench = bench_of(self)
        around, creation = bench.around, bench.creation
        hosts = [name for name, host in around.hosts.items() if host.detector == row]
        taken = len(set(hosts) & set(creation.hosts))
        is_in = row in creation.detectors(around)
        box = ALL if is_in and taken == len(hosts) else PART if is_in else NONE
        refusal = around.detector_refusal(row)
        style = looks.warn if refusal else looks.bold if is_in else looks.text
        why = refusal.partition(" is ")[2] if self.size.width > NARROW else "in use" if refusal else ""
        return (
            Cell(box, looks.accent if is_in else looks.dim),
            Cell(row, style),
            Cell(f"{taken}/{len(hosts)}" if hosts else "-", looks.text if taken else looks.dim),
            Cell(f"{looks.glyph('warn')} {why}" if why else "", looks.warn),
        )

    def fields(self, row: str) -> Fields:
        refusal = bench_of(self).around.detector_refusal(row)
        return {"detector": row, "free": "no" if refusal else "yes", "note": refusal}

    def empty_text(self) -> str:
        return "the core names no detectors"


class HostPicker(ListGrid):
    """All hosts by detector, each taken or not; several at once with a range."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "take", "take", id="create.take"),
        Binding("v", "range", "range", id="create.range"),
        Binding("shift+down", "extend(1)", "range down", show=False, id="create.extend_down"),
        Binding("shift+up", "extend(-1)", "range up", show=False, id="create.extend_up"),
        Binding("a", "all", "all free", id="create.all"),
        Binding("enter", "open", "variables", show=False, id="create.variables"),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._anchor = ""
        """Where a range begins, "" if there is none."""

    def rows(self) -> Iterable[str]:
        bench = bench_of(self)
        around = bench.around
        others = (*bench.creation.default_hosts, *bench.creation.hosts)
        unknown = dict.fromkeys(host for host in others if host not in around.hosts)
        return [*sorted(around.hosts, key=lambda host: (around.detector(host) or "~", natural(host))), *unknown]

    def range_of(self) -> list[str]:
        """Return the rows of the range, the selected one if there is none."""
        if not self._anchor or self.row_index(self._anchor) is None or self.row_index(self.selected) is None:
            return [self.selected] if self.selected else []
        first, last = sorted((self._rows.index(self._anchor), self._rows.index(self.selected)))
        return self._rows[first : last + 1]

    def action_take(self) -> None:
        """Take the host or leave it out; all of a range."""
        bench = bench_of(self)
        rows = self.range_of()
        if len(rows) > 1:
            _told(self, bench.creation.toggle_hosts(rows, bench.around))
        elif rows:
            _told(self, bench.creation.toggle_host(rows[0], bench.around))
        self._anchor = ""

    def action_range(self) -> None:
        """Begin a range here, or forget it."""
        self._anchor = "" if self._anchor else self.selected
        self.refresh()

    def action_extend(self, step: int) -> None:
        """Begin a range, if there is none, and move its end."""
        self._anchor = self._anchor or self.selected
        self.action_move(step)
        self.refresh()

    def action_all(self) -> None:
        """Take all free hosts that are shown, or leave all of them out."""
        bench = bench_of(self)
        _told(self, bench.creation.toggle_hosts(self._rows, bench.around))

    def drop_range(self) -> bool:
        """Forget the range; False if there was none."""
        had, self._anchor = bool(self._anchor), ""
        self.refresh()
        return had

    def columns(self, width: int) -> Sequence[Column]:
        base = [Column("", 1), Column("", 3), Column("HOST", 20 if width > 70 else 18), Column("DET", 4)]
        if width > 56:
            base += [Column("EXECUTOR", 9), Column("TASKS", 5, True)]
        return [*base, Column("", 0)]

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        bench = bench_of(self)
        around, creation = bench.around, bench.creation
        host = around.hosts.get(row)
        is_in = row in creation.hosts
        cells = [
            Cell(looks.glyph("vertical") if self._anchor and row in self.range_of() else "", looks.accent),
            Cell(ALL if is_in else NONE, looks.accent if is_in else looks.dim),
            Cell(row, looks.bold if is_in else looks.text),
            Cell((host.detector if host else "") or "-", looks.text),
        ]
        if len(columns) > 5:
            state = (host.executor_state if host else "") or "-"
            is_bad = state in ("SILENT", "LOST")
            cells.append(Cell(state.lower(), looks.warn if is_bad else looks.dim))
            cells.append(Cell(str(host.tasks) if host and host.tasks else "-", looks.dim))
        return [*cells, self._note(row, looks)]

    def _note(self, row: str, looks: Styles) -> Cell:
        bench = bench_of(self)
        around = bench.around
        warn = looks.glyph("warn")
        if around.is_inventory and row not in around.hosts:
            return Cell(f"{looks.glyph('bad')} not in the inventory", looks.alarm)
        if refusal := around.refusal(row):
            return Cell(f"{warn} {refusal.partition(' is ')[2]}", looks.warn)
        if row in bench.creation.default_hosts:
            return Cell("named by the template", looks.dim)
        return Cell("")

    def fields(self, row: str) -> Fields:
        bench = bench_of(self)
        host = bench.around.hosts.get(row)
        return {
            "host": row,
            "detector": host.detector if host else "",
            "executor": host.executor_state if host else "",
            "free": "no" if bench.around.refusal(row) else "yes",
            "taken": "yes" if row in bench.creation.hosts else "no",
        }

    def empty_text(self) -> str:
        return "this core does not say which hosts there are; i types them"


class HostsNote(Lines):
    """What was chosen in one place, and how far the core stands behind it."""

    DEFAULT_CSS = "HostsNote { height: 5; }"

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        bench = bench_of(self)
        creation, around = bench.creation, bench.around
        hosts, detectors = creation.hosts, creation.detectors(around)
        count = f"{len(hosts)} of {len(around.hosts)} hosts" if around.is_inventory else f"{len(hosts)} hosts"
        origin = "as the template names them" if "hosts" not in creation.form.changed else "chosen here"
        lines: list[Parts] = [
            title_line("Chosen", f"{count}, {origin}", looks, width),
            *inset([("hosts      ", looks.dim), (", ".join(hosts) or "none", looks.text)], width)[:2],
            *inset([("detectors  ", looks.dim), (" ".join(detectors) or "none", looks.text)], width)[:1],
        ]
        for check in bench.checks:
            if check.what in ("hosts", "detectors") and check.grade.value != "good":
                is_bad = check.grade.value == "bad"
                sign = looks.glyph("bad" if is_bad else "warn")
                lines.append([(f" {sign} {check.words}", looks.alarm if is_bad else looks.warn)])
        if not around.is_inventory:
            words = "advisory: hosts are those of the template and what you type; the core alone knows which are free"
            lines.append([(f" {looks.glyph('advisory')} {words}", looks.warn)])
        return lines


def natural(name: str) -> tuple[object, ...]:
    """Return a key that sorts flp2 before flp10."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name))


def _told(grid: ListGrid, why_not: str) -> None:
    bench = bench_of(grid)
    if why_not:
        bench.tell(why_not)
    bench.changed()
