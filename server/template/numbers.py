"""What the builtin functions of expressions do with numbers. The table of all: builtins.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from server.template.errors import ExpressionError
from server.template.gojson import to_integer
from server.template.texts import parse_float
from server.template.values import compare, is_number, to_index, type_name, wrap


def integer(value: object) -> int:
    if isinstance(value, str):
        found = to_integer(value)
        if found is None:
            raise ExpressionError(f"invalid operation: int({value})")
        return found
    return to_index(value)


def floating(value: object) -> float:
    if isinstance(value, str):
        return parse_float(value)
    assert isinstance(value, (int, float))
    return float(value)


def whole(work: Callable[[float], float]) -> Callable[[Sequence[object]], object]:
    def run(arguments: Sequence[object]) -> object:
        value = floating(arguments[0])
        return math.copysign(work(value), value) if math.isfinite(value) else value

    return run


def rounded(value: float) -> float:
    """Round half away from zero, as Go does."""
    return math.copysign(math.floor(abs(value) + 0.5), value)


def absolute(arguments: Sequence[object]) -> object:
    value = arguments[0]
    assert isinstance(value, (int, float))
    if isinstance(value, int):
        return wrap(abs(value))
    return -value if value < 0 else value


def extreme(operator: str) -> Callable[[Sequence[object]], object]:
    """Return max or min: the first number that no other is beyond; of a single argument that is no number, itself."""

    def work(arguments: Iterable[object], alone: bool) -> object:
        best: object = None
        for value in arguments:
            if isinstance(value, (list, range)):
                found = [work((item,), True) for item in value]
            elif is_number(value):
                found = [value]
            elif alone:
                return value
            else:
                found = [None]
            for item in found:
                if not is_number(item):
                    raise ExpressionError(f"expected numbers, found {type_name(item)}")
                if best is None or compare(operator, best, item):
                    best = item
        return best

    return lambda arguments: work(arguments, len(arguments) == 1)


def _numbers(arguments: Iterable[object]) -> list[float]:
    found: list[float] = []
    for value in arguments:
        if isinstance(value, (list, range)):
            found.extend(_numbers(value))
        elif is_number(value):
            assert isinstance(value, (int, float))
            found.append(float(value))
        else:
            raise ExpressionError(f"expected numbers, found {type_name(value)}")
    return found


def mean(arguments: Sequence[object]) -> object:
    def total(values: Iterable[object]) -> float:
        # One addition after the other, those of an array in an array first: the last digits are those of Go.
        result = 0.0
        for value in values:
            for item in value if isinstance(value, (list, range)) else (value,):
                result += total(item) if isinstance(item, (list, range)) else floating(item)
        return result

    count = len(_numbers(arguments))
    return total(arguments) / count if count else 0.0


def median(arguments: Sequence[object]) -> object:
    numbers = sorted(_numbers(arguments))
    middle = len(numbers) // 2
    if not numbers:
        return 0.0
    return numbers[middle] if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2


def bits(work: Callable[[int, int], int]) -> Callable[[Sequence[object]], object]:
    def run(arguments: Sequence[object]) -> object:
        left, right = to_index(arguments[0]), to_index(arguments[1])
        return wrap(work(left, right))

    return run


def shift(work: Callable[[int, int], int]) -> Callable[[Sequence[object]], object]:
    def run(arguments: Sequence[object]) -> object:
        value, count = to_index(arguments[0]), to_index(arguments[1])
        if count < 0:
            raise ExpressionError(f"invalid operation: negative shift count {count}")
        return wrap(work(value, min(count, 64)))

    return run
