"""Functions of the expression language itself: ``len``, ``split``, ``first`` … (workflows-config.md 6.2).

Predicates (``map``, ``filter`` …) are in predicates.py, functions of AliECS (``strings.ToLower`` …) in functions.py.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from server.template import dates
from server.template.arrays import concat, flatten, from_pairs, items_of, sort, uniq
from server.template.containers import AnyMap, Pair, Pairs, entries, entry, has
from server.template.errors import ExpressionError
from server.template.methods import Bound, member
from server.template.moments import Duration, Moment, Month, Weekday
from server.template.numbers import (
    absolute,
    bits,
    counted,
    extreme,
    floating,
    integer,
    mean,
    median,
    rounded,
    shift,
    whole,
)
from server.template.sized import Uint8, wrap
from server.template.texts import (
    from_base64,
    from_json,
    go_text,
    index_of,
    joined,
    lower,
    repeat,
    replace,
    split,
    text_of,
    to_json,
    trim,
    upper,
)
from server.template.types import ANY, NAMED, UNKNOWN, Type, assignable
from server.template.values import (
    cut,
    fetch,
    to_index,
    type_name,
)
from server.template.zones import Zone


@dataclass(frozen=True, slots=True)
class BuiltinFunction:
    """One function: what it takes, what it gives, what it does."""

    parameters: str
    """One letter each, see ACCEPTS; a capital one is of a parameter that is checked before the evaluation only."""
    least: int
    """Arguments it needs; the others may be left out."""
    variadic: bool
    """The last parameter may repeat."""
    result: str
    """Static type: a name of check.Type, "array" for an array of anything."""
    work: Callable[[Sequence[object]], object]

    def parameter(self, index: int) -> str:
        return self.parameters[min(index, len(self.parameters) - 1)]

    def takes(self, count: int) -> bool:
        return self.least <= count and (self.variadic or count <= len(self.parameters))


_COUNTED = frozenset({"int", "int64", "uint8", "duration", "month", "weekday"})
"""Types that are integers underneath."""

ACCEPTS: dict[str, frozenset[str]] = {
    "s": frozenset({"string"}),
    "i": frozenset({"int", "int64", "uint8"}),
    "k": _COUNTED,
    "n": _COUNTED | {"float"},
    "v": _COUNTED | {"float", "string"},
    "a": frozenset({"array"}),
    "m": frozenset({"map"}),
    "c": frozenset({"string", "array", "map"}),
    "x": _COUNTED | {"string", "float", "bool", "nil", "array", "map", "object", "func", "role", "time", "location"},
}
"""Types by letter of a parameter, static ones and those of values."""


def kind_of(value: object) -> str:
    """Return the static type that a value would have; a function or an object has one that no builtin takes."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    for kind, name in ((int, "int"), (float, "float"), (str, "string"), (list, "array"), (range, "array")):
        if isinstance(value, kind):
            return name
    return "map" if isinstance(value, (dict, AnyMap)) else _CLASSES.get(type(value), "object")


_CLASSES: dict[type, str] = {
    Moment: "time", Duration: "duration", Zone: "location", Month: "month", Weekday: "weekday",
}  # fmt: skip


def static_result(name: str, given: Sequence[Type]) -> Type | None:
    """Return the static type of a call, None if arguments of these types are refused; their number is right."""
    function = FUNCTIONS[name]
    if name in AGGREGATES:
        for kind in given:
            if kind.is_any or kind.kind == "array":
                return ANY
            if kind.kind not in ACCEPTS["n"]:
                return None
        return given[0]
    if name == "get":
        return _static_get(*given)
    if name == "now":
        return NAMED["time"] if all(kind.kind == "location" for kind in given) else None
    if name == "sort" and given[0].variant == "bytes":
        return None
    if name == "date" and len(given) > 3 + (given[0].kind == "location"):
        return None
    for index, kind in enumerate(given):
        if not kind.is_any and kind.kind not in ACCEPTS[function.parameter(index).lower()]:
            return None
    if name in ("first", "last"):
        return ANY if given[0].is_any else given[0].go_type.item
    if name in ("abs", "take"):
        return ANY if given[0].is_any else given[0].go_type
    return NAMED[function.result]


AGGREGATES = frozenset({"max", "min", "mean", "median"})


def _static_get(base: Type, key: Type) -> Type | None:
    if base.is_any:
        return UNKNOWN
    fits = key.is_any or (key.is_integer if base.kind == "array" else assignable(key, base.key))
    return base.item if base.kind in ("array", "map") and fits else None


def call_builtin(name: str, function: BuiltinFunction, arguments: Sequence[object]) -> object:
    """Call a function, after checking what it is given.

    Raises:
        ExpressionError: number or types of the arguments are wrong, or the function failed.
    """
    if not function.takes(len(arguments)):
        raise ExpressionError(f"wrong number of arguments for {name}: {len(arguments)}")
    for index, value in enumerate(arguments):
        letter = function.parameter(index)
        if letter.islower() and kind_of(value) not in ACCEPTS[letter]:
            raise ExpressionError(f"invalid argument for {name} (type {type_name(value)})")
    try:
        return function.work(arguments)
    except (ValueError, OverflowError) as error:
        raise ExpressionError(f"{name}: {error}") from error


# ---- what they do: arguments have been checked, hence the ignored types ----------------------------


def _len(value: object) -> int:
    assert isinstance(value, (str, list, range, dict, AnyMap))
    return len(value)


def _type(value: object) -> str:
    kind = kind_of(value)
    if kind in _GO_TYPES:
        return _GO_TYPES[kind]
    if isinstance(value, Uint8):
        return "uint"
    if kind == "object":
        return "func" if callable(value) or isinstance(value, Bound) or hasattr(value, "work") else "map"
    return kind


_GO_TYPES = {
    "time": "time.Time", "duration": "time.Duration", "location": "time.Location", "month": "time.Month",
    "weekday": "time.Weekday",
}  # fmt: skip


def _take(arguments: Sequence[object]) -> object:
    count = counted(arguments[1])
    if count < 0 or isinstance(arguments[1], Uint8):
        raise ExpressionError(f"cannot take {count} elements (type {type_name(arguments[1])})")
    return cut(arguments[0], 0, count)


def _end(index: int) -> Callable[[Sequence[object]], object]:
    def run(arguments: Sequence[object]) -> object:
        try:
            return fetch(arguments[0], index)
        except ExpressionError:
            return None

    return run


def _get(arguments: Sequence[object]) -> object:
    base, key = arguments
    if isinstance(base, (list, range, str)):
        index = to_index(key)
        return fetch(base, index) if -len(_bytes(base)) <= index < len(_bytes(base)) else None
    if isinstance(base, (Moment, Zone)) and not isinstance(key, str):
        raise ExpressionError(f"cannot get {type_name(key)} from {type_name(base)}")
    if isinstance(key, str) and not isinstance(base, Zone) and (method := member(base, key)) is not None:
        return method
    return entry(base, key) if isinstance(base, (Mapping, AnyMap)) and has(base, key) else None


def _bytes(value: str | list[object] | range) -> bytes | list[object] | range:
    return value.encode("utf-8", "replace") if isinstance(value, str) else value


def _keys(arguments: Sequence[object]) -> object:
    return [key for key, _ in entries(_mapping(arguments[0]))]


def _values(arguments: Sequence[object]) -> object:
    return [value for _, value in entries(_mapping(arguments[0]))]


def _to_pairs(arguments: Sequence[object]) -> object:
    return Pairs(Pair((key, value)) for key, value in entries(_mapping(arguments[0])))


def _one(
    parameters: str, result: str, work: Callable[[Sequence[object]], object], *, least: int = -1, variadic: bool = False
) -> BuiltinFunction:
    return BuiltinFunction(parameters, len(parameters) if least < 0 else least, variadic, result, work)


FUNCTIONS: dict[str, BuiltinFunction] = {
    "len": _one("c", "int", lambda a: _len(a[0])),
    "type": _one("x", "string", lambda a: _type(a[0])),
    "abs": _one("N", "any", absolute),
    "ceil": _one("N", "float", whole(math.ceil)),
    "floor": _one("N", "float", whole(math.floor)),
    "round": _one("N", "float", whole(rounded)),
    "int": _one("v", "int", lambda a: integer(a[0])),
    "float": _one("V", "float", lambda a: floating(a[0])),
    "string": _one("x", "string", lambda a: go_text(a[0])),
    "trim": _one("ss", "string", trim, least=1),
    "trimPrefix": _one(
        "ss", "string", lambda a: text_of(a[0]).removeprefix(text_of(a[1]) if len(a) > 1 else " "), least=1
    ),
    "trimSuffix": _one(
        "ss", "string", lambda a: text_of(a[0]).removesuffix(text_of(a[1]) if len(a) > 1 else " "), least=1
    ),
    "upper": _one("s", "string", lambda a: upper(text_of(a[0]))),
    "lower": _one("s", "string", lambda a: lower(text_of(a[0]))),
    "split": _one("ssI", "strings", lambda a: split(a, keep=False), least=2),
    "splitAfter": _one("ssI", "strings", lambda a: split(a, keep=True), least=2),
    "replace": _one("sssI", "string", replace, least=3),
    "repeat": _one("sI", "string", repeat),
    "join": _one("as", "string", joined, least=1),
    "indexOf": _one("ss", "int", lambda a: index_of(text_of(a[0]), text_of(a[1]), last=False)),
    "lastIndexOf": _one("ss", "int", lambda a: index_of(text_of(a[0]), text_of(a[1]), last=True)),
    "hasPrefix": _one("ss", "bool", lambda a: text_of(a[0]).startswith(text_of(a[1]))),
    "hasSuffix": _one("ss", "bool", lambda a: text_of(a[0]).endswith(text_of(a[1]))),
    "max": _one("x", "any", extreme("<"), variadic=True),
    "min": _one("x", "any", extreme(">"), variadic=True),
    "mean": _one("x", "any", mean, variadic=True),
    "median": _one("x", "any", median, variadic=True),
    "toJSON": _one("x", "string", to_json),
    "fromJSON": _one("s", "any", from_json),
    "toBase64": _one("s", "string", lambda a: base64.b64encode(text_of(a[0]).encode("utf-8", "replace")).decode()),
    "fromBase64": _one("s", "string", from_base64),
    "first": _one("A", "any", _end(0)),
    "last": _one("A", "any", _end(-1)),
    "get": _one("xx", "any", _get),
    "take": _one("ak", "array", _take),
    "keys": _one("m", "array", _keys),
    "values": _one("m", "array", _values),
    "toPairs": _one("m", "array", _to_pairs),
    "fromPairs": _one("a", "pairs", from_pairs),
    "reverse": _one("a", "array", lambda a: list(reversed(items_of(a[0])))),
    "uniq": _one("a", "array", uniq),
    "concat": _one("a", "array", concat, variadic=True),
    "flatten": _one("a", "array", lambda a: flatten(a[0])),
    "sort": _one("As", "array", sort, least=1),
    "bitand": _one("ii", "int", bits(lambda a, b: a & b)),
    "bitor": _one("ii", "int", bits(lambda a, b: a | b)),
    "bitxor": _one("ii", "int", bits(lambda a, b: a ^ b)),
    "bitnand": _one("ii", "int", bits(lambda a, b: a & ~b)),
    "bitnot": _one("i", "int", lambda a: wrap(~to_index(a[0]))),
    "bitshl": _one("ii", "int", shift(lambda a, b: a << b)),
    "bitshr": _one("ii", "int", shift(lambda a, b: a >> b)),
    "bitushr": _one("ii", "int", shift(lambda a, b: (a % (1 << 64)) >> b)),
    "now": _one("x", "time", dates.current, least=0),
    "duration": _one("s", "duration", dates.duration),
    "date": _one("x", "time", dates.date, variadic=True),
    "timezone": _one("s", "location", dates.time_zone),
}
"""All of them, by name."""
DATE_IN_ZONE = _one("x", "time", dates.date_in_zone, variadic=True)
"""Stands in for ``date`` where it is known in advance that its first argument is a time zone; else none may come first."""


def _mapping(value: object) -> dict[str, object] | AnyMap:
    assert isinstance(value, (dict, AnyMap))
    return value
