"""Step 4 of a creation: what differs from the template, what was looked at, the same as a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style
from textual.app import ComposeResult
from textual.widget import Widget

from console.form_fields import chosen
from console.preflight import Check, Grade
from console.tui.dialogs.base import wrapped
from console.tui.painting import Parts, fit, folded
from console.tui.widgets.form_bench import Bench, Step, inset
from console.tui.widgets.pager import Pager, Section

if TYPE_CHECKING:
    from console.form import Form
    from console.tui.looks import Styles

NAME_CELLS = 26


class ReviewStep(Step):
    """Nothing is changed here: it is looked at once more, copied, and asked for."""

    DEFAULT_CSS = """
    ReviewStep Leaf { height: 1fr; width: 1fr; background: $background; }
    ReviewStep #outlook { height: 12; }
    """

    def compose(self) -> ComposeResult:
        yield Leaf(id="changes")
        yield Leaf(id="outlook")

    def first(self) -> Widget:
        return self.query_one("#outlook")

    def show(self) -> None:
        looks = self.looks
        for leaf in self.query(Leaf):
            made = changes if leaf.id == "changes" else outlook
            leaf.show(made(self.bench, leaf.size.width - 1, looks))


class Leaf(Pager):
    """One side of the review, on the ground of the screen."""

    def below(self, looks: Styles) -> Style:
        return looks.ground


def changes(bench: Bench, width: int, looks: Styles) -> list[Section]:
    """Return every value that differs from the template."""
    creation = bench.creation
    form = creation.form
    lines: list[Parts] = []
    room = max(20, width - NAME_CELLS - 4)
    for name in form.changed:
        label = fit(form.field(name).label, NAME_CELLS, ellipsis=looks.glyph("ellipsis"))
        first, *others = wrapped(_change(form, name, room, looks), room) or [[]]
        lines.append([(f" {looks.glyph('marked')} ", looks.accent), (label, looks.text), *first])
        lines += [[(" " * (NAME_CELLS + 3), looks.text), *line] for line in others]
    if not lines:
        lines = [[("   nothing: all values are the template's", looks.dim)]]
    return [Section(f" Differs from {creation.reference.template or 'a template'}", lines)]


def _change(form: Form, name: str, room: int, looks: Styles) -> Parts:
    """Return what a value was and is; of a list what came and went."""
    field, text = form.field(name), form.value(name)
    before, after = chosen(field.default), chosen(text)
    if field.type == "list" and after and not form.problem(name):
        came = [f"+{one}" for one in after if one not in before]
        went = [f"{looks.glyph('dash')}{one}" for one in before if one not in after]
        counts = f"{len(before)} {looks.glyph('right')} {len(after)}:" if before else f"{len(after)}:"
        return [(counts, looks.dim), (f" {' '.join(came)}", looks.bold), (f" {' '.join(went)}", looks.text)]
    was = field.default or "(empty)" if field.is_offered else "(not offered)"
    style = looks.alarm if form.problem(name) else looks.bold
    parts = [(f"{was} {looks.glyph('right')} ", looks.dim), (folded(text, room) or "(empty)", style)]
    if not form.visible(name).holds:
        parts.append((" hidden now, sent all the same", looks.warn))
    return parts


def outlook(bench: Bench, width: int, looks: Styles) -> list[Section]:
    """Return what came of the last attempt, the checks, and the command."""
    sections = []
    if bench.failure:
        sign = looks.glyph("bad")
        body = [line for text in bench.failure.splitlines() for line in inset([(text.strip(), looks.alarm)], width - 2)]
        first, *others = body or [[]]
        sections.append(Section(" Last attempt failed", [[(f" {sign}", looks.alarm), *first], *others]))
    lines = [line for check in bench.checks for line in _check(check, width, looks)]
    sections.append(Section(" Looked at", lines))
    if bench.creation.is_chosen:
        command = wrapped([(folded(bench.creation.command(), width - 4), looks.text)], width - 4)
        hanging = [[(" $ " if not at else "   ", looks.dim), *line] for at, line in enumerate(command)]
        sections.append(Section(" The same on a command line (y copies it)", hanging))
    return sections


def _check(check: Check, width: int, looks: Styles) -> list[Parts]:
    sign, style = {
        Grade.GOOD: (looks.glyph("ok"), looks.good),
        Grade.DOUBTFUL: (looks.glyph("warn"), looks.warn),
        Grade.BAD: (looks.glyph("bad"), looks.alarm),
    }[check.grade]
    words = looks.text if check.grade is Grade.GOOD else style
    room = max(20, width - 17)
    body = wrapped([(folded(check.words, room), words)], room)
    begin: list[Parts] = [[(f" {sign} ", style), (check.what.ljust(12), looks.text), *(body[0] if body else ())]]
    return [*begin, *([(" " * 15, looks.text), *line] for line in body[1:])]
