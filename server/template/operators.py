"""The binary operators by name, those that decide what is evaluated apart. What they compute: values.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from server.template.errors import ExpressionError
from server.template.texts import BUDGET
from server.template.values import (
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
        _pattern(pattern)
    except ExpressionError as error:
        error.offset = at
        raise


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> re.Pattern[str]:
    if _FOREIGN.search(pattern):
        raise ExpressionError(f"invalid regular expression {pattern!r}: look-around and back references do not exist")
    try:
        return re.compile(pattern.replace(r"\z", r"\Z"))
    except re.error as error:
        raise ExpressionError(f"invalid regular expression {pattern!r}: {error}") from error


_FOREIGN = re.compile(r"\(\?(?:<?[=!]|\()|(?<!\\)(?:\\\\)*\\[1-9]")
"""What Python's expressions have and RE2's do not."""


def _strings(name: str, left: object, right: object) -> tuple[str, str]:
    if isinstance(left, str) and isinstance(right, str):
        return left, right
    raise ExpressionError(f"invalid operation: {type_name(left)} {name} {type_name(right)}")


def _matches(left: object, right: object) -> object:
    text, pattern = _strings("matches", left, right)
    return _pattern(pattern).search(text) is not None


def _contains(left: object, right: object) -> object:
    text, part = _strings("contains", left, right)
    return part in text


def _starts(left: object, right: object) -> object:
    text, part = _strings("startsWith", left, right)
    return text.startswith(part)


def _ends(left: object, right: object) -> object:
    text, part = _strings("endsWith", left, right)
    return text.endswith(part)


def _span(left: object, right: object) -> object:
    first, last = to_index(left), to_index(right)
    if last - first >= BUDGET:
        raise ExpressionError("memory budget exceeded")
    return range(first, last + 1) if last >= first else range(0)


def _comparison(operator: str) -> Callable[[object, object], object]:
    return lambda left, right: compare(operator, left, right)


OPERATORS: dict[str, Callable[[object, object], object]] = {
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
