"""Text with ``{{ … }}`` in it to text without (workflows-config.md 6.1, 6.7)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from server.template.errors import ExpressionError
from server.template.expr import Expression, expression
from server.template.functions import UTILITIES
from server.template.scope import Scope
from server.template.values import BUDGET
from server.template.values import render as render_value

OPEN, CLOSE = "{{", "}}"

_NOTHING: Mapping[str, object] = {}


def render(text: str, variables: Mapping[str, str], objects: Mapping[str, object] = _NOTHING) -> str:
    """Return the text with every expression replaced by its value; values are not looked at again.

    Args:
        variables: names to texts.
        objects: functions and namespaces beyond those of server/template/functions.py, which stand beneath them.

    Raises:
        ExpressionError: the first expression that fails.
    """
    if OPEN not in text:
        return text
    return render_in(text, Scope(variables, {**UTILITIES, **objects} if objects else UTILITIES))


def render_in(text: str, scope: Scope) -> str:
    """Do as ``render`` does, with exactly the names of a scope."""
    if OPEN not in text:
        return text
    parts: list[str] = []
    for part in _parts(text):
        if isinstance(part, str):
            parts.append(part)
            continue
        value = part.evaluate(scope)
        if isinstance(value, str):
            parts.append(value)
            continue
        try:
            parts.append(render_value(value))
        except ExpressionError as error:
            raise error.at(part.text) from None
    if sum(map(len, parts)) > BUDGET:
        raise ExpressionError(f"a text of more than {BUDGET} characters")
    return "".join(parts)


def names_in(text: str) -> set[str]:
    """Return the names that the expressions of a text use.

    Raises:
        ExpressionError: one of them does not parse.
    """
    return {name for part in _parts(text) if isinstance(part, Expression) for name in part.names}


@lru_cache(maxsize=20_000)
def _parts(text: str) -> tuple[str | Expression, ...]:
    parts: list[str | Expression] = []
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        end = text.find(CLOSE, start + len(OPEN))
        if end < 0:
            raise ExpressionError(f"{OPEN} is not closed by {CLOSE}: {text[start : start + 60]!r}")
        if start > at:
            parts.append(text[at:start])
        parts.append(expression(text[start + len(OPEN) : end]))
        at = end + len(CLOSE)
    if at < len(text):
        parts.append(text[at:])
    return tuple(parts)
