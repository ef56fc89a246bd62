"""Functions of the expression language itself: ``len``, ``split``, ``first`` … (workflows-config.md 6.2).

Predicates (``map``, ``filter`` …) are in predicates.py, functions of AliECS (``strings.ToLower`` …) in functions.py.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from server.template.errors import ExpressionError
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
from server.template.values import (
    BUDGET,
    TOO_MUCH,
    equal_within,
    fetch,
    is_integer,
    is_number,
    render,
    to_index,
    type_name,
    wrap,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BuiltinFunction:
    """One function: what it takes, what it gives, what it does."""

    parameters: str
    """One letter each: s string, i integer, n number, a array, m map, c collection or string, x anything."""
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
    "a": frozenset({"array"}),
    "m": frozenset({"map"}),
    "c": frozenset({"string", "array", "map"}),
    "l": frozenset({"string", "array"}),
    "x": frozenset({"string", "int", "float", "bool", "nil", "array", "map", "object"}),
}
"""Static types by letter of a parameter."""


def kind_of(value: object) -> str:
    """Return the static type that a value would have; a function or an object has one that no builtin takes."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    for kind, name in ((int, "int"), (float, "float"), (str, "string"), (list, "array"), (range, "array")):
        if isinstance(value, kind):
            return name
    return "map" if isinstance(value, dict) else "object"


def call_builtin(name: str, arguments: Sequence[object]) -> object:
    """Call a function, after checking what it is given.

    Raises:
        ExpressionError: number or types of the arguments are wrong, or the function failed.
    """
    function = FUNCTIONS[name]
    if not function.takes(len(arguments)):
        raise ExpressionError(f"wrong number of arguments for {name}: {len(arguments)}")
    for index, value in enumerate(arguments):
        if kind_of(value) not in ACCEPTS[function.parameter(index)]:
            raise ExpressionError(f"invalid argument for {name} (type {type_name(value)})")
    try:
        return function.work(arguments)
    except (ValueError, OverflowError) as error:
        raise ExpressionError(f"{name}: {error}") from error


# ---- what they do: arguments have been checked, hence the ignored types ----------------------------


def _len(value: object) -> int:
    assert isinstance(value, (str, list, range, dict))
    return len(value)


def _type(value: object) -> str:
    kind = kind_of(value)
    return "map" if kind == "object" else kind


def _int(value: object) -> int:
    if isinstance(value, str):
        try:
            return wrap(int(value, 10)) if value.strip() == value and "_" not in value else _no_int(value)
        except ValueError:
            return _no_int(value)
    if isinstance(value, float):
        return wrap(int(value))
    if is_integer(value):
        assert isinstance(value, int)
        return value
    raise ExpressionError(f"invalid argument for int (type {type_name(value)})")


def _no_int(text: str) -> int:
    raise ExpressionError(f"invalid operation: int({text})")


def _float(value: object) -> float:
    if isinstance(value, str):
        try:
            return float(value) if value.strip() == value and "_" not in value else float("")
        except ValueError as error:
            raise ExpressionError(f"invalid operation: float({value})") from error
    if is_number(value):
        assert isinstance(value, (int, float))
        return float(value)
    raise ExpressionError(f"invalid argument for float (type {type_name(value)})")


def _whole(work: Callable[[float], float]) -> Callable[[Sequence[object]], object]:
    def run(arguments: Sequence[object]) -> object:
        value = _float(arguments[0])
        return float(work(value)) if math.isfinite(value) else value

    return run


def _round(value: float) -> float:
    """Round half away from zero, as Go does."""
    return math.copysign(math.floor(abs(value) + 0.5), value)


def _numbers(arguments: Iterable[object]) -> list[int | float]:
    found: list[int | float] = []
    for value in arguments:
        if isinstance(value, (list, range)):
            found.extend(_numbers(value))
        elif is_number(value):
            assert isinstance(value, (int, float))
            found.append(value)
        else:
            raise ExpressionError(f"expected numbers, found {type_name(value)}")
    return found


def _extreme(work: Callable[[list[int | float]], int | float]) -> Callable[[Sequence[object]], object]:
    def run(arguments: Sequence[object]) -> object:
        numbers = _numbers(arguments)
        if not numbers:
            raise ExpressionError("not enough numbers: expected at least one")
        return work(numbers)

    return run


def _mean(arguments: Sequence[object]) -> object:
    numbers = _numbers(arguments)
    return math.fsum(numbers) / len(numbers) if numbers else 0.0


def _median(arguments: Sequence[object]) -> object:
    numbers = sorted(_numbers(arguments))
    middle = len(numbers) // 2
    if not numbers:
        return 0.0
    return float(numbers[middle]) if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2


def _take(arguments: Sequence[object]) -> object:
    items, count = arguments[0], to_index(arguments[1])
    assert isinstance(items, (list, range))
    if count < 0:
        raise ExpressionError(f"cannot take {count} elements")
    return items[:count]


def _get(arguments: Sequence[object]) -> object:
    try:
        return fetch(arguments[0], arguments[1])
    except ExpressionError:
        return None


def _from_pairs(arguments: Sequence[object]) -> object:
    pairs = arguments[0]
    assert isinstance(pairs, (list, range))
    result: dict[str, object] = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ExpressionError(f"invalid pair {type_name(pair)}: expected an array of two")
        result[render(pair[0])] = pair[1]
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
    for items in arguments:
        assert isinstance(items, (list, range))
        if len(found) + len(items) > BUDGET:
            raise ExpressionError(TOO_MUCH)
        found.extend(items)
    return found


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
    """Return numbers or strings in order; a mixture is an error."""
    found = list(items)
    if not all(isinstance(item, str) for item in found) and not all(is_number(item) for item in found):
        wrong = next((item for item in found if not isinstance(item, str) and not is_number(item)), found[0])
        raise ExpressionError(f"cannot sort: expected only numbers or only strings, found {type_name(wrong)}")
    found.sort(reverse=descending)
    return found


def is_descending(order: object) -> bool:
    """Read the order argument of sort and sortBy."""
    if order not in ("asc", "desc"):
        raise ExpressionError(f"invalid order {render(order)}: expected asc or desc")
    return order == "desc"


def _sort(arguments: Sequence[object]) -> object:
    items = arguments[0]
    assert isinstance(items, (list, range))
    return sort_values(items, descending=len(arguments) > 1 and is_descending(arguments[1]))


def _bits(work: Callable[[int, int], int]) -> Callable[[Sequence[object]], object]:
    def run(arguments: Sequence[object]) -> object:
        left, right = to_index(arguments[0]), to_index(arguments[1])
        return wrap(work(left, right))

    return run


def _shift(work: Callable[[int, int], int]) -> Callable[[Sequence[object]], object]:
    def run(arguments: Sequence[object]) -> object:
        value, count = to_index(arguments[0]), to_index(arguments[1])
        if count < 0:
            raise ExpressionError(f"invalid operation: negative shift count {count}")
        return wrap(work(value, min(count, 64)))

    return run


def _no_dates(arguments: Sequence[object]) -> object:
    raise ExpressionError("dates and durations are not supported in expressions")


def _one(
    parameters: str, result: str, work: Callable[[Sequence[object]], object], *, least: int = -1, variadic: bool = False
) -> BuiltinFunction:
    return BuiltinFunction(parameters, len(parameters) if least < 0 else least, variadic, result, work)


FUNCTIONS: dict[str, BuiltinFunction] = {
    "len": _one("c", "int", lambda a: _len(a[0])),
    "type": _one("x", "string", lambda a: _type(a[0])),
    "abs": _one("n", "any", lambda a: abs(_numbers(a)[0])),
    "ceil": _one("n", "float", _whole(math.ceil)),
    "floor": _one("n", "float", _whole(math.floor)),
    "round": _one("n", "float", _whole(_round)),
    "int": _one("x", "int", lambda a: _int(a[0])),
    "float": _one("x", "float", lambda a: _float(a[0])),
    "string": _one("x", "string", lambda a: go_text(a[0])),
    "trim": _one("ss", "string", trim, least=1),
    "trimPrefix": _one("ss", "string", lambda a: text_of(a[0]).removeprefix(text_of(a[1])), least=1),
    "trimSuffix": _one("ss", "string", lambda a: text_of(a[0]).removesuffix(text_of(a[1])), least=1),
    "upper": _one("s", "string", lambda a: upper(text_of(a[0]))),
    "lower": _one("s", "string", lambda a: lower(text_of(a[0]))),
    "split": _one("ssi", "strings", lambda a: split(a, keep=False), least=2),
    "splitAfter": _one("ssi", "strings", lambda a: split(a, keep=True), least=2),
    "replace": _one("sssi", "string", replace, least=3),
    "repeat": _one("si", "string", repeat),
    "join": _one("as", "string", joined, least=1),
    "indexOf": _one("ss", "int", lambda a: index_of(text_of(a[0]), text_of(a[1]), last=False)),
    "lastIndexOf": _one("ss", "int", lambda a: index_of(text_of(a[0]), text_of(a[1]), last=True)),
    "hasPrefix": _one("ss", "bool", lambda a: text_of(a[0]).startswith(text_of(a[1]))),
    "hasSuffix": _one("ss", "bool", lambda a: text_of(a[0]).endswith(text_of(a[1]))),
    "max": _one("x", "any", _extreme(max), variadic=True),
    "min": _one("x", "any", _extreme(min), variadic=True),
    "mean": _one("x", "any", _mean, variadic=True),
    "median": _one("x", "any", _median, variadic=True),
    "toJSON": _one("x", "string", to_json),
    "fromJSON": _one("s", "any", from_json),
    "toBase64": _one("s", "string", lambda a: base64.b64encode(text_of(a[0]).encode("utf-8", "replace")).decode()),
    "fromBase64": _one("s", "string", from_base64),
    "first": _one("a", "any", lambda a: _get((a[0], 0))),
    "last": _one("a", "any", lambda a: _get((a[0], -1))),
    "get": _one("xx", "any", _get),
    "take": _one("ai", "array", _take),
    "keys": _one("m", "array", lambda a: sorted(_mapping(a[0]))),
    "values": _one("m", "array", lambda a: [_mapping(a[0])[key] for key in sorted(_mapping(a[0]))]),
    "toPairs": _one("m", "array", lambda a: [[key, _mapping(a[0])[key]] for key in sorted(_mapping(a[0]))]),
    "fromPairs": _one("a", "map", _from_pairs),
    "reverse": _one("a", "array", lambda a: list(reversed(_items(a[0])))),
    "uniq": _one("a", "array", _uniq),
    "concat": _one("a", "array", _concat, variadic=True),
    "flatten": _one("a", "array", lambda a: _flatten(a[0])),
    "sort": _one("as", "array", _sort, least=1),
    "bitand": _one("ii", "int", _bits(lambda a, b: a & b)),
    "bitor": _one("ii", "int", _bits(lambda a, b: a | b)),
    "bitxor": _one("ii", "int", _bits(lambda a, b: a ^ b)),
    "bitnand": _one("ii", "int", _bits(lambda a, b: a & ~b)),
    "bitnot": _one("i", "int", lambda a: wrap(~to_index(a[0]))),
    "bitshl": _one("ii", "int", _shift(lambda a, b: a << b)),
    "bitshr": _one("ii", "int", _shift(lambda a, b: a >> b)),
    "bitushr": _one("ii", "int", _shift(lambda a, b: (a % (1 << 64)) >> b)),
    "now": _one("x", "any", _no_dates, least=0),
    "duration": _one("s", "any", _no_dates),
    "date": _one("x", "any", _no_dates, variadic=True),
    "timezone": _one("s", "any", _no_dates),
}
"""All of them, by name."""


def _mapping(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def _items(value: object) -> Sequence[object]:
    assert isinstance(value, (list, range))
    return value
