"""Globs with sets and alternatives. Over role paths ``*`` and ``?`` stay within a name and ``**`` crosses dots (core.md 2.1.3);
over names of repositories and revisions ``*`` crosses everything (workflows-config.md 8.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable


class GlobError(ValueError):
    """The pattern is no glob."""


def path_matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test for role paths; an empty pattern matches nothing.

    Raises:
        GlobError: a bracket or brace is not closed, or a set is empty.
    """
    return _matcher(pattern, r"[^.]", r"(?!\.)")


def name_matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test for names without parts; an empty pattern matches nothing.

    Raises:
        GlobError: a bracket or brace is not closed, or a set is empty.
    """
    return _matcher(pattern, ".", "")


def _matcher(pattern: str, any_char: str, before_set: str) -> Callable[[str], bool]:
    if not pattern:
        return lambda path: False
    expression, at = [], 0
    braces = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            double = pattern[at : at + 1] == "*"
            at += double
            expression.append(".*" if double else f"{any_char}*")
        elif char == "?":
            expression.append(any_char)
        elif char == "[":
            end = pattern.find("]", at + 1)
            if end < 0:
                raise GlobError("'[' is not closed")
            body = pattern[at:end]
            expression.append(before_set + _set(body))
            at = end + 1
        elif char == "{":
            braces += 1
            expression.append("(?:")
        elif char == "}" and braces:
            braces -= 1
            expression.append(")")
        elif char == "," and braces:
            expression.append("|")
        elif char == "\\":
            if at == len(pattern):
                raise GlobError("nothing follows the last backslash")
            expression.append(re.escape(pattern[at]))
            at += 1
        else:
            expression.append(re.escape(char))
    if braces:
        raise GlobError("'{' is not closed")
    try:
        compiled = re.compile("".join(expression), re.DOTALL)
    except re.error as error:
        raise GlobError(str(error)) from None
    return lambda path: compiled.fullmatch(path) is not None


def _set(body: str) -> str:
    """Return the regular expression of ``[body]``: characters and ranges, negated by ``!`` or ``^``.

    Raises:
        GlobError: a range runs backwards.
    """
    negated = body[:1] in ("!", "^")
    left = body[negated:]
    items = []
    while left:
        if len(left) > 2 and left[1] == "-":
            if left[0] > left[2]:
                raise GlobError(f"range {left[:3]!r} runs backwards")
            items.append(f"{re.escape(left[0])}-{re.escape(left[2])}")
            left = left[3:]
        else:
            items.append(re.escape(left[0]))
            left = left[1:]
    if not items:
        raise GlobError("a set is empty")
    return f"[{'^' if negated else ''}{''.join(items)}]"
