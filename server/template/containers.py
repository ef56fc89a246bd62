"""Arrays and maps that Go tells apart and Python does not: maps with any keys, arrays of pairs; what all of them hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from server.template.errors import ExpressionError
from server.template.gojson import NilArray
from server.template.moments import Duration, Moment, Month, Weekday
from server.template.sized import Int64, Uint8
from server.template.zones import Zone


class Pair(list[object]):
    """A key with its value: an array of another type than all others, which shows in how it renders."""


class Pairs(list[object]):
    """What ``toPairs`` gives, again a type of its own."""


class AnyMap:
    """A map whose keys are numbers, bools, texts or nil; 1, 1.0 and true are three: of ``groupBy`` and ``fromPairs``.

    No Mapping: JSON has nothing for it.

    Args:
        missing: what a key gives that is not there.
    """

    __slots__ = ("items", "missing")

    def __init__(self, missing: object = None) -> None:
        self.items: dict[tuple[str, object], object] = {}
        self.missing = missing

    def __len__(self) -> int:
        return len(self.items)


AnyMapping = Mapping[str, object] | AnyMap


def hashed(key: object) -> tuple[str, object]:
    """Return a key as an AnyMap stores it.

    Raises:
        ExpressionError: what Go cannot hash.
    """
    if isinstance(key, (bool, int, float, str, Moment, Duration, Month, Weekday, Zone)) or key is None:
        return _KINDS.get(type(key)) or type(key).__name__, key
    raise ExpressionError("an array, a map or a function is no key of a map")


_KINDS: dict[type, str] = {
    Int64: "int64", Uint8: "uint8", Moment: "time.Time", Duration: "time.Duration", Month: "time.Month",
    Weekday: "time.Weekday", Zone: "*time.Location",
}  # fmt: skip
"""Names that put keys of different types in the order of Go's."""


def entries(value: AnyMapping) -> list[tuple[object, object]]:
    """Return keys and values in the order of the keys, as Go prints them."""
    if not isinstance(value, AnyMap):
        return [(key, value[key]) for key in sorted(value)]
    kinds: dict[str, list[object]] = {}
    for kind, key in value.items:
        kinds.setdefault(kind, []).append(key)
    ordered = [(kind, key) for kind in sorted(kinds) for key in sorted(kinds[kind], key=lambda key: (key is None, key))]
    return [(key, value.items[kind, key]) for kind, key in ordered]


def has(container: AnyMapping, key: object) -> bool:
    """Tell whether a map has a key.

    Raises:
        ExpressionError: such a map cannot have such a key.
    """
    return hashed(key) in container.items if isinstance(container, AnyMap) else _name(key) in container


def entry(container: AnyMapping, key: object) -> object:
    """Return the element of a key, nil if there is none.

    Raises:
        ExpressionError: such a map cannot have such a key.
    """
    if isinstance(container, AnyMap):
        return container.items.get(hashed(key), container.missing)
    return container.get(_name(key))


def _name(key: object) -> str:
    if key is None:
        return ""
    if isinstance(key, str):
        return key
    raise ExpressionError(f"cannot use a {type(key).__name__} as a key of a map: expected a string")


def elements(value: object) -> Sequence[object] | None:
    """Return what a predicate goes over, None if there is nothing to go over: an array, or a text by its bytes."""
    if isinstance(value, str):
        return list(map(Uint8, value.encode("utf-8", "replace")))
    if isinstance(value, (list, range)):
        return value
    return [] if isinstance(value, (Mapping, AnyMap)) and not value else None


def is_nil(value: object) -> bool:
    return value is None or isinstance(value, NilArray)
