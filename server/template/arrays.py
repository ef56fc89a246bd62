"""What the builtin functions of expressions do with arrays. The table of all: builtins.py, predicates: predicates.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from server.template.containers import AnyMap, Pair, Pairs, hashed
from server.template.errors import ExpressionError
from server.template.gojson import NilArray
from server.template.moments import Duration, Moment
from server.template.sized import Bytes
from server.template.values import BUDGET, TOO_MUCH, equal_within, is_number, type_name


def items_of(value: object) -> list[object] | range:
    assert isinstance(value, (list, range))
    return value


def uniq(arguments: Sequence[object]) -> object:
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


def concat(arguments: Sequence[object]) -> object:
    found: list[object] = []
    for items in map(items_of, arguments):
        if len(found) + len(items) > BUDGET:
            raise ExpressionError(TOO_MUCH)
        found.extend(items)
    return found or NilArray()


def flatten(items: object) -> list[object]:
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
    if not any(all(isinstance(item, kind) for item in found) for kind in (str, Duration, Moment)):
        wrong = [item for item in found if not is_number(item)]
        if wrong:
            raise ExpressionError(f"cannot sort: expected only numbers or only strings, found {type_name(wrong[0])}")
    found.sort(reverse=descending)
    return found


_SEVERAL = 2


def is_descending(order: object) -> bool:
    """Read the order argument of sort and sortBy."""
    if order not in ("asc", "desc"):
        raise ExpressionError(f"invalid order {type_name(order)}: expected asc or desc")
    return order == "desc"


def sort(arguments: Sequence[object]) -> object:
    descending = len(arguments) > 1 and is_descending(arguments[1])
    if isinstance(arguments[0], (Pair, Pairs, Bytes)) or not isinstance(arguments[0], (list, range)):
        return NilArray()
    return sort_values(arguments[0], descending=descending)


def from_pairs(arguments: Sequence[object]) -> object:
    result = AnyMap()
    for pair in items_of(arguments[0]):
        if not isinstance(pair, (list, range)) or len(pair) != 2:
            raise ExpressionError(f"invalid pair {type_name(pair)}: expected an array of two")
        result.items[hashed(pair[0])] = pair[1]
    return result
