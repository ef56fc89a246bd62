"""The palette: everything that can be done from here, found by a few letters; what is not possible now says why.

Not Textual's own: its providers find by coroutines that may do I/O, and its list can neither grey a line nor hold it back.
What is offered, and in which order: entries.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Label

from console.store import Key
from console.tui import entries
from console.tui.dialogs.base import Dialog
from console.tui.entries import Entry, Found, Offer
from console.tui.painting import Lines, Part, Parts, fit, width_of

if TYPE_CHECKING:
    from console.tui.actions import OperatorApp
    from console.tui.looks import Styles

RUN, DRY, COPY = "run", "dry", "copy"
TITLE_WIDTH = 44


class Palette(Dialog[Entry]):
    """Answers with the entry to carry out, None for Esc.

    Args:
        offer: what is known now; called again whenever that may have changed.
        dry_run: shows what an entry would ask for.
        copy: copies an entry as a command line.
        typed: what stands in the line at first.
    """

    DEFAULT_CSS = """
    Palette { align: center top; }
    Palette > #box { width: 100; height: 1fr; max-height: 30; padding: 0 1; margin: 1 0 0 0; }
    Palette #entry { height: 1; margin-bottom: 1; }
    Palette #entry Label { width: 2; color: $accent; text-style: bold; }
    Palette #entry Input { width: 1fr; border: none; height: 1; padding: 0; background: $panel; }
    Palette EntryList { height: 1fr; }
    """
    is_made_for_typing = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "run", "run", id="palette.run", priority=True),
        Binding("alt+enter", "dry_run", "dry run", id="palette.dry_run", priority=True),
        Binding("ctrl+y", "copy", "copy", id="palette.copy", priority=True),
        Binding("down,ctrl+n", "move(1)", "down", show=False, id="palette.down", priority=True),
        Binding("up,ctrl+p", "move(-1)", "up", show=False, id="palette.up", priority=True),
        Binding("pagedown", "page(1)", "page down", show=False, id="palette.page_down", priority=True),
        Binding("pageup", "page(-1)", "page up", show=False, id="palette.page_up", priority=True),
    ]

    def __init__(
        self,
        offer: Callable[[], Offer],
        dry_run: Callable[[Entry], None],
        copy: Callable[[Entry], None],
        typed: str = "",
    ) -> None:
        super().__init__("What can be done")
        self._offer = offer
        self._dry_run = dry_run
        self._copy = copy
        self._typed = typed

    def body(self) -> ComposeResult:
        with Horizontal(id="entry"):
            yield Label(self.looks.glyph("prompt"))
            yield Input(
                self._typed,
                select_on_focus=False,
                placeholder="a verb, an environment, a task, a template, a screen",
                compact=True,
            )
        yield EntryList()
        yield Detail()

    def on_mount(self) -> None:
        entry = self.query_one(Input)
        entry.cursor_blink = False
        entry.focus()
        self.desk.typing_begins(self)
        self.reload()

    def reload(self) -> None:
        """Look again what is offered; what is selected stays so."""
        if not self.is_attached:
            return
        offer = self._offer()
        found = entries.ranked(self.query_one(Input).value, offer, entries.entries(offer))
        self.query_one(EntryList).show(found)
        self._show_detail()

    def take(self, changed: set[Key]) -> None:
        super().take(changed)
        self.reload()

    @on(Input.Changed)
    def _on_typed(self) -> None:
        self.query_one(EntryList).selected = 0
        offer = self._offer()
        self.query_one(EntryList).show(
            entries.ranked(self.query_one(Input).value, offer, entries.entries(offer)), keep=False
        )
        self._show_detail()

    def action_move(self, step: int) -> None:
        self.query_one(EntryList).move(step)
        self._show_detail()

    def action_page(self, direction: int) -> None:
        shown = self.query_one(EntryList)
        shown.move(direction * max(1, shown.size.height - 1))
        self._show_detail()

    def action_run(self) -> None:
        """Close with the selected entry; one that is not possible stays and says why."""
        entry = self._entry
        if entry is not None and not entry.why_not:
            self.dismiss(entry)
        elif entry is not None:
            self.app.notify(entry.why_not, title=f"{entry.title}: not possible now", severity="warning", markup=False)

    def action_dry_run(self) -> None:
        if self._entry is not None:
            self._dry_run(self._entry)

    def action_copy(self) -> None:
        if self._entry is not None:
            self._copy(self._entry)

    @property
    def _entry(self) -> Entry | None:
        return self.query_one(EntryList).entry

    def _show_detail(self) -> None:
        detail = self.query_one(Detail)
        detail.entry = self._entry
        detail.repaint()


class EntryList(Lines):
    """The entries that fit, one line each; what is not possible now is dim and says why."""

    DEFAULT_CSS = "EntryList { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._found: Sequence[Found] = ()
        self.selected = 0
        self._top = 0

    @property
    def entry(self) -> Entry | None:
        return self._found[self.selected].entry if self._found else None

    def show(self, found: Sequence[Found], *, keep: bool = True) -> None:
        """Show other entries; the selected one stays selected if it is still there."""
        before = self.entry if keep else None
        self._found = found
        at = next((at for at, one in enumerate(found) if before and one.entry.title == before.title), self.selected)
        self.selected = max(0, min(at, len(found) - 1))
        self.repaint()

    def move(self, step: int) -> None:
        self.selected = max(0, min(self.selected + step, len(self._found) - 1))
        self.repaint()

    def below(self, looks: Styles) -> Style:
        return looks.surface

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        if not self._found:
            return [[("  nothing fits", looks.dim)]]
        self._top = max(0, min(max(self._top, self.selected - height + 1), self.selected, len(self._found) - height))
        shown = list(enumerate(self._found))[self._top : self._top + height]
        return [self._line(found, looks, width, is_selected=at == self.selected) for at, found in shown]

    def _line(self, found: Found, looks: Styles, width: int, *, is_selected: bool) -> list[Part]:
        entry = found.entry
        is_dim = bool(entry.why_not)
        base = looks.dim if is_dim else looks.bold if is_selected else looks.text
        mark = looks.glyph("selected") if is_selected else " "
        room = min(TITLE_WIDTH, width // 2)
        ellipsis = looks.glyph("ellipsis")
        title = fit(entry.title, room, ellipsis=ellipsis)
        parts: list[Part] = [(f"{mark} ", looks.key)]
        parts += [(letter, base + looks.match if at in found.at else base) for at, letter in enumerate(title)]
        app = cast("OperatorApp", self.app)
        key = f" {app.shown_key(entry.key)}" if entry.key else ""
        left = width - width_of(parts) - 3 - len(key)
        told = f"{looks.glyph('skipped')} {entry.why_not}" if is_dim else entry.about
        parts += [
            ("  ", base),
            (fit(told, left, ellipsis=ellipsis), looks.warn if is_dim else looks.dim),
            (key, looks.key),
        ]
        return [(text, style + looks.selected) for text, style in parts] if is_selected else parts


class Detail(Lines):
    """What Enter would do with the selected entry."""

    DEFAULT_CSS = "Detail { height: 2; }"

    def __init__(self) -> None:
        super().__init__()
        self.entry: Entry | None = None

    def below(self, looks: Styles) -> Style:
        return looks.surface

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        keys: list[Part] = []
        for key, word in (("enter", "do"), ("alt+enter", "dry run"), ("^y", "copy"), ("esc", "leave")):
            keys += [(f"{key} ", looks.key), (f"{word}   ", looks.dim)]
        entry = self.entry
        if entry is None:
            return [[], keys]
        if entry.why_not:
            return [[(f"{looks.glyph('warn')} {entry.why_not}", looks.warn)], keys]
        text = (
            f":{entry.line.strip()} {looks.glyph('ellipsis')}"
            if entry.is_begun
            else f":{entry.line}"
            if entry.line
            else ""
        )
        parts: list[Part] = [(text, looks.text)]
        if entry.needs_arming and entry.kind in ("verb", "recent"):
            parts.append(("   asks before it acts", looks.dim))
        return [parts, keys]
