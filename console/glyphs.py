"""Every sign outside ASCII that the console draws, with what stands for it where only ASCII can be shown.

Each is one cell wide. The signs of states are not here: they belong to the states' looks, in present.py.
"""

from __future__ import annotations

from typing import NamedTuple


class Glyph(NamedTuple):
    """One sign."""

    unicode: str
    ascii: str

    def shown(self, *, ascii: bool) -> str:
        """Return the form to draw."""
        return self.ascii if ascii else self.unicode


GLYPHS: dict[str, Glyph] = {
    # lists and trees
    "selected": Glyph("▸", ">"),
    "folded": Glyph("▸", "+"),
    "unfolded": Glyph("▾", "-"),
    "leaf": Glyph("·", " "),
    "marked": Glyph("◆", "*"),
    "scroll_up": Glyph("▲", "^"),
    "scroll_down": Glyph("▼", "v"),
    # how things went
    "ok": Glyph("✔", "+"),
    "bad": Glyph("✖", "X"),
    "warn": Glyph("▲", "!"),
    "skipped": Glyph("–", "-"),
    "running": Glyph("◑", "~"),
    "pending": Glyph("○", "o"),
    "waiting": Glyph("◌", "."),
    # the link
    "live": Glyph("●", "*"),
    "connecting": Glyph("○", "o"),
    "lost": Glyph("✖", "X"),
    "advisory": Glyph("◇", "a"),
    # text
    "ellipsis": Glyph("…", "~"),
    "becomes": Glyph("»", ">"),
    "dot": Glyph("·", "-"),
    "dash": Glyph("–", "-"),
    "times": Glyph("×", "x"),
    "prompt": Glyph("❯", ">"),
    # arrows
    "up": Glyph("↑", "^"),
    "down": Glyph("↓", "v"),
    "left": Glyph("←", "<"),
    "right": Glyph("→", ">"),
    # recordings
    "record": Glyph("●", "*"),
    "play": Glyph("▶", ">"),
    "pause": Glyph("‖", "="),
    "marker": Glyph("◆", "*"),
    # bars and plots
    "bar_full": Glyph("━", "#"),
    "bar_half": Glyph("╸", "="),
    "bar_empty": Glyph("─", "."),
    "point": Glyph("•", "*"),
    # boxes
    "vertical": Glyph("│", "|"),
    "horizontal": Glyph("─", "-"),
    "top_left": Glyph("┌", "+"),
    "top_right": Glyph("┐", "+"),
    "bottom_left": Glyph("└", "+"),
    "bottom_right": Glyph("┘", "+"),
    "tee_left": Glyph("├", "+"),
    "tee_right": Glyph("┤", "+"),
    "tee_top": Glyph("┬", "+"),
    "tee_bottom": Glyph("┴", "+"),
    "cross": Glyph("┼", "+"),
}

EIGHTHS = tuple(map(Glyph, " ▁▂▃▄▅▆▇█", "_.,:-=+*#"))
"""Heights of a sparkline, from nothing to full."""

SPINNER = tuple(map(Glyph, "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\|/-\\|/"))
"""Frames of what is under way; with reduced motion the first one stands still."""


def glyph(name: str, *, ascii: bool = False) -> str:
    """Return the sign of that name."""
    return GLYPHS[name].shown(ascii=ascii)


def spark(share: float, *, ascii: bool = False) -> str:
    """Return the sign for a height between 0 and 1; what lies outside is cut."""
    at = round(max(0.0, min(1.0, share)) * (len(EIGHTHS) - 1))
    return EIGHTHS[at].shown(ascii=ascii)


def spinner(frame: int, *, ascii: bool = False) -> str:
    """Return a frame; any whole number will do."""
    return SPINNER[frame % len(SPINNER)].shown(ascii=ascii)
