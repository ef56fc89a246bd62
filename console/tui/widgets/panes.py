"""Titles of panes, and the tabs that say which of several panes is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from textual import events
from textual.message import Message

from console.tui.painting import Lines, Part, Parts, width_of

if TYPE_CHECKING:
    from console.tui.looks import Styles


class Pane(NamedTuple):
    """One pane as its tab names it."""

    name: str
    """Id of its widget."""
    key: str
    title: str


class PaneTitle(Lines):
    """The name of a pane, and what of it is shown.

    Args:
        title: of the pane.
        says: what stands behind it, asked while painting.
    """

    def __init__(self, title: str, says: Callable[[], str] = lambda: "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = title
        self._says = says

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        return [[(f" {self._title}  ", looks.title), (self._says(), looks.dim)]]


class PaneTabs(Lines):
    """The panes of which one is shown."""

    class Picked(Message):
        """A pane shall be shown."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, panes: Sequence[Pane], *, id: str) -> None:
        super().__init__(id=id)
        self._panes = panes
        self.shown = panes[0].name

    def show(self, name: str) -> None:
        """Mark a pane as the shown one."""
        self.shown = name
        self.repaint()

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        return [[part for pane in self._panes for part in self._parts(pane, looks)]]

    def _parts(self, pane: Pane, looks: Styles) -> list[Part]:
        title = (f" {pane.title} ", looks.selected + looks.bold if pane.name == self.shown else looks.dim)
        return [(f" {pane.key}", looks.key), title]

    def on_click(self, event: events.Click) -> None:
        left = 0
        for pane in self._panes:
            left += width_of(self._parts(pane, self.looks))
            if event.x < left:
                self.post_message(self.Picked(pane.name))
                return
