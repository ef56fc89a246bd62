"""``ToPtree``: a structured payload inside a property map, marked where it stands and found again afterwards."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count

SYNTAXES = ("ini", "json", "xml")


@dataclass(frozen=True, slots=True)
class PropertyTree:
    syntax: str
    payload: str


class PropertyTrees:
    """The payloads of one property map."""

    def __init__(self) -> None:
        self._trees: dict[str, PropertyTree] = {}
        self._numbers = count(1)

    def add(self, payload: str, syntax: str) -> str:
        """Keep a payload and return the mark that stands for it; an unknown syntax gives an error as JSON payload."""
        kind = syntax.strip().lower()
        if kind not in SYNTAXES:
            kind, payload = "json", json.dumps({"error": f"bad ToPtree syntax {syntax!r}"})
        mark = f"__ptree__:{kind}:{next(self._numbers)}"
        self._trees[mark] = PropertyTree(kind, payload)
        return mark

    def get(self, text: str) -> PropertyTree | None:
        """Return the payload that a rendered value stands for, None if it is an ordinary value."""
        return self._trees.get(text)
