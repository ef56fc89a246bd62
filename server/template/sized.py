"""Integers of a size of their own, and arrays of bytes: what Go's time package and texts give beside plain integers.

Arithmetic with them makes plain integers; where Go asks for an int, they are none.
"""

from __future__ import annotations

import base64


class Int64(int):
    """An int64: of a time's ``Unix()``, a duration's ``Milliseconds()``."""


class Uint8(int):
    """A byte of a text or of an array of bytes."""


class Bytes(list[object]):
    """An array of bytes, such as ``MarshalText()`` of a time gives; its elements are Uint8."""

    @classmethod
    def of(cls, data: bytes) -> Bytes:
        return cls(map(Uint8, data))

    def joined(self) -> bytes:
        return bytes(item for item in self if isinstance(item, int))

    def json_form(self) -> object:
        return base64.b64encode(self.joined()).decode()


def wrap(value: int) -> int:
    """Return the value as a signed integer of 64 bits, overflowing as Go does."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)
