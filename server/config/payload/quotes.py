"""Texts and characters in quotes, as Go's source has them (strconv.Quote)."""

from __future__ import annotations

_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_DELETE = 0x7F


def quoted(text: str, quote: str, *, ascii_only: bool = False) -> str:
    """Return the text in quotes, with what cannot be shown written out."""
    return quote + "".join(_quoted_character(character, quote, ascii_only) for character in text) + quote


def raw(text: str) -> str:
    """Return the text between back quotes, "" if they cannot hold it."""
    holds = all(
        character == "\t"
        or not (character < " " or character in "`\ufeff\ufffd\x7f" or "\ud800" <= character <= "\udfff")
        for character in text
    )
    return f"`{text}`" if holds else ""


def is_printable(character: str) -> bool:
    """Tell whether Go shows the character as it is."""
    return character.isprintable()


def _quoted_character(character: str, quote: str, ascii_only: bool) -> str:
    code = ord(character)
    if character in (quote, "\\"):
        return "\\" + character
    if is_printable(character) and (not ascii_only or code < _DELETE):
        return character
    if character in _ESCAPES:
        return _ESCAPES[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no character
        return f"\\x{code - 0xDC00:02x}"
    if code < ord(" ") or code == _DELETE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
