"""Regular expressions of ``matches``, and of ``removetags`` in payloads.

The original's take linear time whatever they are, Python's do not.
So what a search may cost is estimated beforehand, and refused if it is too much.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import NamedTuple

from server.template.errors import ExpressionError
from server.template.re2 import to_python

MAX_STEPS = 50_000_000
MAX_PATTERN = 1000
"""Characters."""
_WORD = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<open>\((?:\?(?:P?<\w+>|[\w-]*:|[\w-]*\)))?)|(?P<close>\))|(?P<or>\|)"
    r"|(?P<many>[*+]|\{(?P<least>\d{0,9}),(?P<most>\d{0,9})\}|\{\d{1,9}\}|\?)|.",
    re.DOTALL,
)


class Pattern(NamedTuple):
    """A compiled expression with what its search may cost."""

    compiled: re.Pattern[str]
    loops: int
    """Repetitions that may end anywhere: each multiplies the steps by the length of the text."""
    choices: int
    """Factor by which bounded repetitions multiply the steps."""
    is_nested: bool
    """A repetition of something that can match in several ways: the steps may grow exponentially."""


def search(pattern: str, text: str) -> bool:
    """Tell whether the text has a match.

    Raises:
        ExpressionError: no regular expression, or one that may take too long on such a text.
    """
    return _affordable(pattern, text).search(text) is not None


def without(pattern: str, text: str) -> str:
    """Return the text with all matches taken out.

    Raises:
        ExpressionError: no regular expression, or one that may take too long on such a text.
    """
    return _affordable(pattern, text).sub("", text)


def _affordable(pattern: str, text: str) -> re.Pattern[str]:
    """Return the compiled expression, if a search in the text ends soon."""
    found = compiled(pattern)
    if found.is_nested:
        steps = 4 ** min(len(text), 32)
    else:
        steps = (len(text) + 1) ** min(found.loops + 1, 32) * found.choices
    if steps > MAX_STEPS:
        raise ExpressionError(
            f"the regular expression {pattern[:100]!r} may take too long on {len(text)} characters: "
            "expected fewer repetitions, none of them inside another"
        )
    return found.compiled


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Pattern:
    """Return an expression, compiled and looked at.

    Raises:
        ExpressionError: it is none.
    """
    if len(pattern) > MAX_PATTERN:
        raise ExpressionError(f"a regular expression has at most {MAX_PATTERN} characters, this one {len(pattern)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expression = re.compile(to_python(pattern))
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise ExpressionError(f"invalid regular expression {pattern!r}: {error}") from error
    return Pattern(expression, *_look_at(pattern))


def _look_at(pattern: str) -> tuple[int, int, bool]:
    loops, choices, is_nested = 0, 1, False
    groups = [False]
    """Whether a group, from the outermost, can match in several ways."""
    varies = False
    """The same of what stands before the next word."""
    for match in _WORD.finditer(pattern):
        if match["open"]:
            groups.append(False)
            varies = False
        elif match["close"]:
            varies = groups.pop() if len(groups) > 1 else False
            groups[-1] = groups[-1] or varies
        elif match["or"]:
            groups[-1], varies, choices = True, False, choices * 2
        elif match["many"]:
            least, most = match["least"], match["most"]
            unbounded = match["many"] in ("*", "+") or (least is not None and not most)
            is_nested = is_nested or (varies and match["many"] != "?")
            if unbounded:
                loops += 1
            elif match["many"] == "?":
                choices *= 2
            elif most:
                choices *= max(int(most) - int(least or 0), 0) + 1
            groups[-1] = groups[-1] or unbounded or match["many"] == "?" or bool(most)
            varies = False
        else:
            varies = False
    return loops, choices, is_nested
