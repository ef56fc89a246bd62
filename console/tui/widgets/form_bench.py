"""What the parts of the creation screen share: the screen as they know it, the base of a step, the lines on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

from rich.style import Style
from textual.containers import Container
from textual.widget import Widget

from console.present import names
from console.tui.dialogs.base import wrapped
from console.tui.painting import AtDesk, Lines, Part, Parts, width_of
from console.tui.widgets.grid import Grid

if TYPE_CHECKING:
    from console.creation import Creation, Surroundings
    from console.preflight import Check
    from console.tui.looks import Styles
    from console.tui.shelf import Shelf

STEPS = ("Template", "Detectors and hosts", "Variables", "Review")


class Bench(Protocol):
    """What every part may ask of the creation screen."""

    creation: Creation
    shelf: Shelf
    step: int
    """From 1."""
    shows_all_detectors: bool
    """Variables of detectors that do not take part are shown too."""
    note: str
    """What happened to the draft, "" if nothing."""
    failure: str
    """Of the last attempt, in the core's words, "" if there was none."""

    @property
    def around(self) -> Surroundings:
        """What the core shows now."""

    @property
    def checks(self) -> Sequence[Check]:
        """How the preflight comes out now."""

    def changed(self) -> None:
        """Note that something was chosen or typed: it is shown everywhere and saved."""

    def show(self) -> None:
        """Show the step as it is now."""

    def tell(self, words: str) -> None:
        """Say something in a corner of the screen."""

    def action_next(self) -> None:
        """Go to the next step."""


def bench_of(widget: Widget) -> Bench:
    """Return the creation screen as its parts know it."""
    return cast("Bench", widget.screen)


class Step(AtDesk, Container):
    """Base of the steps: lists, and below or beside them what there is to say about the selected row."""

    DEFAULT_CSS = """
    Step { display: none; height: 1fr; layout: vertical; }
    Step.-shown { display: block; }
    Step .lists { height: 1fr; width: 1fr; }
    """

    @property
    def bench(self) -> Bench:
        return bench_of(self)

    def show(self) -> None:
        """Show everything as it is now."""
        for grid in self.query(Grid):
            grid.reload()

    def first(self) -> Widget:
        """Return what has the focus when the step is entered."""
        raise NotImplementedError

    def go_back(self) -> bool:
        """Leave a view or a half-done choice within the step; False if there is none."""
        focused = self.screen.focused
        if isinstance(focused, Grid) and focused.filter_text:
            focused.show_only("")
            return True
        return False


class Rail(Lines):
    """The steps with how they stand, and in one line what was chosen so far."""

    DEFAULT_CSS = "Rail { height: 2; }"

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        bench = bench_of(self)
        return [_steps(bench, looks, width), _summary(bench, looks, width)]


def inset(parts: Parts, width: int) -> list[Parts]:
    """Return parts broken into lines that fit, one cell from the edge."""
    return [[(" ", Style.null()), *line] for line in wrapped(parts, width - 2)]


def _steps(bench: Bench, looks: Styles, width: int) -> list[Part]:
    parts: list[Part] = []
    for is_short in (False, True):
        parts = []
        for number, title in enumerate(STEPS, 1):
            sign, style = _stand(bench, number, looks)
            title = title.partition(" and ")[2].capitalize() or title if is_short else title
            is_here = number == bench.step
            ground = looks.selected if is_here else Style.null()
            parts.append((f" {number} {title} ", (looks.bold if is_here else looks.text) + ground))
            parts.append((f"{sign} ", style + ground))
            if number < len(STEPS):
                parts.append((f" {looks.glyph('right')} ", looks.dim))
        if width_of(parts) <= width:
            break
    keys: list[Part] = [("<", looks.key), (" ", looks.text), (">", looks.key), (" ", looks.text)]
    gap = width - width_of(parts) - width_of(keys)
    return [*parts, (" " * gap, looks.text), *keys] if gap >= 0 else parts


def _stand(bench: Bench, number: int, looks: Styles) -> tuple[str, Style]:
    """Return the sign of a step: done, doubtful, wrong, or not yet."""
    grades = {check.what: check.grade.value for check in bench.checks}
    concerned = {1: ("template",), 2: ("hosts", "detectors"), 3: ("values", "conditions"), 4: ("core",)}[number]
    if not bench.creation.is_chosen and number > 1:
        return looks.glyph("pending"), looks.dim
    found = {grades[what] for what in concerned if what in grades}
    if "bad" in found:
        is_empty = number == 1 and not bench.creation.is_chosen
        return (looks.glyph("pending"), looks.dim) if is_empty else (looks.glyph("bad"), looks.alarm)
    if "doubtful" in found:
        return looks.glyph("warn"), looks.warn
    return looks.glyph("ok"), looks.good


def _summary(bench: Bench, looks: Styles, width: int) -> list[Part]:
    creation = bench.creation
    if not creation.is_chosen:
        parts: list[Part] = [(" no template chosen yet", looks.dim)]
    else:
        dot = f" {looks.glyph('dot')} "
        hosts = creation.hosts
        changed = sum(name not in ("hosts", "detectors") for name in creation.form.changed)
        parts = [(f" {creation.name.rpartition('/workflows/')[2]}", looks.bold)]
        parts.append((f"{dot}{len(hosts)} host{'' if len(hosts) == 1 else 's'}", looks.text))
        if detectors := creation.detectors(bench.around):
            parts.append((f"{dot}{names(detectors, max(8, width // 4))}", looks.text))
        parts.append((f"{dot}{changed or 'nothing'} changed", looks.text))
    note = _note(bench)
    gap = width - width_of(parts) - len(note) - 1
    return [*parts, (" " * gap + note, looks.dim)] if note and gap > 0 else parts


def _note(bench: Bench) -> str:
    """Return what is worth knowing about what is shown: what is not, or where it comes from."""
    creation = bench.creation
    if STEPS[bench.step - 1] == "Variables" and not bench.shows_all_detectors:
        form, around = creation.form, bench.around
        hidden = [name for name in form.names if creation.is_foreign(name, around) and form.visible(name).holds]
        if hidden:
            return f"{len(hidden)} of other detectors not shown (e)"
    return bench.note
