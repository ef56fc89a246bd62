"""Functions of the expression language itself: ``len``, ``split``, ``first`` … (workflows-config.md 6.2).

Predicates (``map``, ``filter`` …) are in predicates.py, functions of AliECS (``strings.ToLower`` …) in functions.py.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from server.template.containers import AnyMap, Pair, Pairs, entries, entry, has, hashed
from server.template.errors import ExpressionError
from server.template.gojson import NilArray
from server.template.numbers import absolute, bits, extreme, floating, integer, mean, median, rounded, shift, whole
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
    BUDGET,
    TOO_MUCH,
    cut,
    equal_within,
    fetch,
    is_number,
    to_index,
    type_name,
    wrap,
)


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


ACCEPTS: dict[str, frozenset[str]] = {
    "s": frozenset({"string"}),
    "i": frozenset({"int"}),
    "n": frozenset({"int", "float"}),
    "v": frozenset({"int", "float", "string"}),
    "a": frozenset({"array"}),
    "m": frozenset({"map"}),
    "c": frozenset({"string", "array", "map"}),
    "x": frozenset({"string", "int", "float", "bool", "nil", "array", "map", "object", "func", "role"}),
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
    return "map" if isinstance(value, (dict, AnyMap)) else "object"


def static_result(name: str, given: Sequence[Type]) -> Type | None:
    """Return the static type of a call, None if arguments of these types are refused; their number is right."""
    function = FUNCTIONS[name]
    if name in AGGREGATES:
        for kind in given:
            if kind.is_any or kind.kind == "array":
                return ANY
            if not kind.is_number:
                return None
        return given[0]
    if name == "get":
        return _static_get(*given)
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
    fits = key.is_any or (key.kind == "int" if base.kind == "array" else assignable(key, base.key))
    return base.item if base.kind in ("array", "map") and fits else None


def call_builtin(name: str, arguments: Sequence[object]) -> object:
    """Call a function, after checking what it is given.

    Raises:
        ExpressionError: number or types of the arguments are wrong, or the function failed.
    """
    function = FUNCTIONS[name]
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
    if kind == "object":
        return "func" if callable(value) or hasattr(value, "work") else "map"
    return kind


def _take(arguments: Sequence[object]) -> object:
    count = to_index(arguments[1])
    if count < 0:
        raise ExpressionError(f"cannot take {count} elements")
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
    return entry(base, key) if isinstance(base, (Mapping, AnyMap)) and has(base, key) else None


def _bytes(value: str | list[object] | range) -> bytes | list[object] | range:
    return value.encode("utf-8", "replace") if isinstance(value, str) else value


def _from_pairs(arguments: Sequence[object]) -> object:
    result = AnyMap()
    for pair in _items(arguments[0]):
        if not isinstance(pair, (list, range)) or len(pair) != 2:
            raise ExpressionError(f"invalid pair {type_name(pair)}: expected an array of two")
        result.items[hashed(pair[0])] = pair[1]
    return result


def _uniq(arguments: Sequence[object]) -> object:
    items = arguments[0]
    assert isinstance(items, (list, range))
    found: list[object] = []
    seen: set[object] = set()
    room = [BUDGET]
    for item in items:
        if isinstance(item, str) or is_number(item):
            if item in seen:
                continue
            seen.add(item)
        elif any(equal_within(item, other, room) for other in found):
            continue
        found.append(item)
    return found


def _concat(arguments: Sequence[object]) -> object:
    found: list[object] = []
    for items in map(_items, arguments):
        if len(found) + len(items) > BUDGET:
            raise ExpressionError(TOO_MUCH)
        found.extend(items)
    return found or NilArray()


def _flatten(items: object) -> list[object]:
    assert isinstance(items, (list, range))
    found: list[object] = []
    pending: list[Iterator[object]] = [iter(items)]
    steps = 0
    while pending:
        for item in pending[-1]:
            steps += 1
            if steps > BUDGET:
                raise ExpressionError(TOO_MUCH)
            if isinstance(item, (list, range)):
                pending.append(iter(item))
                break
            found.append(item)
        else:
            pending.pop()
    return found


def sort_values(items: Iterable[object], *, descending: bool = False) -> list[object]:
    """Return numbers or strings in order; a mixture is an error, and so is anything else if there are several."""
    found = list(items)
    if len(found) < _SEVERAL:
        return found
    if not all(isinstance(item, str) for item in found) and not all(is_number(item) for item in found):
        wrong = next((item for item in found if not isinstance(item, str) and not is_number(item)), found[0])
        raise ExpressionError(f"cannot sort: expected only numbers or only strings, found {type_name(wrong)}")
    found.sort(reverse=descending)
    return found


_SEVERAL = 2


def is_descending(order: object) -> bool:
    """Read the order argument of sort and sortBy."""
    if order not in ("asc", "desc"):
        raise ExpressionError(f"invalid order {type_name(order)}: expected asc or desc")
    return order == "desc"


def _sort(arguments: Sequence[object]) -> object:
    descending = len(arguments) > 1 and is_descending(arguments[1])
    if isinstance(arguments[0], (Pair, Pairs)) or not isinstance(arguments[0], (list, range)):
        return NilArray()
    return sort_values(arguments[0], descending=descending)


def _keys(arguments: Sequence[object]) -> object:
    return [key for key, _ in entries(_mapping(arguments[0]))]


def _values(arguments: Sequence[object]) -> object:
    return [value for _, value in entries(_mapping(arguments[0]))]


def _to_pairs(arguments: Sequence[object]) -> object:
    return Pairs(Pair((key, value)) for key, value in entries(_mapping(arguments[0])))


def _no_dates(arguments: Sequence[object]) -> object:
    raise ExpressionError("dates and durations are not supported in expressions")


def _one(
    parameters: str, result: str, work: Callable[[Sequence[object]], object], *, least: int = -1, variadic: bool = False
) -> BuiltinFunction:
    return BuiltinFunction(parameters, len(parameters) if least < 0 else least, variadic, result, work)


FUNCTIONS: dict[str, BuiltinFunction] = {
    "len": _one("c", "int", lambda a: _len(a[0])),
    "type": _one("x", "string", lambda a: _type(a[0])),
    "abs": _one("n", "any", absolute),
    "ceil": _one("n", "float", whole(math.ceil)),
    "floor": _one("n", "float", whole(math.floor)),
    "round": _one("n", "float", whole(rounded)),
    "int": _one("v", "int", lambda a: integer(a[0])),
    "float": _one("v", "float", lambda a: floating(a[0])),
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
    "take": _one("ai", "array", _take),
    "keys": _one("m", "array", _keys),
    "values": _one("m", "array", _values),
    "toPairs": _one("m", "array", _to_pairs),
    "fromPairs": _one("a", "pairs", _from_pairs),
    "reverse": _one("a", "array", lambda a: list(reversed(_items(a[0])))),
    "uniq": _one("a", "array", _uniq),
    "concat": _one("a", "array", _concat, variadic=True),
    "flatten": _one("a", "array", lambda a: _flatten(a[0])),
    "sort": _one("As", "array", _sort, least=1),
    "bitand": _one("ii", "int", bits(lambda a, b: a & b)),
    "bitor": _one("ii", "int", bits(lambda a, b: a | b)),
    "bitxor": _one("ii", "int", bits(lambda a, b: a ^ b)),
    "bitnand": _one("ii", "int", bits(lambda a, b: a & ~b)),
    "bitnot": _one("i", "int", lambda a: wrap(~to_index(a[0]))),
    "bitshl": _one("ii", "int", shift(lambda a, b: a << b)),
    "bitshr": _one("ii", "int", shift(lambda a, b: a >> b)),
    "bitushr": _one("ii", "int", shift(lambda a, b: (a % (1 << 64)) >> b)),
    "now": _one("x", "any", _no_dates, least=0),
    "duration": _one("s", "any", _no_dates),
    "date": _one("x", "any", _no_dates, variadic=True),
    "timezone": _one("s", "any", _no_dates),
}
"""All of them, by name."""


def _mapping(value: object) -> dict[str, object] | AnyMap:
    assert isinstance(value, (dict, AnyMap))
    return value


def _items(value: object) -> list[object] | range:
    assert isinstance(value, (list, range))
    return value
