"""The last line of every screen: the keys of what has the focus, greyed where they cannot be used now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

from rich.style import Style

from console.tui.painting import Lines, Part, Parts, width_of
from console.tui.widgets.grid import Grid
from console.tui.widgets.pager import Pager

if TYPE_CHECKING:
    from textual.binding import ActiveBinding

    from console.tui.looks import Styles

ALWAYS = ("app.palette", "app.help")
"""Ids of the bindings that are shown however narrow the terminal is."""
FIRST, LAST = ("replay.pause",), ("app.quit",)
"""Of those that are shown where there is room."""


class Keyboard(Protocol):
    """What the line asks of the app."""

    def key_look(self, active: ActiveBinding) -> tuple[str, bool]:
        """Return the word for a key, "" for one not to show, and whether what it means is possible now.

        One that is not says why when it is pressed.
        """
        ...


class Keys(Lines):
    """As many keys as fit, in the order in which they are bound: the focused widget's first."""

    DEFAULT_CSS = "Keys { height: 1; background: $bar; }"

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.repaint())

    def ground(self, looks: Styles) -> Style:
        return looks.bar

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        by_action: dict[str, ActiveBinding] = {}
        for one in self.screen.active_bindings.values():
            if one.binding.show and cast("Keyboard", self.app).key_look(one)[0]:
                by_action.setdefault(one.binding.action, one)
        always = [self._parts(one, looks) for one in by_action.values() if one.binding.id in ALWAYS]
        room = width - sum(map(width_of, always))
        shown: list[Part] = self._filter_parts(looks)
        ordered = sorted(by_action.values(), key=lambda one: (one.binding.id in LAST) - (one.binding.id in FIRST))
        for one in ordered:
            parts = self._parts(one, looks)
            if one.binding.id not in ALWAYS and width_of(shown) + width_of(parts) <= room:
                shown += parts
        return [[*shown, *(part for parts in always for part in parts)]]

    def _filter_parts(self, looks: Styles) -> list[Part]:
        """Return what is filtered or looked for, how many rows stay, and how to go on; nothing while neither is."""
        focused = self.screen.focused
        if not isinstance(focused, Grid | Pager) or (not focused.sought and not getattr(focused, "filter_text", "")):
            return []
        told, keys = f"/{focused.sought}", [("n", "next")]
        if isinstance(focused, Grid):
            count = focused.row_count()
            if focused.filter_text:
                told = f"/{focused.filter_text}: {count} row{'' if count == 1 else 's'}"
            keys.insert(0, ("esc", "show all" if focused.filter_text else "forget"))
        return [
            (f" {told} ", looks.bar_warn),
            *(part for key, word in keys for part in ((f" {key} ", looks.bar_key), (f"{word} ", looks.bar))),
        ]

    def _parts(self, active: ActiveBinding, looks: Styles) -> list[Part]:
        key = self.app.get_key_display(active.binding)
        word, is_possible = cast("Keyboard", self.app).key_look(active)
        return [
            (f" {key} ", looks.bar_key if is_possible else looks.bar_dim),
            (f"{word} ", looks.bar if is_possible else looks.bar_dim),
        ]
