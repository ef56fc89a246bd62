"""A list drawn line by line: no widget per row, rows read from the store while painting.

The selected row stays selected while rows come, go, move and are filtered. What a list shows: its subclass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.filters import Fields, parse
from console.tui.painting import AtDesk, fit

if TYPE_CHECKING:
    from console.tui.looks import Styles


TOLD_S = 3.0
"""How long it is said that there is no further match."""


class Column(NamedTuple):
    """One column; the one with width 0 takes what is left."""

    title: str
    width: int
    right: bool = False


class Cell(NamedTuple):
    text: str
    style: Style | None = None


class Grid(AtDesk, ScrollView, can_focus=True):
    """Base of the lists: heading, rows, a selected row that stays selected while rows come and go."""

    DEFAULT_CSS = """
    Grid { background: $background; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "down", show=False, id="list.down"),
        Binding("up,k", "move(-1)", "up", show=False, id="list.up"),
        Binding("pagedown,ctrl+d", "page(1)", "page down", show=False, id="list.page_down"),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False, id="list.page_up"),
        Binding("g,home", "top", "first", show=False, id="list.top"),
        Binding("G,end", "bottom", "last", show=False, id="list.bottom"),
        Binding("enter", "open", "open", id="list.open"),
        Binding("n", "match(1)", "next match", show=False, id="list.next_match"),
        Binding("N", "match(-1)", "match before", show=False, id="list.match_before"),
        Binding("escape", "show_all", "show all", show=False, id="list.show_all"),
    ]

    class Selected(Message):
        """Another row is selected."""

        def __init__(self, grid: Grid, row: str) -> None:
            super().__init__()
            self.set_sender(grid)  # whoever caused it: a message does not rise above the one that it comes from
            self.grid = grid
            self.row = row

        @property
        def control(self) -> Grid:
            return self.grid

    class Opened(Selected):
        """The selected row shall be opened."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.selected = ""
        """Id of the selected row, "" if there is none."""
        self.filter_text = ""
        self.sought = ""
        """The filter whose matches are gone through, among all rows; "" for none."""
        self._at: int | None = None
        """Where the selected row stood when rows were last looked at."""
        self._height = 0
        """Of the widget when it was last laid out."""

    # ---- for subclasses ----------------------------------------------------------------------

    def row_count(self) -> int:
        raise NotImplementedError

    def row_id(self, at: int) -> str:
        raise NotImplementedError

    def row_index(self, row: str) -> int | None:
        raise NotImplementedError

    def default_row(self) -> str:
        """Return the row to select where none is and there are some."""
        return self.row_id(0)

    def columns(self, width: int) -> Sequence[Column]:
        raise NotImplementedError

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        raise NotImplementedError

    def empty_text(self) -> str:
        """Return what stands where no rows are."""
        raise NotImplementedError

    def fields(self, row: str) -> Fields:
        """Return the texts of a row that a filter looks at."""
        raise NotImplementedError

    def reload(self) -> None:
        """Read all rows again, through the filter."""
        raise NotImplementedError

    def details(self, row: str) -> Fields:
        """Return what Enter shows of a row in full; nothing where it opens something else."""
        return {}

    def selected_title(self) -> str:
        """Return what stands above the details of the selected row."""
        return self.selected

    def copied_text(self) -> str:
        """Return what is copied of the selected row: its id unless something else says more."""
        return self.selected

    # ---- the filter --------------------------------------------------------------------------

    def show_only(self, filter_text: str) -> None:
        """Keep the rows that the filter lets through; "" shows all."""
        if filter_text != self.filter_text:
            self.filter_text = filter_text
            self.reload()

    def filtered(self, rows: Iterable[str]) -> list[str]:
        """Return the rows that the filter lets through, in their order."""
        if not self.filter_text:
            return list(rows)
        lets_through = parse(self.filter_text)
        return [row for row in rows if lets_through(self.fields(row))]

    # ---- going through matches ---------------------------------------------------------------

    def next_row(self, is_meant: Callable[[str], bool], direction: int) -> str:
        """Return the nearest row that is meant, behind the selected one or before it; "" if there is none."""
        at, count = self.row_index(self.selected) if self.selected else None, self.row_count()
        start = -1 if at is None else at
        ahead = range(start + 1, count) if direction > 0 else range(start - 1, -1, -1)
        return next((row for row in map(self.row_id, ahead) if is_meant(row)), "")

    def show_row(self, row: str) -> None:
        """Select a row that ``next_row`` found, wherever it is."""
        self.select(row)

    def action_match(self, direction: int) -> None:
        """Show all rows, and go to the next one that the filter lets through."""
        if self.filter_text:
            self.sought, kept = self.filter_text, self.selected
            self.show_only("")
            if kept:
                self.show_row(kept)
            self.screen.refresh_bindings()
        lets_through = parse(self.sought)
        self.go_to_next(lambda row: lets_through(self.fields(row)), direction, f"match of /{self.sought}")

    def go_to_next(self, is_meant: Callable[[str], bool], direction: int, what: str) -> None:
        """Select the next row that is meant, or say that there is none."""
        if row := self.next_row(is_meant, direction):
            self.show_row(row)
        else:
            self.notify(f"no {what} {'below' if direction > 0 else 'above'}", markup=False, timeout=TOLD_S)

    # ---- changes -----------------------------------------------------------------------------

    def rows_changed(self) -> None:
        """Take note that rows came, went or moved, and paint once.

        The selected row stays where it is on the screen, unless it is the first one: the top of a list stays in view.
        """
        count = self.row_count()
        size = Size(self.size.width, count + 1)
        if self.virtual_size != size:
            self.virtual_size = size
        at = self.row_index(self.selected) if self.selected else None
        if at is None:
            if count:
                self._select(self.default_row())
            elif self.selected:
                self._select("")
        else:
            if self._at and at != self._at and self._is_visible(self._at, self.size.height):
                self.scroll_to(y=self.scroll_offset.y + at - self._at, animate=False, immediate=True)
            self._at = at
        self.refresh()

    def _is_visible(self, at: int, height: int) -> bool:
        return 0 <= at - self.scroll_offset.y < height - 1

    def select(self, row: str) -> None:
        """Select a row and bring it into view, at once: a change of rows or height right after it asks whether it is there."""
        self._select(row)
        at = self.row_index(row)
        if at is not None:
            visible = max(1, self.size.height - 1)
            top = int(self.scroll_offset.y)
            if at < top:
                self.scroll_to(y=at, animate=False, force=True, immediate=True)
            elif at >= top + visible:
                self.scroll_to(y=at - visible + 1, animate=False, force=True, immediate=True)

    def _select(self, row: str) -> None:
        if row != self.selected:
            self.selected = row
            self._at = self.row_index(row) if row else None
            self.post_message(self.Selected(self, row))
            self.refresh()

    def watch_show_vertical_scrollbar(self, is_shown: bool) -> None:
        if is_shown:
            self.vertical_scrollbar.position = self.scroll_y  # it missed what was scrolled while it was hidden

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Esc to others while all rows are shown, ``n`` while nothing is looked for, keys of errors to a recording."""
        if action == "error":  # there they go from mark to mark
            return self.desk.session.replay is None
        is_sought = bool(self.filter_text or self.sought)
        return is_sought if action == "show_all" else is_sought or None if action == "match" else True

    def action_show_all(self) -> None:
        self.show_only("")
        self.sought = ""
        self.refresh()
        self.screen.refresh_bindings()

    # ---- keys --------------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        count = self.row_count()
        if count:
            at = self.row_index(self.selected)
            self.select(self.row_id(min(count - 1, max(0, (at if at is not None else -step) + step))))

    def action_page(self, direction: int) -> None:
        self.action_move(direction * max(1, self.size.height - 2))

    def action_top(self) -> None:
        if self.row_count():
            self.select(self.row_id(0))

    def action_bottom(self) -> None:
        if self.row_count():
            self.select(self.row_id(self.row_count() - 1))

    def action_open(self) -> None:
        if self.selected and (details := self.details(self.selected)):
            from console.tui.dialogs.reading import read_details  # not for the first paint; it needs this module

            self.app.push_screen(read_details(self.selected_title(), details, self.desk.looks, self.app.size.width))
        elif self.selected:
            self.post_message(self.Opened(self, self.selected))

    def on_click(self, event: events.Click) -> None:
        at = int(self.scroll_offset.y) + event.y - 1
        if event.y > 0 and 0 <= at < self.row_count():
            row = self.row_id(at)
            was_selected = row == self.selected
            self.select(row)
            if was_selected and event.chain > 1:
                self.action_open()

    def on_resize(self, event: events.Resize) -> None:
        was_visible = self._at is not None and self._is_visible(self._at, self._height)
        self._height = event.size.height
        self.rows_changed()
        if was_visible:
            self.select(self.selected)  # it stays in view

    # ---- painting ----------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        looks = self.desk.looks
        return self._line(y, looks, self.size.width).apply_style(looks.ground)

    def _line(self, y: int, looks: Styles, width: int) -> Strip:
        if not width:
            return Strip.blank(0)
        columns = self.columns(width)
        if y == 0:
            heading = [Cell(column.title, looks.heading) for column in columns]
            return self._strip(heading, columns, looks, looks.heading)
        at = int(self.scroll_offset.y) + y - 1
        if at >= self.row_count():
            if y == 1 and not self.row_count():
                text = f"no row matches /{self.filter_text}" if self.filter_text else self.empty_text()
                return Strip([Segment(fit(f"  {text}", width, ellipsis=looks.glyph("ellipsis")), looks.dim)], width)
            return Strip([Segment(" " * width, looks.text)], width)
        row = self.row_id(at)
        is_selected = row == self.selected
        mark = looks.glyph("selected") if is_selected else " "
        strip = self._strip(self.cells(row, columns, looks), columns, looks, looks.text, mark)
        if is_selected:
            strip = strip.apply_style(looks.selected if self.has_focus else looks.selected_elsewhere)
        return strip

    def _strip(
        self, cells: Sequence[Cell], columns: Sequence[Column], looks: Styles, blank: Style, mark: str = " "
    ) -> Strip:
        width = self.size.width
        rest = max(0, width - 1 - sum(column.width for column in columns) - len(columns))
        ellipsis = looks.glyph("ellipsis")
        segments = [Segment(mark, blank)]
        for cell, column in zip(cells, columns, strict=True):
            text = fit(cell.text, column.width or rest, right=column.right, ellipsis=ellipsis)
            style = cell.style or looks.text
            if style.underline or style.reverse:  # which would show on blanks too
                inner = text.strip()
                left = text.index(inner)
                segments.append(Segment(text[:left], blank))
                segments.append(Segment(inner, style))
                segments.append(Segment(text[left + len(inner) :], blank))
            else:
                segments.append(Segment(text, style))
            segments.append(Segment(" ", blank))
        return Strip(segments).adjust_cell_length(width, blank)


class ListGrid(Grid):
    """A grid whose rows are few enough to be read anew whenever one of them comes or goes."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._rows: list[str] = []

    def rows(self) -> Iterable[str]:
        """Return the ids of all rows in their order."""
        raise NotImplementedError

    def reload(self) -> None:
        self._rows = self.filtered(self.rows())
        self.rows_changed()

    def row_count(self) -> int:
        return len(self._rows)

    def row_id(self, at: int) -> str:
        return self._rows[at]

    def row_index(self, row: str) -> int | None:
        return self._rows.index(row) if row in self._rows else None
