"""The conditions of a template's variables, ``visibleif`` and ``enabledif``: fragments of JavaScript, read but never run.

    $$epn_enabled === "true" && ($$mode === "Expert" || !["a", "b"].includes($$option))

Values are those of JavaScript, for templates are written for a browser; variables are texts, as they are on the wire.
What is not understood holds, with a warning: nothing is hidden from an operator because of it.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

MAX_LENGTH = 4000
MAX_DEPTH = 50
"""Of parentheses, negations and lists in each other."""

Value = str | float | bool | tuple["Value", ...] | None
"""None is JavaScript's undefined: a variable that is not there."""


class Verdict(NamedTuple):
    """What came of a condition."""

    holds: bool
    warning: str = ""
    """Why it holds although it was not understood, "" if it was."""


class _Scope(NamedTuple):
    values: Mapping[str, str]
    missing: dict[str, None]
    """Names that were asked for and are not there, in that order."""


_Node = Callable[[_Scope], Value]


class _NotUnderstoodError(Exception):
    """The message says what, and where if that is known."""


def evaluate(text: str, values: Mapping[str, str]) -> Verdict:
    """Return whether the condition holds for these values; it never raises. An empty one holds.

    A condition that comes out false only because it names variables that are not there holds, with a warning.
    """
    if not text.strip():
        return Verdict(True)
    node = _parsed(text)
    if isinstance(node, str):
        return Verdict(True, node)
    scope = _Scope(values, {})
    try:
        holds = _truth(node(scope))
    except _NotUnderstoodError as error:
        return Verdict(True, str(error))
    if scope.missing and not holds:
        return Verdict(
            True, f"names {', '.join(f'$${name}' for name in scope.missing)}, which the template does not offer"
        )
    return Verdict(holds)


def problem(text: str) -> str:
    """Say why the text is not understood and where, "" if it is."""
    node = _parsed(text) if text.strip() else ""
    return node if isinstance(node, str) else ""


def names(text: str) -> tuple[str, ...]:
    """Return the variables that a condition names, in that order; none if it is not understood."""
    if isinstance(_parsed(text), str) or not text.strip():
        return ()
    return tuple(dict.fromkeys(token.text[2:] for token in _scan(text) if token.kind == "variable"))


@functools.lru_cache(maxsize=2048)
def _parsed(text: str) -> _Node | str:
    """Return the condition as a function, or what is wrong with it."""
    if len(text) > MAX_LENGTH:
        return f"has {len(text)} characters; at most {MAX_LENGTH} are read"
    try:
        return _Parser(text).whole()
    except _NotUnderstoodError as error:
        return str(error)


# ---- reading -----------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<sign>===|!==|==|!=|<=|>=|&&|\|\||[<>!()\[\],.-])
    |(?P<variable>\$\$[A-Za-z_]\w*)
    |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<word>[A-Za-z_]\w*)""",
    re.VERBOSE | re.ASCII,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


class _Token(NamedTuple):
    kind: str
    text: str
    column: int
    """From 1."""


class _Parser:
    """Recursive descent over the tokens, from the weakest sign to the strongest."""

    def __init__(self, text: str) -> None:
        self._tokens = _scan(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> _Node:
        node = self._either()
        if self._next.kind != "end":
            raise self._wrong("is one word too many")
        return node

    def _either(self) -> _Node:
        nodes = [self._both()]
        while self._take("||"):
            nodes.append(self._both())
        return nodes[0] if len(nodes) == 1 else functools.partial(_first, nodes, True)

    def _both(self) -> _Node:
        nodes = [self._equality()]
        while self._take("&&"):
            nodes.append(self._equality())
        return nodes[0] if len(nodes) == 1 else functools.partial(_first, nodes, False)

    def _equality(self) -> _Node:
        left = self._order()
        sign = self._take("===", "!==", "==", "!=")
        return functools.partial(_equal, sign, left, self._order()) if sign else left

    def _order(self) -> _Node:
        left = self._single()
        sign = self._take("<", ">", "<=", ">=")
        return functools.partial(_compared, sign, left, self._single()) if sign else left

    def _single(self) -> _Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._wrong(f"is more than {MAX_DEPTH} levels deep")
        if self._take("!"):
            node: _Node = functools.partial(_not, self._single())
        elif self._take("-"):
            node = functools.partial(_negative, self._single())
        else:
            node = self._operand()
            if self._take("."):
                node = self._method(node)
        self._depth -= 1
        return node

    def _method(self, on: _Node) -> _Node:
        if self._next.text != "includes":
            raise self._wrong("is not understood; .includes() is")
        column = self._next.column
        self._at += 1
        self._expect("(")
        node = functools.partial(_includes, column, on, self._either())
        self._expect(")")
        return node

    def _operand(self) -> _Node:
        token = self._next
        self._at += 1
        match token.kind, token.text:
            case "variable", name:
                return functools.partial(_variable, name[2:])
            case "number", digits:
                return functools.partial(_constant, float(digits))
            case "text", quoted:
                return functools.partial(_constant, _ESCAPE.sub(_unescaped, quoted[1:-1]))
            case "word", "true" | "false" as word:
                return functools.partial(_constant, word == "true")
            case "sign", "(":
                node = self._either()
                self._expect(")")
                return node
            case "sign", "[":
                return self._list()
        self._at -= 1
        raise self._wrong("stands where a value is expected")

    def _list(self) -> _Node:
        nodes: list[_Node] = []
        while not self._take("]"):
            nodes.append(self._either())
            if self._next.text != "]":
                self._expect(",")
        if self._next.text != ".":
            raise self._wrong("follows a list; only .includes() may")
        return functools.partial(_listed, nodes)

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *signs: str) -> str:
        """Return the next sign and go on if it is one of these, else ""."""
        token = self._next
        if token.kind != "sign" or token.text not in signs:
            return ""
        self._at += 1
        return token.text

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self._wrong(f"stands where {sign} is expected")

    def _wrong(self, why: str) -> _NotUnderstoodError:
        token = self._next
        name = repr(token.text) if token.text else "the end"
        return _NotUnderstoodError(f"column {token.column}: {name} {why}")


def _scan(text: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _NotUnderstoodError(f"column {at + 1}: {text[at : at + 12]!r} is not understood")
        kind = str(match.lastgroup)
        if kind != "space":
            tokens.append(_Token(kind, match[0], at + 1))
        at = match.end()
    return [*tokens, _Token("end", "", len(text) + 1)]


def _unescaped(match: re.Match[str]) -> str:
    letter = match[1]
    if letter[0] == "u" and len(letter) == 5:
        return chr(int(letter[1:], 16))
    return _ESCAPES.get(letter, letter)


# ---- values as JavaScript has them -------------------------------------------------------------


def _variable(name: str, scope: _Scope) -> Value:
    value = scope.values.get(name)
    if value is None:
        scope.missing[name] = None
    return value


def _constant(value: Value, scope: _Scope) -> Value:
    return value


def _listed(nodes: list[_Node], scope: _Scope) -> Value:
    return tuple(node(scope) for node in nodes)


def _not(node: _Node, scope: _Scope) -> Value:
    return not _truth(node(scope))


def _negative(node: _Node, scope: _Scope) -> Value:
    return -_number(node(scope))


def _first(nodes: list[_Node], wanted: bool, scope: _Scope) -> Value:
    """Return the first value that is as true as wanted, else the last: || and &&, which look no further either."""
    value: Value = None
    for node in nodes:
        value = node(scope)
        if _truth(value) is wanted:
            break
    return value


def _equal(sign: str, left_node: _Node, right_node: _Node, scope: _Scope) -> Value:
    left, right = left_node(scope), right_node(scope)
    same = _identical(left, right)
    if len(sign) == 2 and type(left) is not type(right) and left is not None and right is not None:
        same = _number(left) == _number(right)
    return same if sign[0] == "=" else not same


def _identical(left: Value, right: Value) -> bool:
    return type(left) is type(right) and left == right


def _compared(sign: str, left_node: _Node, right_node: _Node, scope: _Scope) -> Value:
    left, right = left_node(scope), right_node(scope)
    if not (isinstance(left, str) and isinstance(right, str)):
        left, right = _number(left), _number(right)
    match sign:
        case "<":
            return left < right  # type: ignore[operator]  # both are text, or both numbers
        case ">":
            return left > right  # type: ignore[operator]
        case "<=":
            return left <= right  # type: ignore[operator]
        case _:
            return left >= right  # type: ignore[operator]


def _includes(column: int, on: _Node, part: _Node, scope: _Scope) -> Value:
    whole, wanted = on(scope), part(scope)
    if isinstance(whole, tuple):
        return any(_identical(one, wanted) for one in whole)
    if isinstance(whole, str):
        return _text(wanted) in whole
    if whole is None:
        return False  # the variable is noted as missing
    raise _NotUnderstoodError(f"column {column}: {_text(whole)} is neither a text nor a list")


def _truth(value: Value) -> bool:
    if isinstance(value, tuple):
        return True
    return bool(value) and value == value  # not a number is false


def _number(value: Value) -> float:
    if isinstance(value, bool | float):
        return float(value)
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return 0.0
        return float(text) if _NUMBER.fullmatch(text) else math.nan
    return math.nan


_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def _text(value: Value) -> str:
    match value:
        case None:
            return "undefined"
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e21 else str(value)
        case str():
            return value
        case _:
            return ",".join(map(_text, value))
