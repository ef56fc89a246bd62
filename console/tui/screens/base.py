"""What all screens have: header, keys, the words for a terminal that is too small, and how they follow the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.widget import Widget

from console.store import Key
from console.subjects import Subject
from console.tui.painting import AtDesk, Lines, Parts
from console.tui.widgets.grid import Grid
from console.tui.widgets.header import Header
from console.tui.widgets.keys import Keys

if TYPE_CHECKING:
    from console.tui.looks import Styles

MIN_WIDTH, MIN_HEIGHT = 80, 24


class ConsoleScreen(AtDesk, Screen[None]):
    """Base of the screens. A subclass gives the body and says what of it a change concerns."""

    DEFAULT_CSS = """
    ConsoleScreen { background: $background; }
    ConsoleScreen #body { height: 1fr; }
    ConsoleScreen #bottom { height: auto; dock: bottom; }
    ConsoleScreen TooSmall { display: none; }
    ConsoleScreen.-too-small > * { display: none; }
    ConsoleScreen.-too-small > TooSmall { display: block; }
    """

    tab = ""
    """Name of the tab that the header marks."""
    has_verbs = True
    """It is about environments that are there, to which keys give verbs."""

    @property
    def subject(self) -> Subject:
        """The task or host that is selected here."""
        return Subject()

    def body(self) -> ComposeResult:
        """Yield what stands between header and keys."""
        raise NotImplementedError

    def take(self, changed: set[Key]) -> None:
        """Show what changed; called at most once per frame, for a screen that can be seen."""
        raise NotImplementedError

    def take_all(self) -> None:
        """Show everything anew: the screen can be seen again, or the picture was replaced."""
        raise NotImplementedError

    def environment_changed(self) -> None:
        """The screens are about another environment now."""
        self.take_all()

    def tick(self) -> None:
        """Show that time passed; once per second, only while the picture is alive."""
        for lines in self.query(Lines):
            lines.repaint()
        for grid in self.query(Grid):
            grid.refresh()

    # ---- shared ------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Header(id="header")
        with Vertical(id="body"):
            yield from self.body()
        with Vertical(id="bottom"):
            yield from self.desk.extra_lines()
            yield Keys(id="keys")
        yield TooSmall()

    def repaint(self) -> None:
        """Paint everything anew, as after a change of the theme."""
        for widget in self.walk_children(Widget):
            if isinstance(widget, Lines):
                widget.repaint()
            else:
                widget.refresh()

    def repaint_lines(self, selectors: Iterable[str] = ("Lines",)) -> None:
        """Draw the named line widgets anew."""
        for selector in selectors:
            for lines in self.query(selector).results(Lines):
                lines.repaint()

    def on_screen_resume(self) -> None:
        if self.app.is_running:  # an app that ends builds no more screens
            self.take_all()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < MIN_WIDTH or event.size.height < MIN_HEIGHT, "-too-small")


class TooSmall(Lines):
    """Stands alone where the terminal is too small for the screen."""

    DEFAULT_CSS = "TooSmall { height: 1fr; }"

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        size = self.app.size
        return [
            [(f"{looks.glyph('warn')} terminal too small", looks.warn)],
            [(f"it is {size.width}x{size.height}; at least {MIN_WIDTH}x{MIN_HEIGHT}", looks.text)],
        ]
