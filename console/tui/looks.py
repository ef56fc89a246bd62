"""Colours of the screen: one built-in theme, and styles by the names that present.py uses."""

from __future__ import annotations

from rich.style import Style
from textual.theme import Theme

STATE_COLOURS = {
    "state-standby": "#9aa3ad",
    "state-deployed": "#56b4e9",
    "state-configured": "#4f9fe0",
    "state-running": "#1fbf8f",
    "state-error": "#ff7a3d",
    "state-mixed": "#e69f00",
    "state-unknown": "#cc79a7",
    "state-done": "#7d8790",
}
"""Okabe and Ito's palette, lightened where it would be too dark on the ground (clients.md 5.7)."""

DARK = Theme(
    name="aliecs-dark",
    primary="#4f9fe0",
    background="#11151a",
    surface="#11151a",
    panel="#1c232b",
    foreground="#d6dde4",
    error="#ff7a3d",
    dark=True,
    variables=dict(STATE_COLOURS),
)


class Styles:
    """Styles for drawing lines, made from theme variables."""

    def __init__(self, variables: dict[str, str]) -> None:
        ground, text, panel = variables["background"], variables["foreground"], variables["panel"]
        self.text = Style(color=text, bgcolor=ground)
        self.dim = Style(color=variables["state-standby"], bgcolor=ground)
        self.bold = Style(color=text, bgcolor=ground, bold=True)
        self.heading = Style(color=variables["state-standby"], bgcolor=panel, bold=True)
        self.bar = Style(color=text, bgcolor=panel)
        self.bar_dim = Style(color=variables["state-standby"], bgcolor=panel)
        self.alarm = Style(color=variables["state-error"], bgcolor=ground, bold=True)
        self.bar_alarm = Style(color=variables["state-error"], bgcolor=panel, bold=True)
        self.bar_good = Style(color=variables["state-running"], bgcolor=panel, bold=True)
        self.selected = Style(bgcolor="#2b3a4a")
        self.selected_elsewhere = Style(bgcolor="#1c232b")
        self._states = {
            name: Style(color=colour, bgcolor=ground, bold=name in ("state-running", "state-error", "state-configured"))
            for name, colour in variables.items()
            if name.startswith("state-")
        }

    def state(self, style: str) -> Style:
        """Return the style of a state by the name in its Look."""
        return self._states[f"state-{style}"]
