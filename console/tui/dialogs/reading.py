"""Something to read over the screen: the result of a question, the help. It scrolls, is filtered and copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Label

from console.filters import Fields
from console.tui.dialogs.base import Dialog, Rows, Sheet, wrapped
from console.tui.painting import Parts, folded
from console.tui.widgets.grid import TOLD_S
from console.tui.widgets.keys import Keys
from console.tui.widgets.pager import Pager, Section

if TYPE_CHECKING:
    from console.tui.looks import Styles


class Reading(Dialog[None]):
    """Sections of text in a box that leaves the header and the keys in sight.

    Args:
        copy: what ``y`` copies; all of the shown text unless given.
        note: one line below the text.
    """

    DEFAULT_CSS = """
    Reading > #box { width: 100%; height: 1fr; padding: 0 1; }
    Reading Pager { height: 1fr; }
    Reading #filter { height: 1; display: none; }
    Reading #filter Label { width: 2; color: $accent; }
    Reading #filter Input { width: 1fr; background: $panel; border: none; height: 1; padding: 0; }
    Reading.-filtering #filter { display: block; }
    Reading #note { margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="app.filter"),
        Binding("n", "match(1)", "next match", show=False, id="list.next_match"),
        Binding("N", "match(-1)", "match before", show=False, id="list.match_before"),
        Binding("y", "copy", "copy", id="app.yank"),
        Binding("escape,q,enter", "leave", "close", id="dialog.leave"),
    ]

    def __init__(self, title: str, sections: Sequence[Section], *, copy: str = "", note: Rows = ()) -> None:
        super().__init__(title)
        self._sections = sections
        self._copy = copy
        self._note = note

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield Keys(id="keys")

    def body(self) -> ComposeResult:
        yield Pager(self._sections)
        with Horizontal(id="filter"):
            yield Label("/")
            yield _FilterInput()
        if self._note:
            yield Sheet(self._note, id="note")

    def on_mount(self) -> None:
        self.query_one(Pager).focus()

    def action_filter(self) -> None:
        self.add_class("-filtering")
        self.query_one(_FilterInput).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to go through matches only while there are any."""
        if action == "match":
            return any(pager.sought for pager in self.query(Pager)) or None
        return super().check_action(action, parameters)

    def action_match(self, direction: int) -> None:
        """Show everything, and go to the next line that the filter keeps."""
        found = self.query_one(Pager).match(direction)
        self._leave_filter()
        if not found:
            self.app.notify(f"no match {'below' if direction > 0 else 'above'}", markup=False, timeout=TOLD_S)

    def _leave_filter(self) -> None:
        entry = self.query_one(_FilterInput)
        with entry.prevent(Input.Changed):
            entry.value = ""
        self.query_one(Pager).focus()
        self.remove_class("-filtering")
        self.refresh_bindings()

    def action_copy(self) -> None:
        text = self._copy or self.query_one(Pager).text()
        self.app.copy_to_clipboard(text)
        self.app.notify(f"{len(text.splitlines())} lines", title="copied", markup=False)

    def action_leave(self) -> None:
        """Leave the filter first, then the dialog."""
        if self.has_class("-filtering"):
            self.query_one(Pager).show_only("")
            self.query_one(Pager).forget_matches()
            self._leave_filter()
        else:
            self.dismiss(None)

    @on(Input.Changed)
    def _on_filter_changed(self, event: Input.Changed) -> None:
        self.query_one(Pager).show_only(event.value)

    @on(Input.Submitted)
    def _on_filter_kept(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one(Pager).focus()
        self.refresh_bindings()


def read_details(title: str, details: Fields, looks: Styles, width: int) -> Reading:
    """Return a box with everything that is known of one thing, each text in full."""
    label_width = max(map(len, details)) + 2
    room = max(20, width - label_width - 6)
    lines: list[Parts] = []
    for label, value in details.items():
        first, *others = [
            part for text in value.splitlines() for part in wrapped([(folded(text, room), looks.text)], room)
        ] or [[]]
        lines.append([(f" {label:{label_width}}", looks.dim), *first])
        lines += [[(" " * (label_width + 1), looks.dim), *line] for line in others]
    copied = "".join(f"{label}: {value}\n" for label, value in details.items())
    return Reading(title, [Section("", lines)], copy=copied)


class _FilterInput(Input):
    def __init__(self) -> None:
        super().__init__(compact=True, select_on_focus=False)
        self.cursor_blink = False
