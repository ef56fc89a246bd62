"""The binary operators by name, those that decide what is evaluated apart. What they compute: values.py."""

from __future__ import annotations

from collections.abc import Callable

from server.template.containers import is_nil
from server.template.errors import ExpressionError
from server.template.patterns import compiled, search
from server.template.sized import Bytes
from server.template.values import (
    BUDGET,
    TOO_MUCH,
    add,
    compare,
    contains,
    divide,
    equal,
    modulo,
    multiply,
    power,
    subtract,
    to_index,
    type_name,
)


def condition(value: object) -> bool:
    """Return a bool, which must be one: texts are no conditions (workflows-config.md 6.2)."""
    if isinstance(value, bool):
        return value
    raise ExpressionError(f"expected a bool as condition, found {type_name(value)}")


def check_pattern(pattern: str, at: int) -> None:
    """Refuse a regular expression that is none.

    Raises:
        ExpressionError: with the place given.
    """
    try:
        compiled(pattern)
    except ExpressionError as error:
        error.offset = at
        raise


def _strings(name: str, left: object, right: object) -> tuple[str, str]:
    if isinstance(left, str) and isinstance(right, str):
        return left, right
    raise ExpressionError(f"invalid operation: {type_name(left)} {name} {type_name(right)}")


def _matches(left: object, right: object) -> object:
    if is_nil(left) or is_nil(right):
        return False
    if isinstance(left, Bytes):
        left = left.joined().decode("utf-8", "replace")
    text, pattern = _strings("matches", left, right)
    return search(pattern, text)


def _contains(left: object, right: object) -> object:
    if is_nil(left) or is_nil(right):
        return False
    text, part = _strings("contains", left, right)
    return part in text


def _starts(left: object, right: object) -> object:
    if is_nil(left) or is_nil(right):
        return False
    text, part = _strings("startsWith", left, right)
    return text.startswith(part)


def _ends(left: object, right: object) -> object:
    if is_nil(left) or is_nil(right):
        return False
    text, part = _strings("endsWith", left, right)
    return text.endswith(part)


def equal_of(kind: type[str | int]) -> Callable[[object, object], bool]:
    """Return ``==`` of two operands whose static type this is: should it be another when evaluated, that is an error."""

    def run(left: object, right: object) -> bool:
        if type(left) is kind and type(right) is kind:
            return left == right
        raise ExpressionError(f"invalid operation: {type_name(left)} == {type_name(right)}")

    return run


def among(literals: list[str] | list[int]) -> Callable[[object, object], bool]:
    """Return ``in`` of an array of literals, all strings or all integers: nothing else may be looked for in it."""
    kind = type(literals[0])
    held = frozenset(literals)

    def run(needle: object, container: object) -> bool:
        value = kind() if needle is None else needle
        if type(value) is not kind:
            raise ExpressionError(f"cannot look for {type_name(needle)} in an array of {type_name(literals[0])}")
        return value in held

    return run


def _span(left: object, right: object) -> object:
    first, last = to_index(left), to_index(right)
    if last - first >= BUDGET:
        raise ExpressionError(TOO_MUCH)
    return range(first, last + 1) if last >= first else range(0)


def _comparison(operator: str) -> Callable[[object, object], object]:
    return lambda left, right: compare(operator, left, right)


Operator = Callable[[object, object], object]

OPERATORS: dict[str, Operator] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _comparison("<"),
    "<=": _comparison("<="),
    ">": _comparison(">"),
    ">=": _comparison(">="),
    "in": contains,
    "contains": _contains,
    "matches": _matches,
    "startsWith": _starts,
    "endsWith": _ends,
    "..": _span,
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": modulo,
    "**": power,
}
