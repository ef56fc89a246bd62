"""How the value of a variable is drawn, in one line, each kind of control in its own way. Plain text, no widget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from console.form_fields import Control, Field, chosen, scale, share

if TYPE_CHECKING:
    from console.tui.looks import Styles

BAR_CELLS = 16
"""Of a slider."""
COUNTED = 60
"""Cells below which a choice does not say how many others there are."""


def drawn(field: Field, text: str, width: int, looks: Styles) -> str:
    """Return a value as its control shows it; at most ``width`` cells where that can be chosen."""
    match field.control:
        case Control.SWITCH:
            return {"true": "[x] yes", "false": "[ ] no"}.get(text, f"[?] {text}")
        case Control.RADIO:
            return _radio(field, text, width, looks)
        case Control.ONE:
            return f"{text or '-'} {looks.glyph('unfolded')}{_place(field, text)}"
        case Control.COMBO:
            return f"{text or '-'} {looks.glyph('unfolded')}{_place(field, text)}"
        case Control.MANY:
            return _many(field, text, width)
        case Control.SLIDER:
            return _slider(field, text, width, looks)
    return text or "-"


def keys_of(field: Field) -> str:
    """Return in words how a control is operated."""
    match field.control:
        case Control.SWITCH:
            return "space turns it"
        case Control.RADIO | Control.ONE:
            return "left and right choose, enter lists all"
        case Control.COMBO:
            return "left and right choose, enter lists all or takes what you type"
        case Control.MANY:
            return "enter lists all, space takes or leaves one"
        case Control.SLIDER:
            return "left and right move it, with shift ten steps, enter types it"
    return "enter types it" + (f" over {field.rows} lines; they become one" if field.rows > 1 else "")


def _radio(field: Field, text: str, width: int, looks: Styles) -> str:
    point = looks.glyph("point")
    shown = "  ".join(f"({point if one == text else ' '}) {one}" for one in field.allowed)
    if text not in field.allowed:
        shown = f"({point}) {text or '-'}  {shown}"
    if cell_len(shown) <= width:
        return shown
    return f"({point}) {text or '-'} {looks.glyph('unfolded')}{_place(field, text)}"


def _many(field: Field, text: str, width: int) -> str:
    picked = chosen(text)
    shown = "  ".join(f"[{'x' if one in picked else ' '}] {one}" for one in field.allowed)
    if cell_len(shown) <= width:
        return shown
    return f"{len(picked)} of {len(field.allowed)}: {', '.join(picked) or '-'}"


def _slider(field: Field, text: str, width: int, looks: Styles) -> str:
    low, high, _, is_limit = scale(field)
    cells = min(BAR_CELLS, width - len(text) - 2)
    if cells < 4:
        return text
    full = round(share(field, text) * cells)
    bar = looks.glyph("bar_full") * full + looks.glyph("bar_empty") * (cells - full)
    ends = f"  {low:g} to {high:g}" if is_limit and width > COUNTED else ""
    return f"{bar} {text}{ends}"


def _place(field: Field, text: str) -> str:
    """Return which of how many it is."""
    at = field.allowed.index(text) + 1 if text in field.allowed else 0
    return f" {at}/{len(field.allowed)}" if at else f" -/{len(field.allowed)}"
