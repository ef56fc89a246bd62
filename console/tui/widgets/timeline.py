"""What an environment went through: its transitions, the newest first, the one under way on top."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from console.charts import bar
from console.filters import Fields
from console.present import clock, look, moment, run_number, span
from console.transitions import elapsed_s, has_failed, led_to, usual_s, what_failed, who
from console.tui.widgets.grid import Cell, Column, ListGrid
from server.api.model import TransitionProgress, TransitionRecord

if TYPE_CHECKING:
    from console.tui.looks import Styles

LIVE = "live"
"""Row of the transition that is under way."""
BAR = 12
MIDDLE, WIDE = 74, 100
"""Columns of the list from which it shows more."""


class TimelineGrid(ListGrid):
    """Transitions of the environment that the screen is about; a row is named by when it began."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._records: dict[str, TransitionRecord] = {}

    def rows(self) -> Iterable[str]:
        history = self.store.history(self.desk.environment_id)
        newest_first = reversed(history.transitions) if history else ()
        self._records = {f"{one.started_ms} {one.event}": one for one in newest_first}
        return [LIVE, *self._records] if self._progress else list(self._records)

    @property
    def _progress(self) -> TransitionProgress | None:
        environment = self.store.environment(self.desk.environment_id)
        return environment.transition if environment else None

    def empty_text(self) -> str:
        return "no transition yet"

    def fields(self, row: str) -> Fields:
        one = self._records.get(row)
        if one is None:
            return {}
        run = str(one.run_number or "")
        return {"event": one.event, "run": run, "user": one.user, "reached": one.reached, "error": one.error}

    def details(self, row: str) -> Fields:
        one = self._records.get(row)
        if one is None:
            return {}
        times = {"began": moment(one.started_ms), "took": span((one.ended_ms - one.started_ms) / 1000)}
        known = {"event": one.event, "from": one.source, **self.fields(row), **times}
        return {label: text for label, text in known.items() if text}

    def selected_title(self) -> str:
        return "Transition"

    def columns(self, width: int) -> Sequence[Column]:
        shown = [Column("", 1), Column("WHEN", 8), Column("TRANSITION", 14)]
        if width >= MIDDLE:
            shown.append(Column("STATE", 7))
        shown += [Column("TOOK", 7, True), Column(" ", BAR if width >= MIDDLE else BAR // 2)]
        if width >= WIDE:
            shown += [Column("USUAL", 7, True), Column("WHO", 16)]
        return [*shown, Column("RUN", 7, True), Column("OUTCOME", 0)]

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        room = next(column.width for column in columns if column.title == " ")
        by_title = self._live_cells(room, looks) if row == LIVE else self._past_cells(row, room, looks)
        return [by_title.get(column.title, Cell("")) for column in columns]

    def _past_cells(self, row: str, room: int, looks: Styles) -> dict[str, Cell]:
        one = self._records.get(row)
        if one is None:
            return {}
        longest = max((it.ended_ms - it.started_ms for it in self._records.values()), default=0)
        took_ms = one.ended_ms - one.started_ms
        usual = usual_s(self.store.history(self.desk.environment_id), one.event, before_ms=one.started_ms)
        said = what_failed(one.steps)
        failed = one.error or (said[0] if said else "")
        style = looks.look(one.reached).style
        outcome = Cell(failed, looks.alarm if one.error else looks.warn) if failed else Cell("done", looks.dim)
        return {
            "": Cell(looks.glyph("bad" if has_failed(one) else "ok"), looks.alarm if has_failed(one) else looks.good),
            "WHEN": Cell(clock(one.started_ms)[:8], looks.dim),
            "TRANSITION": Cell(one.event),
            "STATE": Cell(led_to(one, ascii=looks.ascii), style),
            "TOOK": Cell(span(took_ms / 1000)),
            " ": Cell(_length(took_ms / longest if longest else 0, room, looks), looks.plot),
            "USUAL": Cell(span(usual) if usual is not None else "", looks.dim),
            "RUN": Cell(run_number(one.run_number), looks.dim),
            "WHO": Cell(who(one) or "-", looks.dim),
            "OUTCOME": outcome,
        }

    def _live_cells(self, room: int, looks: Styles) -> dict[str, Cell]:
        environment, progress = self.store.environment(self.desk.environment_id), self._progress
        if environment is None or progress is None:
            return {}
        seconds = elapsed_s(progress.started_ms, 0, self.desk.session.now())
        usual = progress.usual_ms / 1000
        share = progress.tasks_done / progress.tasks_total if progress.tasks_total else 0.0
        return {
            "": Cell(looks.glyph("running"), looks.accent),
            "WHEN": Cell(clock(progress.started_ms)[:8], looks.dim),
            "TRANSITION": Cell(progress.event, looks.bold),
            "STATE": Cell(f"{look(environment.state).code}{looks.glyph('becomes')}", looks.text),
            "TOOK": Cell(span(seconds), looks.bold),
            " ": Cell(_length(share, room, looks), looks.plot_mark),
            "USUAL": Cell(span(usual) if usual else "", looks.dim),
            "RUN": Cell(run_number(environment.run_number), looks.dim),
            "WHO": Cell(who(progress) or "-", looks.dim),
            "OUTCOME": Cell(progress.waiting_for or progress.step, looks.text),
        }


def _length(share: float, width: int, looks: Styles) -> str:
    """Return a bar of a length, at least a point of it."""
    return bar(max(share, 0.5 / width), width, ascii=looks.ascii).rstrip(looks.glyph("bar_empty"))
