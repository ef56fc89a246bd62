"""The last line of every screen: the keys of what has the focus, greyed where they cannot be used now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.style import Style

from console.tui.painting import Lines, Part, Parts, width_of

if TYPE_CHECKING:
    from textual.binding import ActiveBinding

    from console.tui.looks import Styles

ALWAYS = ("app.palette", "app.help")
"""Ids of the bindings that are shown however narrow the terminal is."""


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
            if one.binding.show:
                by_action.setdefault(one.binding.action, one)
        always = [self._parts(one, looks) for one in by_action.values() if one.binding.id in ALWAYS]
        room = width - sum(map(width_of, always))
        shown: list[Part] = []
        for one in by_action.values():
            parts = self._parts(one, looks)
            if one.binding.id not in ALWAYS and width_of(shown) + width_of(parts) <= room:
                shown += parts
        return [[*shown, *(part for parts in always for part in parts)]]

    def _parts(self, active: ActiveBinding, looks: Styles) -> list[Part]:
        key = self.app.get_key_display(active.binding)
        return [
            (f" {key} ", looks.bar_key if active.enabled else looks.bar_dim),
            (f"{active.binding.description} ", looks.bar if active.enabled else looks.bar_dim),
        ]
