"""What a widget needs to paint: styles and signs by name, and looks of states, all from one theme."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from rich.style import Style
from textual.theme import Theme as ScreenTheme

from console import glyphs
from console.present import CRITICAL_ERROR, look
from console.themes import PLAIN, Paint, Theme


class StateLook(NamedTuple):
    """How a state is drawn: never by colour alone."""

    glyph: str
    """One cell; two for an error of a critical task."""
    code: str
    style: Style


class Styles:
    """Everything a widget paints with.

    Styles for text have no ground of their own: they stand on the widget's, or on that of a selected row
    (``strip.apply_style(styles.selected)``). Those for bars and headings have one.
    """

    def __init__(self, theme: Theme, *, ascii: bool = False, reduced_motion: bool = False) -> None:
        self.theme = theme
        self._stands_still = reduced_motion
        self.ascii = ascii
        painted = {name: style_of(paint) for name, paint in theme.styles.items()}
        self.ground = Style(bgcolor=_rich(theme.colours.background))
        self.surface = Style(bgcolor=_rich(theme.colours.surface))
        """Ground of dialogs."""
        self.focused = Style(color=_rich(theme.colours.background), bgcolor=_rich(theme.colours.accent), bold=True)
        """What a key presses."""
        self.text = painted["text"]
        self.dim = painted["dim"]
        self.bold = painted["bold"]
        self.heading = painted["heading"]
        self.title = painted["title"]
        self.accent = painted["accent"]
        self.key = painted["key"]
        self.match = painted["match"]
        self.good = painted["good"]
        self.warn = painted["warn"]
        self.alarm = painted["alarm"]
        self.bar = painted["bar"]
        self.bar_dim = painted["bar_dim"]
        self.bar_key = painted["bar_key"]
        self.bar_good = painted["bar_good"]
        self.bar_warn = painted["bar_warn"]
        self.bar_alarm = painted["bar_alarm"]
        self.armed = painted["armed"]
        self.replay = painted["replay"]
        self.selected = painted["selected"]
        self.selected_elsewhere = painted["selected_elsewhere"]
        self.border = painted["border"]
        self.border_focus = painted["border_focus"]
        self.plot = painted["plot"]
        self.plot_axis = painted["plot_axis"]
        self.plot_mark = painted["plot_mark"]
        self.verb = painted["verb"]
        self.option = painted["option"]
        self.ghost = painted["ghost"]
        self._states = {state: self._look(state) for state in theme.states}

    def look(self, state: str, critical: bool = False) -> StateLook:
        """Return the look of a state; a name that is not known looks like UNKNOWN."""
        if critical and state == "ERROR":
            return self._states["CRITICAL_ERROR"]
        return self._states.get(state) or self._states["UNKNOWN"]

    def glyph(self, name: str) -> str:
        """Return a sign by its name in glyphs.py."""
        return glyphs.glyph(name, ascii=self.ascii)

    def spark(self, share: float) -> str:
        """Return the sign of a height between 0 and 1."""
        return glyphs.spark(share, ascii=self.ascii)

    def spinner(self, frame: int) -> str:
        """Return a frame of what is under way."""
        return glyphs.spinner(0 if self._stands_still else frame, ascii=self.ascii)

    def _look(self, state: str) -> StateLook:
        usual, paint = CRITICAL_ERROR if state == "CRITICAL_ERROR" else look(state), self.theme.states[state]
        sign = (paint.ascii or usual.ascii) if self.ascii else (paint.glyph or usual.glyph)
        return StateLook(sign, usual.code, style_of(paint))


def style_of(paint: Paint) -> Style:
    """Return a paint as a style; attributes that are off are left to what is below."""
    return Style(
        color=_rich(paint.fg),
        bgcolor=_rich(paint.bg),
        bold=paint.bold or None,
        dim=paint.dim or None,
        reverse=paint.reverse or None,
        underline=paint.underline or None,
    )


def screen_theme(theme: Theme) -> ScreenTheme:
    """Return the theme for ``App.register_theme``, named as itself, with the variables of ``variables_of``."""
    colours = theme.colours
    return ScreenTheme(
        name=theme.name,
        primary=colours.accent,
        secondary=colours.accent,
        accent=colours.accent,
        warning=colours.warn,
        error=colours.alarm,
        success=colours.good,
        foreground=colours.foreground,
        background=colours.background,
        surface=colours.surface,
        panel=colours.panel,
        dark=theme.dark,
        variables=variables_of(theme),
    )


def variables_of(theme: Theme) -> dict[str, str]:
    """Return the variables for style sheets: ``$dim``, ``$selection``, ``$state-running`` and so on."""
    palette = {name.replace("_", "-"): colour for name, colour in msgspec.structs.asdict(theme.colours).items()}
    states = {
        f"state-{state.lower().replace('_', '-')}": paint.fg or theme.colours.foreground
        for state, paint in theme.states.items()
    }
    cursor = {"foreground": palette["foreground"], "background": palette["selection"], "text-style": "bold"}
    return palette | states | {
        **{f"block-cursor-{key}": value for key, value in cursor.items()},
        **{f"block-cursor-blurred-{key}": value for key, value in cursor.items()},
        "block-cursor-blurred-background": palette["selection-unfocused"],
        "block-cursor-blurred-text-style": "none",
        "block-hover-background": palette["selection-unfocused"],
        "border-blurred": palette["border"],
        "border": palette["accent"],
        "frame": palette["border"],
        "scrollbar": palette["border"],
        "scrollbar-hover": palette["dim"],
        "scrollbar-active": palette["accent"],
        "scrollbar-background": palette["background"],
        "scrollbar-background-hover": palette["background"],
        "scrollbar-background-active": palette["background"],
        "scrollbar-corner-color": palette["background"],
        "input-cursor-background": palette["foreground"],
        "input-cursor-foreground": palette["background"],
        "input-selection-background": palette["selection"],
        "footer-background": palette["bar"],
        "footer-foreground": palette["bar-text"],
        "footer-key-foreground": palette["accent"],
        "footer-description-foreground": palette["bar-text"],
        "text-muted": palette["dim"],
    }  # fmt: skip


def default_variables() -> dict[str, str]:
    """Return a value for every variable of ours, for ``App.get_theme_variable_defaults``: any other theme works too."""
    return variables_of(PLAIN)


def _rich(colour: str) -> str | None:
    """Return a colour as rich names it, None for none."""
    return colour.removeprefix("ansi_") or None
