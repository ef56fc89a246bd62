"""Colours of the prompt: a theme's styles in the words of prompt_toolkit."""

from __future__ import annotations

from console import glyphs
from console.present import look
from console.themes import Paint, Theme

_ANSI = {"ansi_default": "ansidefault", "ansi_white": "ansigray", "ansi_bright_black": "ansibrightblack",
         "ansi_bright_white": "ansiwhite"}  # fmt: skip
"""Names of prompt_toolkit that are not simply those of the theme without their line."""


class Paints:
    """What the prompt paints with."""

    def __init__(self, theme: Theme, *, ascii: bool = False) -> None:
        self.theme = theme
        self.ascii = ascii
        self._styles = {name: style_of(paint) for name, paint in theme.styles.items()}
        self._states = {state: style_of(paint) for state, paint in theme.states.items()}

    def style(self, name: str) -> str:
        """Return a style by its name in the theme."""
        return self._styles[name]

    def state(self, state: str) -> tuple[str, str, str]:
        """Return sign, code and style of a state; one that is not known looks like UNKNOWN."""
        usual = look(state)
        paint = self.theme.states.get(state) or self.theme.states["UNKNOWN"]
        sign = (paint.ascii or usual.ascii) if self.ascii else (paint.glyph or usual.glyph)
        return sign, usual.code, self._states.get(state) or self._states["UNKNOWN"]

    def glyph(self, name: str) -> str:
        """Return a sign by its name in glyphs.py."""
        return glyphs.glyph(name, ascii=self.ascii)


def style_of(paint: Paint) -> str:
    """Return a paint as prompt_toolkit writes it."""
    words = [f"{key}:{_colour(value)}" for key, value in (("fg", paint.fg), ("bg", paint.bg)) if value]
    words += [word for word, is_on in (("bold", paint.bold), ("reverse", paint.reverse), ("underline", paint.underline),
                                       ("dim", paint.dim)) if is_on]  # fmt: skip
    return " ".join(words)


def _colour(name: str) -> str:
    if name.startswith("#"):
        return name
    return _ANSI.get(name) or name.replace("_", "")
