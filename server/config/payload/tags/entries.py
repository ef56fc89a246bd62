"""Tags that bring in other entries: include, ssi, extends, block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from server.config.payload.cursor import Cursor
from server.config.payload.document import Document
from server.config.payload.errors import MissingEntryError, PayloadError
from server.config.payload.execution import execute_template
from server.config.payload.expressions import Expression, located
from server.config.payload.frame import Frame, Node, Output, State, Template, captured, execute_all
from server.config.payload.syntax import expression
from server.config.payload.tags.names import read_pair
from server.config.payload.tokens import Kind, Token
from server.config.payload.values import Record, SafeText, text


@dataclass(frozen=True, slots=True, eq=False)
class Include:
    """An entry whose name stands in quotes: read together with the template."""

    token: Token
    template: Template
    pairs: dict[str, Expression]
    only: bool

    def execute(self, frame: Frame, output: Output) -> None:
        state = frame.state.setdefault(self, {})
        assert isinstance(state, dict)
        names = _names(self.pairs, self.only, frame)
        _enter(self.token, self.template, names, state, frame, output)


@dataclass(frozen=True, slots=True, eq=False)
class LateInclude:
    """An entry whose name is an expression: read when it is needed."""

    token: Token
    name: Expression
    if_exists: bool
    pairs: dict[str, Expression]
    only: bool

    def execute(self, frame: Frame, output: Output) -> None:
        names = _names(self.pairs, self.only, frame)
        name = text(self.name.evaluate(frame))
        if not name:
            raise located(self.token, PayloadError("include: the name of the entry is empty"))
        try:
            template = frame.run.source.load(name)
        except MissingEntryError as error:
            if self.if_exists:
                return
            raise located(self.token, error) from error.__cause__
        except PayloadError as error:
            raise located(self.token, error) from error.__cause__
        _enter(self.token, template, names, {}, frame, output)


def _names(pairs: Mapping[str, Expression], only: bool, frame: Frame) -> dict[str, object]:
    names = {} if only else frame.names()
    return names | {name: value.evaluate(frame) for name, value in pairs.items()}


def _enter(
    token: Token, template: Template, names: dict[str, object], state: State, frame: Frame, output: Output
) -> None:
    budget = frame.run.budget
    try:
        budget.enter(f"include {template.entry}")
        execute_template(template, names, state, frame.run, output)
    except PayloadError as error:
        raise located(token, error) from error.__cause__
    finally:
        budget.depth -= 1


@dataclass(frozen=True, slots=True)
class Nothing:
    def execute(self, frame: Frame, output: Output) -> None:
        """Write nothing."""


def read_include(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% include "entry" [if_exists] [with a=b … [only]] %}``."""
    static = arguments.take(Kind.STRING)
    late = expression(arguments) if static is None else None
    if_exists = arguments.name("if_exists") is not None
    template: Template | None = None
    if static is not None:
        try:
            template = document.source.load(static.text)
        except MissingEntryError as error:
            if if_exists:
                return Nothing()
            raise located(static, error) from error.__cause__
        except PayloadError as error:
            raise located(static, error) from error.__cause__
    pairs: dict[str, Expression] = {}
    only = False
    if arguments.name("with"):
        while arguments.remains and not only:
            variable, value = read_pair(arguments)
            pairs[variable] = value
            only = arguments.name("only") is not None
    arguments.end("include")
    if template is not None:
        return Include(name, template, pairs, only)
    assert late is not None
    return LateInclude(name, late, if_exists, pairs, only)


def read_ssi(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% ssi "entry" parsed %}``, an include with all names; files of the machine are refused."""
    entry = arguments.take(Kind.STRING)
    if entry is None:
        raise arguments.error("ssi: expected the name of an entry in quotes")
    if arguments.name("parsed") is None:
        raise arguments.error("ssi: files of the machine are not read", entry, hint="add parsed to include an entry")
    try:
        template = document.source.load(entry.text)
    except PayloadError as error:
        raise located(entry, error) from error.__cause__
    arguments.end("ssi")
    return Include(name, template, {}, only=False)


def read_extends(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% extends "entry" %}``: the entry is rendered, with this template's blocks in it."""
    if document.level > 1:
        raise arguments.error("extends: only outside of other tags", name)
    if document.template.parent is not None:
        raise arguments.error("extends: only one entry can be extended", name)
    entry = arguments.take(Kind.STRING)
    if entry is None:
        raise arguments.error("extends: expected the name of an entry in quotes")
    try:
        document.template.parent = document.source.load(entry.text)
    except PayloadError as error:
        raise located(entry, error) from error.__cause__
    arguments.end("extends")
    return Nothing()


class BlockFacts(Record):
    """``block`` inside a block; ``block.Super`` is what the extended template has there."""

    __slots__ = ("frame", "versions")
    TYPE = "tagBlockInformation"

    def __init__(self, frame: Frame, versions: list[tuple[Node, ...]]) -> None:
        self.frame = frame
        self.versions = versions

    def method(self, name: str) -> Callable[[], object] | None:
        return self.extended if name == "Super" else None

    def extended(self) -> SafeText:
        """Return what the extended template has in this block."""
        if not self.versions:
            return SafeText("")
        inner = self.frame.child()
        inner.private["block"] = BlockFacts(self.frame, self.versions[:-1])
        return SafeText(captured(self.versions[-1], inner))

    def same(self, other: object) -> bool:
        raise PayloadError("blocks cannot be compared")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    token: Token
    name: str

    def execute(self, frame: Frame, output: Output) -> None:
        versions = [template.blocks[self.name] for template in frame.line if self.name in template.blocks]
        if not versions:
            raise located(self.token, PayloadError(f"block {self.name} is not of the template that is rendered"))
        frame.private["block"] = BlockFacts(frame, versions[:-1])
        execute_all(versions[-1], frame, output)


def read_block(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% block name %}…{% endblock [name] %}``."""
    own = arguments.need_name("the name of the block").text
    arguments.end("block")
    body = document.body("endblock")
    if body.arguments.remains:
        again = body.arguments.need_name("the name of the block, or nothing")
        if again.text != own:
            raise body.arguments.error(f"expected {own}", again)
        body.arguments.end("endblock")
    if own in document.template.blocks:
        raise arguments.error(f"block {own} is there twice", name)
    document.template.blocks[own] = body.nodes
    return Block(name, own)
