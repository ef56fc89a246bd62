"""Builtins that evaluate their second argument for each element: ``map``, ``filter``, ``sum`` … (workflows-config.md 6.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from server.template.arrays import is_descending, sort_values
from server.template.containers import AnyMap, elements, hashed
from server.template.errors import ExpressionError
from server.template.gojson import NilArray
from server.template.scope import Frame
from server.template.types import ANY, ARRAY, BOOL, GROUPS, INT, UNKNOWN, Type, array_of
from server.template.values import add, is_number, type_name

Run = Callable[[Frame], object]
"""Compiled code of an expression."""

BOOLEAN = frozenset(
    {"all", "none", "any", "one", "filter", "find", "findIndex", "findLast", "findLastIndex", "count"}
)  # fmt: skip
"""Those whose predicate is a condition."""


POINTERS: dict[str, dict[str, Type]] = {"map": {"index": INT}, "reduce": {"index": INT, "acc": UNKNOWN}}
"""What a predicate may name beside the element, with its type."""


def result_type(name: str, collection: Type, predicate: Type | None) -> Type:
    """Return the static type of a call."""
    if name in ("all", "none", "any", "one"):
        return BOOL
    if name in ("count", "findIndex", "findLastIndex"):
        return INT
    if name in ("find", "findLast"):
        return UNKNOWN if collection.is_any else collection.item
    if name == "filter":
        return ARRAY if collection.is_any else array_of(collection.item)
    if name == "sortBy":
        return collection
    if name == "groupBy":
        return GROUPS
    if name == "map":
        return array_of(predicate or UNKNOWN)
    if predicate is None:
        return UNKNOWN if collection.is_any else collection.item
    return predicate if name == "reduce" or not predicate.is_any else ANY


def call_predicate(
    name: str, frame: Frame, given_collection: object, predicate: Run | None, extra: object, given: bool
) -> object:
    """Carry out one call.

    Args:
        predicate: None for ``count`` and ``sum`` without one.
        extra: third argument: the order of sortBy, the first value of reduce; ``given`` tells whether there is one.

    Raises:
        ExpressionError: the collection is no array, or the predicate fails or is no condition.
    """
    collection = elements(given_collection)
    if collection is None:
        raise ExpressionError(f"builtin {name} takes only an array (got {type_name(given_collection)})")
    frame.spend(len(collection))
    inner = frame.inner()
    if name == "reduce":
        return _reduce(inner, collection, predicate, extra, given)
    backwards = name in ("findLast", "findLastIndex")
    results = _each(inner, collection, predicate, backwards=backwards)
    if name in BOOLEAN:
        return _conditional(name, collection, _conditions(results))
    if name == "map":
        return [value for _, value in results]
    if name == "sum":
        return _sum(value for _, value in results)
    if name == "groupBy":
        groups = AnyMap(missing=NilArray())
        for index, value in results:
            group = groups.items.setdefault(hashed(value), [])
            assert isinstance(group, list)
            group.append(collection[index])
        return groups
    return _sorted_by(collection, [value for _, value in results], given and is_descending(extra))


def _each(
    inner: Frame, collection: Sequence[object], predicate: Run | None, *, backwards: bool
) -> Iterator[tuple[int, object]]:
    indexes = range(len(collection) - 1, -1, -1) if backwards else range(len(collection))
    for index in indexes:
        inner.element, inner.index = collection[index], index
        yield index, collection[index] if predicate is None else predicate(inner)


def _conditions(results: Iterator[tuple[int, object]]) -> Iterator[tuple[int, bool]]:
    for index, value in results:
        if not isinstance(value, bool):
            raise ExpressionError(f"a predicate is a condition: expected bool, found {type_name(value)}")
        yield index, value


def _conditional(name: str, collection: Sequence[object], results: Iterator[tuple[int, bool]]) -> object:
    if name == "all":
        return all(holds for _, holds in results)
    if name in ("none", "any"):
        return any(holds for _, holds in results) is (name == "any")
    if name in ("one", "count"):
        count = sum(1 for _, holds in results if holds)
        return count == 1 if name == "one" else count
    if name == "filter":
        return [collection[index] for index, holds in results if holds]
    found = next((index for index, holds in results if holds), -1)
    if name in ("findIndex", "findLastIndex"):
        return found if found >= 0 else None
    return collection[found] if found >= 0 else None


def _sum(values: Iterator[object]) -> object:
    total: object = 0
    for value in values:
        if not is_number(value):
            raise ExpressionError(f"cannot sum {type_name(value)}: expected numbers")
        total = add(total, value)
    return total


def _sorted_by(collection: Sequence[object], keys: list[object], descending: bool) -> list[object]:
    sort_values(keys)  # refuses keys that have no order
    order = sorted(range(len(keys)), key=lambda index: keys[index], reverse=descending)  # type: ignore[arg-type,return-value]
    return [collection[index] for index in order]


def _reduce(inner: Frame, collection: Sequence[object], predicate: Run | None, start: object, given: bool) -> object:
    assert predicate is not None  # the grammar sees to it
    if not collection and not given:
        raise ExpressionError("reduce of an empty array with no initial value")
    inner.accumulator = start if given else collection[0]
    for index in range(0 if given else 1, len(collection)):
        inner.element, inner.index = collection[index], index
        inner.accumulator = predicate(inner)
    return inner.accumulator
