"""What the builtin functions of expressions do with numbers. The table of all: builtins.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from server.template.errors import ExpressionError
from server.template.gojson import to_integer
from server.template.moments import Duration, Month, Weekday
from server.template.sized import Uint8, wrap
from server.template.texts import parse_float
from server.template.values import compare, is_number, to_index, type_name


def integer(value: object) -> int:
    if isinstance(value, str):
        found = to_integer(value)
        if found is None:
            raise ExpressionError(f"invalid operation: int({value})")
        return found
    return counted(value)


def counted(value: object) -> int:
    """Return the integer of a number, or of what is one underneath."""
    return value.number if isinstance(value, (Duration, Month, Weekday)) else to_index(value)


def floating(value: object) -> float:
    if isinstance(value, str):
        return parse_float(value)
    return float(_number(value))


def _number(value: object) -> int | float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise ExpressionError(f"expected a number, found {type_name(value)}")


def whole(work: Callable[[float], float]) -> Callable[[Sequence[object]], object]:
    def run(arguments: Sequence[object]) -> object:
        value = float(_number(arguments[0]))
        return math.copysign(work(value), value) if math.isfinite(value) else value

    return run


def rounded(value: float) -> float:
    """Round half away from zero, as Go does."""
    return math.copysign(math.floor(abs(value) + 0.5), value)


def absolute(arguments: Sequence[object]) -> object:
    value = _number(arguments[0])
    if isinstance(value, Uint8):
        return value
    if isinstance(value, int):
        return type(value)(wrap(abs(value)))
    return -value if value < 0 else value


def extreme(operator: str) -> Callable[[Sequence[object]], object]:
    """Return max or min: the first number that no other is beyond; of a single argument that is no number, itself."""

    def work(arguments: Iterable[object], alone: bool) -> object:
        best: object = None
        for value in arguments:
            found = [value]
            if isinstance(value, (list, range)):
                found = [work((item,), True) for item in value]
                for item in found:
                    _number(item)
            elif not is_number(value) and not isinstance(value, (Duration, Month, Weekday)):
                if alone:
                    return value
                raise ExpressionError(f"expected numbers, found {type_name(value)}")
            for item in found:
                if best is None or compare(operator, best, item):
                    best = item
        return best

    return lambda arguments: work(arguments, len(arguments) == 1)


def _numbers(arguments: Iterable[object]) -> list[float]:
    found: list[float] = []
    for value in arguments:
        if isinstance(value, (list, range)):
            found.extend(_numbers(value))
        else:
            found.append(_float(value))
    return found


def _float(value: object) -> float:
    return float(_number(value.number if isinstance(value, (Duration, Month, Weekday)) else value))


def mean(arguments: Sequence[object]) -> object:
    def total(values: Iterable[object]) -> float:
        # One addition after the other, those of an array in an array first: the last digits are those of Go.
        result = 0.0
        for value in values:
            for item in value if isinstance(value, (list, range)) else (value,):
                result += total(item) if isinstance(item, (list, range)) else _float(item)
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
