"""Texts as rows of bytes: Go loops over a text byte by byte, Python has no half characters.

A byte that is not a character stands as a surrogate, from U+DC80 on, until the result is put together.
"""

from __future__ import annotations

import re

_HALVES = re.compile(r"[\ud800-\udfff]")


def clean(text: str) -> str:
    """Return a text that came from outside without halves of surrogate pairs."""
    return text if text.isascii() else _HALVES.sub("\ufffd", text)


def to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def from_bytes(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def whole(text: str) -> str:
    """Put bytes of characters together again; every byte that is left over becomes the replacement character."""
    return _HALVES.sub("\ufffd", from_bytes(to_bytes(text))) if _HALVES.search(text) else text
