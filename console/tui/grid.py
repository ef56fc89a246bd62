"""A list drawn line by line: no widget per row, rows read from the store while painting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.tui.looks import Styles


class Column(NamedTuple):
    """One column; the one with width 0 takes what is left."""

    title: str
    width: int
    right: bool = False


class Cell(NamedTuple):
    text: str
    style: Style | None = None


class Grid(ScrollView, can_focus=True):
    """Base of the lists: heading, rows, a selected row that stays selected while rows come and go."""

    BINDINGS = [  # noqa: RUF012  # textual's own form
        Binding("down,j", "move(1)", "down", show=False, id="grid.down"),
        Binding("up,k", "move(-1)", "up", show=False, id="grid.up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="grid.page_down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="grid.page_up"),
        Binding("g,home", "top", "top", show=False, id="grid.top"),
        Binding("G,end", "bottom", "bottom", show=False, id="grid.bottom"),
    ]

    class Selected(Message):
        """Another row is selected."""

        def __init__(self, grid: Grid, row: str) -> None:
            super().__init__()
            self.grid = grid
            self.row = row

        @property
        def control(self) -> Grid:
            return self.grid

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.selected = ""
        """Id of the selected row, "" if there is none."""
        self.styles_of: Styles | None = None

    # ---- for subclasses ----------------------------------------------------------------------

    def row_count(self) -> int:
        raise NotImplementedError

    def row_id(self, at: int) -> str:
        raise NotImplementedError

    def row_index(self, row: str) -> int | None:
        raise NotImplementedError

    def columns(self, width: int) -> Sequence[Column]:
        raise NotImplementedError

    def cells(self, row: str, columns: Sequence[Column], styles: Styles) -> Sequence[Cell]:
        raise NotImplementedError

    def empty_text(self) -> str:
        raise NotImplementedError

    # ---- changes -----------------------------------------------------------------------------

    def rows_changed(self) -> None:
        """Take note that rows came, went or moved, and paint once."""
        count = self.row_count()
        size = Size(self.size.width, count + 1)
        if self.virtual_size != size:
            self.virtual_size = size
        if (not self.selected or self.row_index(self.selected) is None) and count:
            self._select(self.row_id(0))
        elif not count and self.selected:
            self._select("")
        self.refresh()

    def select(self, row: str) -> None:
        """Select a row and bring it into view."""
        self._select(row)
        at = self.row_index(row)
        if at is not None:
            visible = max(1, self.size.height - 1)
            top = int(self.scroll_offset.y)
            if at < top:
                self.scroll_to(y=at, animate=False)
            elif at >= top + visible:
                self.scroll_to(y=at - visible + 1, animate=False)

    def _select(self, row: str) -> None:
        if row != self.selected:
            self.selected = row
            self.post_message(self.Selected(self, row))
            self.refresh()

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

    def on_click(self, event: events.Click) -> None:
        at = int(self.scroll_offset.y) + event.y - 1
        if event.y > 0 and 0 <= at < self.row_count():
            self.select(self.row_id(at))

    def on_resize(self, event: events.Resize) -> None:
        self.rows_changed()

    # ---- painting ----------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        styles = self.styles_of
        width = self.size.width
        if styles is None or not width:
            return Strip.blank(width)
        columns = self.columns(width)
        if y == 0:
            heading = [Cell(column.title, styles.heading) for column in columns]
            return self._strip(heading, columns, styles, styles.heading)
        at = int(self.scroll_offset.y) + y - 1
        if at >= self.row_count():
            if y == 1 and not self.row_count():
                return Strip([Segment(set_cell_size(f"  {self.empty_text()}", width), styles.dim)], width)
            return Strip([Segment(" " * width, styles.text)], width)
        row = self.row_id(at)
        is_selected = row == self.selected
        strip = self._strip(self.cells(row, columns, styles), columns, styles, styles.text, "▸" if is_selected else " ")
        if is_selected:
            strip = strip.apply_style(styles.selected if self.has_focus else styles.selected_elsewhere)
        return strip

    def _strip(
        self, cells: Sequence[Cell], columns: Sequence[Column], styles: Styles, blank: Style, mark: str = " "
    ) -> Strip:
        width = self.size.width
        rest = max(0, width - 1 - sum(column.width for column in columns) - len(columns))
        segments = [Segment(mark, blank)]
        for cell, column in zip(cells, columns, strict=True):
            segments.append(
                Segment(fit(cell.text, column.width or rest, right=column.right), cell.style or styles.text)
            )
            segments.append(Segment(" ", blank))
        return Strip(segments).adjust_cell_length(width, blank)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return the text as wide as that many cells; what is cut ends in "…". Control characters become blanks."""
    plain = text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)
    length = cell_len(plain)
    if length > width:
        return set_cell_size(set_cell_size(plain, max(0, width - 1)).rstrip() + "…", width) if width else ""
    return " " * (width - length) + plain if right else plain + " " * (width - length)
