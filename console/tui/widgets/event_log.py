"""What happened, newest last: the events of the core, of all environments or of one. It follows until you scroll up."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType

from console.filters import Fields
from console.happenings import KINDS, environment_of, event_line, event_text, is_bad, is_detail
from console.present import clock, moment
from console.tui.widgets.grid import Cell, Column, Grid
from server.api.model import Event

if TYPE_CHECKING:
    from console.tui.looks import Styles


class EventLog(Grid):
    """Events; the row is named by the serial number of its event.

    Args:
        only_selected: those of the environment that the screens are about.
        with_details: also every step and every task; else what somebody should hear of.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "error(1)", "next error", show=False, id="events.next_error"),
        Binding("left_square_bracket", "error(-1)", "error before", show=False, id="events.error_before"),
    ]

    def __init__(self, *, id: str, only_selected: bool = False, with_details: bool = True) -> None:
        super().__init__(id=id)
        self._only_selected = only_selected
        self._with_details = with_details
        self._serials: list[int] = []
        self._seen = 0
        self._environment_id = ""
        self.is_following = True

    def reload(self) -> None:
        """Take all events that the store still has."""
        self._seen, self._serials = self.store.events_total - len(self.store.events), []
        self._environment_id = self.desk.environment_id
        self.take_new()

    def take_new(self) -> None:
        """Take in the events that came since."""
        store = self.store
        if self._only_selected and self._environment_id != self.desk.environment_id:
            self.reload()
            return
        oldest = store.events_total - len(store.events)
        new = [str(serial) for serial in range(max(self._seen, oldest), store.events_total)]
        self._seen = store.events_total
        new = [row for row in new if (event := self._event(row)) and self._is_wanted(event)]
        self._serials = [serial for serial in self._serials if serial >= oldest]
        self._serials += map(int, self.filtered(new))
        self.rows_changed()
        if self.is_following and self._serials:
            self.select(str(self._serials[-1]))

    def _is_wanted(self, event: Event) -> bool:
        if self._only_selected and environment_of(event) != self._environment_id:
            return False
        return self._with_details or not is_detail(event)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        if self.is_following:
            self.action_bottom()  # what is last must be seen, whatever the height is now

    def action_error(self, direction: int) -> None:
        """Go to the next event that tells of something that went wrong."""
        self.go_to_next(lambda row: (event := self._event(row)) is not None and is_bad(event), direction, "error")

    def show_row(self, row: str) -> None:
        super().show_row(row)
        self.is_following = row == str(self._serials[-1])

    def action_move(self, step: int) -> None:
        super().action_move(step)
        self.is_following = bool(self._serials) and self.selected == str(self._serials[-1])

    def action_top(self) -> None:
        super().action_top()
        self.is_following = False

    def action_bottom(self) -> None:
        super().action_bottom()
        self.is_following = True

    def row_count(self) -> int:
        return len(self._serials)

    def row_id(self, at: int) -> str:
        return str(self._serials[at])

    def row_index(self, row: str) -> int | None:
        if not row:
            return None
        at = bisect_left(self._serials, int(row))
        return at if at < len(self._serials) and self._serials[at] == int(row) else None

    def empty_text(self) -> str:
        return self.desk.session.waiting() or "nothing has happened yet"

    def columns(self, width: int) -> Sequence[Column]:
        base = [Column("TIME", 12), Column("KIND", 8)]
        if not self._only_selected and width >= 70:
            base.append(Column("ENV ID", 11))
        return [*base, Column("WHAT HAPPENED", 0)]

    def fields(self, row: str) -> Fields:
        event = self._event(row)
        if event is None:
            return {}
        return {
            "time": clock(event.at_ms),
            "kind": KINDS[type(event)],
            "env": environment_of(event),
            "host": getattr(event, "host", ""),
            "state": getattr(event, "state", ""),
            "text": event_text(event),
        }

    def details(self, row: str) -> Fields:
        event = self._event(row)
        if event is None:
            return {}
        known = {**self.fields(row), "time": moment(event.at_ms), "path": getattr(event, "path", "")}
        return {label: text for label, text in known.items() if text}

    def selected_title(self) -> str:
        return "Event"

    def copied_text(self) -> str:
        event = self._event(self.selected) if self.selected else None
        return event_line(event) if event else ""

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        event = self._event(row)
        if event is None:
            return [Cell("")] * len(columns)
        style = _style(event, looks)
        cells = [Cell(clock(event.at_ms), looks.dim), Cell(KINDS[type(event)], looks.dim)]
        if len(columns) == 4:
            cells.append(Cell(environment_of(event) or "-", looks.dim))
        return [*cells, Cell(event_text(event), style)]

    def _event(self, row: str) -> Event | None:
        at = int(row) - (self.store.events_total - len(self.store.events))
        return self.store.events[at] if 0 <= at < len(self.store.events) else None


def _style(event: Event, looks: Styles) -> Style:
    """Return how much an event asks for attention."""
    return looks.alarm if is_bad(event) else looks.dim if is_detail(event) else looks.text
