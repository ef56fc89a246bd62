"""Step 3 of a creation: the variables, panel by panel, drawn line by line however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from console.filters import Fields
from console.form import Panel
from console.form_fields import Control, moved, turned
from console.tui.widgets.form_bench import Bench, bench_of
from console.tui.widgets.form_control import drawn
from console.tui.widgets.grid import Cell, Column, ListGrid

if TYPE_CHECKING:
    from console.form import Form
    from console.tui.looks import Styles

WIDE = 84
"""Cells of the list from which the label has more room."""
BIG_STEP = 10


class PanelGrid(ListGrid):
    """The panels with how many of their variables are shown, and whether one is changed or wrong."""

    def rows(self) -> Iterable[str]:
        return (panel.title for panel in bench_of(self).creation.form.panels)

    @property
    def panel(self) -> Panel:
        """The selected panel; an empty one if there is none."""
        panels = bench_of(self).creation.form.panels
        return next((one for one in panels if one.title == self.selected), Panel("", ()))

    def columns(self, width: int) -> Sequence[Column]:
        return (Column("", 1), Column("PANEL", 0), Column("VARS", 4, True))

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        bench = bench_of(self)
        form = bench.creation.form
        names = next((one.names for one in form.panels if one.title == row), ())
        shown = sum(is_shown(bench, name) for name in names)
        mark = Cell("")
        if any(form.problem(name) for name in names):
            mark = Cell(looks.glyph("bad"), looks.alarm)
        elif any(name in form.changed for name in names):
            mark = Cell(looks.glyph("marked"), looks.accent)
        return (
            mark,
            Cell(row, looks.text if shown else looks.dim),
            Cell(str(shown), looks.text if shown else looks.dim),
        )

    def fields(self, row: str) -> Fields:
        return {"panel": row}

    def empty_text(self) -> str:
        return "no variables"


class VariableGrid(ListGrid):
    """The variables of one panel, or those that a search finds in all of them, or those that were changed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "change", id="create.edit"),
        Binding("space", "turn(1)", "turn", show=False, id="create.turn"),
        Binding("right,l", "turn(1)", "more", show=False, id="create.more"),
        Binding("left,h", "turn(-1)", "less", show=False, id="create.less"),
        Binding("shift+right", f"turn({BIG_STEP})", "much more", show=False, id="create.much_more"),
        Binding("shift+left", f"turn(-{BIG_STEP})", "much less", show=False, id="create.much_less"),
        Binding("u", "undo", "default", id="create.undo"),
    ]

    class PanelShown(Message):
        """Another panel is shown, because the next match is there."""

        def __init__(self, title: str) -> None:
            super().__init__()
            self.title = title

    class Pasted(Message):
        """A text was pasted into the list."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.panel = ""
        """Title of the panel that is shown."""
        self.is_changed_only = False

    @property
    def form(self) -> Form:
        return bench_of(self).creation.form

    @property
    def spans_panels(self) -> bool:
        """Variables of all panels are looked through."""
        return self.is_changed_only or bool(self.filter_text)

    # ---- rows --------------------------------------------------------------------------------

    def show_panel(self, title: str) -> None:
        """Show a panel, and no other view."""
        if title != self.panel:
            self.panel = title
            self.scroll_to(y=0, animate=False)
            self.show_all()

    def show_all(self) -> None:
        """Show the panel again instead of a search or of what was changed."""
        self.is_changed_only, self.filter_text = False, ""
        self.reload()

    def rows(self) -> Iterable[str]:
        bench, form = bench_of(self), self.form
        if self.is_changed_only:
            return [name for name in form.names if name in form.changed]
        if self.filter_text:
            return form.names
        names = next((one.names for one in form.panels if one.title == self.panel), ())
        return [name for name in names if is_shown(bench, name)]

    def fields(self, row: str) -> Fields:
        return self.form.search_fields(row)

    def empty_text(self) -> str:
        form = self.form
        if self.is_changed_only:
            return "nothing was changed: all values are those of the template"
        if not form.names:
            return "the template offers no variables"
        names = next((one.names for one in form.panels if one.title == self.panel), ())
        if any(form.visible(name).holds for name in names):
            return "only of detectors that do not take part; e shows them all the same"
        conditions = dict.fromkeys(form.field(name).visible_if for name in names if not form.visible(name).holds)
        if len(conditions) == 1:
            return f"nothing to set here unless {next(iter(conditions))}"
        return f"all {len(names)} variables of this panel are hidden by what is chosen elsewhere"

    def next_row(self, is_meant: Callable[[str], bool], direction: int) -> str:
        """Look through all panels."""
        bench, form = bench_of(self), self.form
        names = [name for panel in form.panels for name in panel.names if is_shown(bench, name)]
        at = names.index(self.selected) if self.selected in names else -1
        ahead = names[at + 1 :] if direction > 0 else names[: max(0, at)][::-1]
        return next(filter(is_meant, ahead), "")

    def show_row(self, row: str) -> None:
        panel = next((one.title for one in self.form.panels if row in one.names), self.panel)
        if panel != self.panel:
            self.show_panel(panel)
            self.post_message(self.PanelShown(panel))
        self.select(row)

    # ---- keys --------------------------------------------------------------------------------

    def refusal(self, name: str) -> str:
        """Say why a variable cannot be changed now, "" if it can."""
        if not self.form.visible(name).holds:
            return f"hidden unless {self.form.field(name).visible_if}"
        return self.form.refusal(name)

    def action_turn(self, steps: int) -> None:
        """Choose the next value, or move the slider."""
        name = self.selected
        if not name or not self._may(name):
            return
        field, text = self.form.field(name), self.form.value(name)
        match field.control:
            case Control.SWITCH:
                text = "false" if text == "true" else "true"
            case Control.ONE | Control.RADIO | Control.COMBO:
                text = turned(field, text, 1 if steps > 0 else -1)
            case Control.SLIDER:
                text = moved(field, text, steps)
            case _:
                self.post_message(self.Opened(self, name))
                return
        self.form.set(name, text)
        bench_of(self).changed()

    def action_open(self) -> None:
        name = self.selected
        if name and self._may(name):
            if self.form.field(name).control is Control.SWITCH:
                self.action_turn(1)
            else:
                self.post_message(self.Opened(self, name))

    def action_undo(self) -> None:
        """Go back to the value of the template."""
        if self.selected and self._may(self.selected):
            self.form.reset(self.selected)
            bench_of(self).changed()

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self.post_message(self.Pasted(event.text))

    def _may(self, name: str) -> bool:
        why_not = self.refusal(name)
        if why_not:
            bench_of(self).tell(f"{self.form.field(name).label}: {why_not}")
        return not why_not

    # ---- painting ----------------------------------------------------------------------------

    def columns(self, width: int) -> Sequence[Column]:
        base = [Column("", 1), Column("VARIABLE", 32 if width >= WIDE else 22)]
        if self.spans_panels and width >= WIDE:
            base.insert(1, Column("PANEL", 18))
        return [*base, Column("VALUE", 0)]

    def value_at(self) -> int:
        """Return the cell where the values begin."""
        return 1 + sum(column.width + 1 for column in self.columns(self.size.width) if column.title != "VALUE")

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        form = self.form
        field, text = form.field(row), form.value(row)
        is_changed, refusal = row in form.changed, self.refusal(row)
        style = looks.dim if refusal else looks.bold if is_changed else looks.text
        room = self.size.width - self.value_at()
        value = Cell(drawn(field, text, room, looks), style)
        mark = Cell(looks.glyph("marked"), looks.accent) if is_changed else Cell("")
        if problem := form.problem(row):
            mark = Cell(looks.glyph("bad"), looks.alarm)
            value = Cell(f"{text or '-'}  {looks.glyph('left')} {problem}", looks.alarm)
        elif form.warning(row):
            mark = Cell(looks.glyph("warn"), looks.warn)
        by_title = {
            "": mark,
            "PANEL": Cell(field.panel, looks.dim),
            "VARIABLE": Cell(field.label, style),
            "VALUE": value,
        }
        return [by_title[column.title] for column in columns]


def is_shown(bench: Bench, name: str) -> bool:
    """Say whether a variable is shown in its panel."""
    if not bench.creation.form.visible(name).holds:
        return False
    return bench.shows_all_detectors or not bench.creation.is_foreign(name, bench.around)
