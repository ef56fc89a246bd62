"""Expressions: parse once per text, check once per kinds of its names, evaluate. The language: workflows-config.md 6."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from server.template import nodes as n
from server.template.compiler import compile_node
from server.template.errors import ExpressionError
from server.template.predicates import Run
from server.template.scope import Frame, Scope
from server.template.syntax import parse

MAX_SHAPES = 64
"""Compiled forms kept of one expression; one is usual, more mean that names change between variable and undefined."""


class Expression:
    """One expression, by its text between the braces.

    Raises:
        ExpressionError: it does not parse.
    """

    __slots__ = ("_builtins", "_name", "_names", "_node", "_runs", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._node = parse(text)
        except ExpressionError as error:
            raise error.at(text) from None
        # Most expressions are one name: it is looked up without more ado.
        self._name = self._node.name if isinstance(self._node, n.Name) and self._node.name != "$env" else ""
        self._names = tuple(sorted(_names(self._node)))
        self._builtins = frozenset(one.name for one in _walk(self._node) if isinstance(one, n.Builtin))
        self._runs: dict[tuple[object, ...], Run] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The variables and functions that it names, in order of the alphabet."""
        return self._names

    def evaluate(self, scope: Scope) -> object:
        """Return the value.

        Raises:
            ExpressionError: with the expression and the place in it.
        """
        if self._name and self._name not in scope.objects:
            value = scope.variables.get(self._name)
            if value is not None:
                return value
        try:
            return self._compiled(scope)(Frame(scope))
        except ExpressionError as error:
            raise error.at(self.text) from None
        except RecursionError:
            raise ExpressionError("nested too deeply", expression=self.text) from None

    def _compiled(self, scope: Scope) -> Run:
        builtins = self._builtins
        overridden = frozenset([name for name in builtins if scope.kind(name) is not None]) if builtins else builtins
        key = (overridden, *map(scope.kind, self._names))
        run = self._runs.get(key)
        if run is None:
            node = parse(self.text, overridden) if overridden else self._node
            run = compile_node(node, scope)
            if len(self._runs) >= MAX_SHAPES:
                self._runs.clear()
            self._runs[key] = run
        return run


@lru_cache(maxsize=20_000)
def expression(text: str) -> Expression:
    """Return the expression of a text, parsed at most once.

    Raises:
        ExpressionError: it does not parse.
    """
    return Expression(text)


def _names(node: n.Node) -> set[str]:
    found: set[str] = set()
    for one in _walk(node):
        if isinstance(one, (n.Name, n.Let)):
            found.add(one.name)
        elif isinstance(one, n.Member) and isinstance(one.key, n.Literal) and isinstance(one.key.value, str):
            if isinstance(one.base, n.Name) and one.base.name == "$env":
                found.add(one.key.value)
    return found


def _walk(node: n.Node) -> Iterator[n.Node]:
    stack = [node]
    while stack:
        one = stack.pop()
        yield one
        stack.extend(n.children(one))
