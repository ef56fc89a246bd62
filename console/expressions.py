"""The conditions of ``expect``: comparisons over what the picture says of one environment, with and, or, not.

    env.state == RUNNING and env.tasks.error == 0 and env.bytes > 10MB

Nothing else can be said: no calls, no assignment, no other names.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from console.exit_codes import usage
from server.api.model import Environment

Value = str | float

FIELDS: Mapping[str, Callable[[Environment], Value]] = {
    "env.id": lambda env: env.id,
    "env.template": lambda env: env.template,
    "env.state": lambda env: env.state,
    "env.transition": lambda env: env.transition.event if env.transition else "",
    "env.run_number": lambda env: env.run_number,
    "env.last_run_number": lambda env: env.last_run_number,
    "env.tasks.ok": lambda env: env.tasks_ok,
    "env.tasks.error": lambda env: env.tasks_error,
    "env.tasks.active": lambda env: env.tasks_active,
    "env.tasks.total": lambda env: env.tasks_total,
    "env.rate": lambda env: env.bytes_per_s,
    "env.bytes": lambda env: env.bytes_moved,
    "env.hosts": lambda env: env.hosts,
    "env.detectors": lambda env: " ".join(env.detectors),
    "env.run_type": lambda env: env.run_type,
}

_COMPARE: Mapping[str, Callable[[Value, Value], bool]] = {
    "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip

_UNITS = {"": 1, "k": 1e3, "kB": 1e3, "M": 1e6, "MB": 1e6, "G": 1e9, "GB": 1e9, "T": 1e12, "TB": 1e12, "B": 1}

_TOKEN = re.compile(
    r"""\s*(?:(?P<op>==|!=|<=|>=|<|>|\(|\))|(?P<text>"[^"]*"|'[^']*')"""
    r"""|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?P<unit>[kMGT]?B?)(?![\w.])|(?P<name>[A-Za-z_][\w.]*))"""
)


class Outcome(NamedTuple):
    holds: bool
    facts: dict[str, Value]
    """The fields that the expression names, for the message."""


def check(text: str) -> None:
    """Raise ExitError (USAGE) if the text is no condition."""
    evaluate(text, Environment(id=""))


def evaluate(text: str, environment: Environment) -> Outcome:
    """Return whether the condition holds for the environment.

    Raises:
        ExitError: USAGE, says where the text is wrong.
    """
    parser = _Parser(text, environment)
    holds = parser.alternatives()
    if parser.peek():
        raise parser.wrong(f"{parser.peek()!r} is one word too many")
    return Outcome(holds, parser.facts)


class _Parser:
    def __init__(self, text: str, environment: Environment) -> None:
        self._text = text
        self._environment = environment
        self._tokens = self._scan(text)
        self._at = 0
        self.facts: dict[str, Value] = {}

    def alternatives(self) -> bool:
        holds = self._conjunction()
        while self.peek() == "or":
            self._at += 1
            right = self._conjunction()
            holds = holds or right
        return holds

    def peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def wrong(self, why: str) -> Exception:
        return usage(f"expect {self._text}: {why}", hint=f"names: {', '.join(FIELDS)}")

    def _conjunction(self) -> bool:
        holds = self._negation()
        while self.peek() == "and":
            self._at += 1
            right = self._negation()
            holds = holds and right
        return holds

    def _negation(self) -> bool:
        if self.peek() == "not":
            self._at += 1
            return not self._negation()
        if self.peek() == "(":
            self._at += 1
            holds = self.alternatives()
            if self.peek() != ")":
                raise self.wrong("a ) is missing")
            self._at += 1
            return holds
        left = self._value()
        compare = _COMPARE.get(self.peek())
        if compare is None:
            raise self.wrong(f"after a value comes one of {' '.join(_COMPARE)}")
        sign = self.peek()
        self._at += 1
        right = self._value()
        if sign in ("==", "!="):
            return compare(left, right)
        if isinstance(left, str) or isinstance(right, str):
            raise self.wrong(f"{sign} compares numbers, not {left!r} and {right!r}")
        return compare(left, right)

    def _value(self) -> Value:
        if self._at >= len(self._tokens):
            raise self.wrong("a value is missing")
        kind, token = self._tokens[self._at]
        self._at += 1
        if kind == "text":
            return token[1:-1]
        if kind == "number":
            number, unit = re.fullmatch(r"(.*?)([kMGT]?B?)", token).groups()  # type: ignore[union-attr]  # matches all
            return float(number) * _UNITS[unit]
        if kind == "name" and token in FIELDS:
            value = FIELDS[token](self._environment)
            self.facts[token] = value
            return value
        if kind == "name" and token.isupper():
            return token  # a state without quotes
        raise self.wrong(f"{token!r} is no value")

    def _scan(self, text: str) -> list[tuple[str, str]]:
        tokens, at = [], 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise self.wrong(f"cannot read {text[at:].strip()!r}")
            at = match.end()
            kind = next(name for name in ("op", "text", "number", "name") if match[name])
            tokens.append((kind, match[kind] + (match["unit"] if kind == "number" else "")))
        return tokens
