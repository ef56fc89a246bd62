"""Serialised parts of messages, kept while the same value is sent again and again. Who uses it: convert.py and its kin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from google.protobuf.message import Message

MAX_KEPT = 1000

_T = TypeVar("_T")


class KeptBytes(Generic[_T]):
    """The serialised form of frozen values, made once for each object.

    What is kept is found by identity, which costs next to nothing; an equal value that is another object is made anew.

    Args:
        make: returns a message that holds the value, to be merged into the one that is sent.
    """

    def __init__(self, make: Callable[[_T], Message]) -> None:
        self._make = make
        self._kept: dict[int, tuple[_T, bytes]] = {}

    def __call__(self, value: _T) -> bytes:
        """Return the bytes for ``MergeFromString``."""
        known = self._kept.get(id(value))
        if known is not None:  # the value is kept too, so its id belongs to no other
            return known[1]
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        data = self._make(value).SerializeToString()
        self._kept[id(value)] = (value, data)
        return data
