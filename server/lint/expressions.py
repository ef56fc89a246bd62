"""What an expression needs, found without evaluating it: names, functions, types (workflows-config.md 6.5, 6.6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from server.template import nodes as n
from server.template.compiler import compile_node
from server.template.errors import ExpressionError
from server.template.render import CLOSE, OPEN
from server.template.scope import Function, NilArgument, Scope
from server.template.syntax import parse


class Use(NamedTuple):
    """A name in a text, and where it stands in it."""

    name: str
    offset: int
    tolerated: bool
    """Undefined it counts as empty text."""


class Fault(NamedTuple):
    """Something wrong with an expression of a text, whatever its variables say."""

    rule: str
    message: str
    offset: int


class Literal(NamedTuple):
    """A call with a text as its first argument: ``dpl.GenerateFromUri('name')``."""

    function: str
    argument: str
    offset: int


class Analysis(NamedTuple):
    """What is known about a text with expressions."""

    uses: tuple[Use, ...] = ()
    faults: tuple[Fault, ...] = ()
    literals: tuple[Literal, ...] = ()


def analyse(text: str, objects: Mapping[str, object]) -> Analysis:
    """Look at all expressions of a text.

    Args:
        objects: functions and namespaces that expressions may name.
    """
    uses: list[Use] = []
    faults: list[Fault] = []
    literals: list[Literal] = []
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        end = text.find(CLOSE, start + len(OPEN))
        if end < 0:
            faults.append(Fault("bad-expression", f"{OPEN} is not closed by {CLOSE}", start))
            break
        inner = start + len(OPEN)
        found = analyse_body(text[inner:end], objects)
        uses += [use._replace(offset=use.offset + inner) for use in found.uses]
        faults += [fault._replace(offset=fault.offset + inner) for fault in found.faults]
        literals += [literal._replace(offset=literal.offset + inner) for literal in found.literals]
        at = end + len(CLOSE)
    return Analysis(tuple(uses), tuple(faults), tuple(literals))


def analyse_body(body: str, objects: Mapping[str, object]) -> Analysis:
    """Look at one expression, given without its braces."""
    try:
        node = _parsed(body)
    except ExpressionError as error:
        shown = " ".join(body.split())[:200]
        return Analysis(faults=(Fault("bad-expression", f"{error.reason} in {{{{ {shown} }}}}", max(error.offset, 0)),))
    walker = _Walker(objects)
    try:
        walker.walk(node, strict=True)
        faults = walker.faults or list(_compiled(body, node, objects, walker.lets))
    except RecursionError:
        faults = [Fault("bad-expression", "nested too deeply", 0)]
    return Analysis(tuple(walker.uses), tuple(faults), tuple(walker.literals))


@lru_cache(maxsize=20_000)
def _parsed(body: str) -> n.Node:
    return parse(body)


class _Everything(Scope):
    """A scope in which every name is a variable."""

    def __init__(self, objects: Mapping[str, object], lets: Iterable[str]) -> None:
        super().__init__({}, objects)
        self._lets = frozenset(lets)

    def kind(self, name: str) -> object:
        kind = super().kind(name)
        return "string" if kind is None and name not in self._lets else kind


def _compiled(body: str, node: n.Node, objects: Mapping[str, object], lets: Iterable[str]) -> Iterator[Fault]:
    try:
        compile_node(node, _Everything(objects, lets))
    except ExpressionError as error:
        shown = " ".join(body.split())[:200]
        yield Fault("bad-expression", f"{error.reason} in {{{{ {shown} }}}}", max(error.offset, 0))


class _Walker:
    """Goes through a tree as the compiler does, which checks no names below a call through a dotted name."""

    def __init__(self, objects: Mapping[str, object]) -> None:
        self._objects = objects
        self.uses: list[Use] = []
        self.faults: list[Fault] = []
        self.literals: list[Literal] = []
        self.lets: set[str] = set()

    def walk(self, node: n.Node, *, strict: bool) -> None:
        match node:
            case n.Name(name=name, at=at):
                if name != "$env" and name not in self.lets and name not in self._objects:
                    self.uses.append(Use(name, at, not strict))
            case n.Let(name=name, value=value, body=body):
                self.walk(value, strict=strict)
                self.lets.add(name)
                self.walk(body, strict=strict)
            case n.Call():
                self._call(node, strict)
            case n.Member(base=n.Name(name="$env"), key=n.Literal(value=str(key)), optional=optional, at=at):
                self.uses.append(Use(key, at, optional or not strict))
            case _:
                for child in n.children(node):
                    self.walk(child, strict=strict)

    def _call(self, node: n.Call, strict: bool) -> None:
        function: object = None
        name = ""
        match node.callee:
            case n.Name(name=name, at=at):
                function = self._objects.get(name)
                if function is None and name not in self.lets:
                    self.faults.append(Fault("unknown-function", f"there is no function {name}", at))
            case n.Member(base=n.Name(name=space), key=n.Literal(value=str(member)), at=at) if space not in self.lets:
                name = f"{space}.{member}"
                function = self._member(space, member, at)
            case callee:
                self.walk(callee, strict=strict)
        if isinstance(function, Function) and len(function.parameters) != len(node.arguments):
            wanted = len(function.parameters)
            self.faults.append(
                Fault("bad-expression", f"{name} takes {wanted} arguments, is given {len(node.arguments)}", node.at)
            )
        if node.arguments and isinstance(first := node.arguments[0], n.Literal) and isinstance(first.value, str):
            self.literals.append(Literal(name, first.value, first.at))
        is_flat = isinstance(node.callee, n.Name)
        for argument in node.arguments:
            is_name = isinstance(argument, n.Name)
            takes = isinstance(function, Function) and function.nil is NilArgument.EMPTY and is_name
            self.walk(argument, strict=strict and is_flat and not takes)

    def _member(self, space: str, member: str, at: int) -> object:
        names = self._objects.get(space)
        if names is None:
            self.faults.append(Fault("unknown-function", f"there is nothing called {space}", at))
        elif isinstance(names, Mapping):
            if member not in names:
                self.faults.append(Fault("unknown-function", f"{space} has no function {member}", at))
            return names.get(member)
        return None
