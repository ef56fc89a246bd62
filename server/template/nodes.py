"""The tree of a parsed expression. What makes it: syntax.py. What it means: check.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    at: int
    """Offset in the expression."""


@dataclass(frozen=True, slots=True)
class Literal(Node):
    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Pointer(Node):
    """The element of a predicate: ``#``, ``#index``, ``#acc``."""

    name: str


@dataclass(frozen=True, slots=True)
class Array(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Map(Node):
    pairs: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """Binary operators of one level in a row: first, then (operator, operand, where the operator stands).

    A row instead of nested pairs, so that long sums do not nest.
    """

    first: Node
    rest: tuple[tuple[str, Node, int], ...]


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class Member(Node):
    base: Node
    key: Node
    optional: bool
    """Written ``?.``: nil instead of an error on nil."""
    dotted: bool


@dataclass(frozen=True, slots=True)
class Optional(Node):
    """The end of a run of members with ``?.`` in it: where a nil base makes the whole run nil."""

    body: Node


@dataclass(frozen=True, slots=True)
class Slice(Node):
    base: Node
    start: Node | None
    stop: Node | None


@dataclass(frozen=True, slots=True)
class Call(Node):
    callee: Node
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Builtin(Node):
    """A call of a name that is a builtin, unless a variable of that name exists."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Let(Node):
    name: str
    value: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """``a; b``: all are evaluated, the last is the value."""

    items: tuple[Node, ...]


def children(node: Node) -> Iterator[Node]:
    """Yield what a node is made of."""
    match node:
        case Array(items=items) | Sequence(items=items):
            yield from items
        case Map(pairs=pairs):
            yield from (part for pair in pairs for part in pair)
        case Unary(operand=operand):
            yield operand
        case Chain(first=first, rest=rest):
            yield first
            yield from (operand for _, operand, _ in rest)
        case Conditional(condition=condition, yes=yes, no=no):
            yield from (condition, yes, no)
        case Member(base=base, key=key):
            yield from (base, key)
        case Optional(body=body):
            yield body
        case Slice(base=base, start=start, stop=stop):
            yield from (part for part in (base, start, stop) if part is not None)
        case Call(callee=callee, arguments=arguments):
            yield callee
            yield from arguments
        case Builtin(arguments=arguments):
            yield from arguments
        case Let(value=value, body=body):
            yield from (value, body)
