"""How the screen is drawn: text cut to cells, parts of a line, widgets that draw lines from the store.

No widget of a list or a panel holds a copy of what it shows: it reads the store while it paints.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.scrollbar import ScrollBarRender
from textual.strip import Strip
from textual.widget import Widget

from console.glyphs import glyph

if TYPE_CHECKING:
    from console.session import Session
    from console.store import Store
    from console.tui.looks import Styles

ELLIPSIS = glyph("ellipsis")

Part = tuple[str, Style]
"""Text and its style."""
Parts = Sequence[Part]


class Line(Protocol):
    """A screen to type into."""

    is_made_for_typing: bool
    """It is being made; what is typed meanwhile is for it."""


class Desk(Protocol):
    """What every widget may ask of the app: the session it shows and how things look."""

    session: Session
    looks: Styles

    @property
    def environment_id(self) -> str:
        """The environment that all screens are about, "" for none."""

    def extra_lines(self) -> Iterable[Widget]:
        """Return widgets that stand above the keys of every screen."""
        ...

    def typing_begins(self, line: Line) -> None:
        """Give a line that can be typed into now what was typed while it was being made."""
        ...


class AtDesk:
    """What widgets, screens and dialogs of ours ask of the app. Stands before the class of Textual's among the bases."""

    @property
    def desk(self) -> Desk:
        return cast("Desk", cast("Widget", self).app)

    @property
    def looks(self) -> Styles:
        return self.desk.looks

    @property
    def store(self) -> Store:
        return self.desk.session.store


def plain(text: str) -> str:
    """Return foreign text as one line without control characters, which could drive the terminal."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def fit(text: str, width: int, *, right: bool = False, ellipsis: str = ELLIPSIS) -> str:
    """Return the text as wide as that many cells; what is cut ends in an ellipsis. Control characters become blanks."""
    text = plain(text)
    length = cell_len(text)
    if length > width:
        if width < 1:
            return ""
        return set_cell_size(set_cell_size(text, max(0, width - cell_len(ellipsis))).rstrip() + ellipsis, width)
    return " " * (width - length) + text if right else text + " " * (width - length)


def folded(text: str, width: int) -> str:
    """Return a text whose words fit into so many cells: longer ones are taken apart."""
    room = max(10, width)
    words = (word[at : at + room] for word in text.split(" ") for at in range(0, max(1, len(word)), room))
    return " ".join(words)


def width_of(parts: Parts) -> int:
    """Return the cells that parts take."""
    return sum(cell_len(text) for text, _ in parts)


def strip_of(parts: Parts, width: int, ground: Style, *, ellipsis: str = ELLIPSIS) -> Strip:
    """Return parts as a line of exactly that width; the part that does not fit is cut, the rest is ground."""
    segments, left = [], width
    for text, style in parts:
        text = plain(text)
        length = cell_len(text)
        if length > left:
            text = fit(text, left, ellipsis=ellipsis)
            length = left
        if length:
            segments.append(Segment(text, style))
        left -= length
    if left > 0:
        segments.append(Segment(" " * left, ground))
    return Strip(segments, width)


def title_line(title: str, rest: str, looks: Styles, width: int) -> list[Part]:
    """Return the heading of a panel over the whole width."""
    ellipsis = looks.glyph("ellipsis")
    return [(f" {title} ", looks.heading), (fit(f" {rest}", width - len(title) - 2, ellipsis=ellipsis), looks.heading)]


class PlainScrollBar(ScrollBarRender):
    """A scroll bar without the signs that show parts of a cell."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = VERTICAL_BARS


class Lines(AtDesk, Widget):
    """Lines drawn from the store. A subclass says which; they are made once per paint."""

    DEFAULT_CSS = "Lines { height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._drawn: tuple[int, int, Sequence[Parts]] | None = None

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        """Return the lines to show, each as parts; fewer than the height leave the rest empty."""
        raise NotImplementedError

    def ground(self, looks: Styles) -> Style:
        """Return the style of what no part covers."""
        return looks.text

    def below(self, looks: Styles) -> Style:
        """Return the ground that all of it stands on."""
        return looks.ground

    def repaint(self) -> None:
        """Draw anew with the next frame."""
        self._drawn = None
        self.refresh()

    def notify_style_update(self) -> None:
        self._drawn = None
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        width, height = self.size.width, self.size.height
        looks = self.looks
        if self._drawn is None or self._drawn[:2] != (width, height):
            self._drawn = (width, height, self.lines(looks, width, height) if width and height else ())
        shown = self._drawn[2]
        parts = shown[y] if y < len(shown) else ()
        strip = strip_of(parts, width, self.ground(looks), ellipsis=looks.glyph("ellipsis"))
        return strip.apply_style(self.below(looks))
