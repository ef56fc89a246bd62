"""Text to scroll through: sections with a title each, of which a filter keeps the lines that hold a word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.cells import cell_len
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.tui.painting import AtDesk, Parts, strip_of

if TYPE_CHECKING:
    from console.tui.looks import Styles


class Section(NamedTuple):
    """Lines below a title; "" for none."""

    title: str
    lines: Sequence[Parts]


class Pager(AtDesk, ScrollView, can_focus=True):
    """Drawn line by line, so that long results cost nothing."""

    DEFAULT_CSS = "Pager { background: $surface; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "down", show=False, id="list.down"),
        Binding("up,k", "scroll_up", "up", show=False, id="list.up"),
        Binding("pagedown,ctrl+d,space", "page_down", "page down", show=False, id="list.page_down"),
        Binding("pageup,ctrl+u", "page_up", "page up", show=False, id="list.page_up"),
        Binding("right,l", "scroll_right", "right", show=False, id="list.right"),
        Binding("left,h", "scroll_left", "left", show=False, id="list.left"),
        Binding("g,home", "scroll_home", "first", show=False, id="list.top"),
        Binding("G,end", "scroll_end", "last", show=False, id="list.bottom"),
    ]

    def __init__(self, sections: Sequence[Section] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sections = sections
        self._only = ""
        self._shown: list[tuple[bool, Parts]] = []
        """Whether it is a title, and the line."""
        self.matches = 0
        """Lines that are shown, without titles."""
        self._sought = ""
        """Text whose lines are gone through."""
        self._match: int | None = None
        """The line that was gone to."""

    def on_mount(self) -> None:
        self._lay_out()

    def show(self, sections: Sequence[Section]) -> None:
        """Show other sections, through the same filter."""
        self._sections = sections
        self._lay_out()

    def show_only(self, text: str) -> None:
        """Keep lines that hold all words of the text, and the titles above them."""
        self._only = text
        self._match = None
        self._lay_out()
        self.scroll_to(y=0, animate=False)

    @property
    def sought(self) -> str:
        """The text whose lines are shown alone or gone through, "" for none."""
        return self._only or self._sought

    def match(self, direction: int) -> bool:
        """Show all lines and go to the next one that the filter keeps; say whether there is one."""
        if self._only:
            self._sought = self._only
            self.show_only("")
        begin = int(self.scroll_offset.y) - 1 if self._match is None else self._match
        ahead = range(begin + 1, len(self._shown)) if direction > 0 else range(begin - 1, -1, -1)
        words = self._sought.casefold().split()
        found = next((at for at in ahead if not self._shown[at][0] and _holds(self._shown[at][1], words)), None)
        if found is None:
            return False
        self._match = found
        if not 0 <= found - self.scroll_offset.y < self.size.height:
            self.scroll_to(y=max(0, found - self.size.height // 3), animate=False, force=True)
        self.refresh()
        return True

    def forget_matches(self) -> None:
        """Go through no matches any more."""
        self._sought, self._match = "", None
        self.refresh()

    def below(self, looks: Styles) -> Style:
        """Return the ground that all of it stands on."""
        return looks.surface

    def text(self) -> str:
        """Return what is shown as plain text."""
        return "".join("".join(text for text, _ in parts).rstrip() + "\n" for _, parts in self._shown)

    def _lay_out(self) -> None:
        words = self._only.casefold().split()
        self._shown, self.matches = [], 0
        for title, lines in self._sections:
            kept = [line for line in lines if not words or _holds(line, words)]
            if not kept and words:
                continue
            if title:
                if self._shown:
                    self._shown.append((False, ()))
                self._shown.append((True, [(title, Style.null())]))
            self._shown += [(False, line) for line in kept]
            self.matches += len(kept)
        width = max((sum(cell_len(text) for text, _ in parts) for _, parts in self._shown), default=0)
        self.virtual_size = Size(width, len(self._shown))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        looks = self.looks
        width = self.size.width
        at = y + int(self.scroll_offset.y)
        if at >= len(self._shown):
            return Strip.blank(width, self.below(looks))
        is_title, parts = self._shown[at]
        styled = [(text, looks.title) for text, _ in parts] if is_title else parts
        if at == self._match:
            styled = [(text, style + looks.match) for text, style in styled]
        left = int(self.scroll_offset.x)
        full = strip_of(styled, max(width, self.virtual_size.width), looks.text, ellipsis=looks.glyph("ellipsis"))
        return full.crop(left, left + width).apply_style(self.below(looks))


def _holds(line: Parts, words: Sequence[str]) -> bool:
    text = "".join(part for part, _ in line).casefold()
    return all(word in text for word in words)
