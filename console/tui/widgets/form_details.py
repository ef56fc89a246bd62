"""Everything about the selected variable: what it is for, its default, what it accepts, when it is shown, what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.form_fields import Control, scale
from console.tui.dialogs.base import Fact, Row, laid_out
from console.tui.painting import Lines, Parts, title_line
from console.tui.widgets.form_bench import bench_of
from console.tui.widgets.form_control import keys_of
from console.tui.widgets.form_variables import VariableGrid

if TYPE_CHECKING:
    from console.form_fields import Field
    from console.tui.looks import Styles

NARROW_LINES = 10
"""Below that height the least important facts are left out."""


class VariableDetails(Lines):
    """Beside the list where there is room, else below it."""

    DEFAULT_CSS = "VariableDetails { height: 7; }"

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        form = bench_of(self).creation.form
        grid = self.screen.query_one(VariableGrid)
        name = grid.selected
        if not name:
            return [title_line("Variable", "", looks, width)]
        field = form.field(name)
        rows: list[Row] = []
        for sign, words, style in (
            ("bad", form.problem(name), looks.alarm),
            ("warn", form.warning(name), looks.warn),
            ("skipped", grid.refusal(name), looks.warn),
        ):
            if words:
                rows.append([(f"{looks.glyph(sign)} {words}", style)])
        if field.description:
            rows.append([(field.description, looks.text)])
        if name in form.changed:
            rows.append(Fact("Value", [(form.value(name) or "(empty)", looks.bold)]))
        default = [(field.default or "(empty)", looks.text)]
        if field.is_computed:
            default.append((" the core works it out", looks.dim))
        rows.append(Fact("Default", default if field.is_offered else [("not offered by the template", looks.warn)]))
        if accepted := _accepted(field):
            rows.append(Fact("Takes", [(accepted, looks.text)]))
        if not grid.refusal(name):
            rows.append(Fact("Keys", [(keys_of(field), looks.dim)]))
        if height >= NARROW_LINES:
            rows.append(Fact("Name", [(name, looks.text), (f" {field.type}", looks.dim)]))
            if field.visible_if and form.visible(name).holds:
                rows.append(Fact("Shown if", [(field.visible_if, looks.dim)]))
            if field.enabled_if and form.enabled(name).holds:
                rows.append(Fact("Free if", [(field.enabled_if, looks.dim)]))
        about = "" if height >= NARROW_LINES else f"{name}  {field.type}"
        lines = [title_line(field.label, about, looks, width)]
        return [*lines, *([(" ", looks.text), *line] for line in laid_out(rows, width - 2, looks))]


def _accepted(field: Field) -> str:
    """Return what a variable accepts, in words."""
    if field.control is Control.SLIDER:
        low, high, step, is_limit = scale(field)
        return f"{low:g} to {high:g}, in steps of {step:g}" if is_limit else f"any number, in steps of {step:g}"
    if field.allowed:
        words = ", ".join(one or "(empty)" for one in field.allowed)
        return f"{words}; or what you type" if field.control is Control.COMBO else words
    return {
        "number": "a number",
        "bool": "true or false",
        "list": 'a list: ["a", "b"]',
        "map": 'a map: {"a": "b"}',
    }.get(field.type, "")
