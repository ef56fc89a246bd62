"""Tags that choose: if, ifequal, ifnotequal, ifchanged, firstof."""

from __future__ import annotations

from dataclasses import dataclass

from server.config.payload.cursor import Cursor
from server.config.payload.document import Document
from server.config.payload.errors import PayloadError
from server.config.payload.expressions import Expression, located
from server.config.payload.frame import Frame, Node, Output, captured, execute_all
from server.config.payload.syntax import expression
from server.config.payload.tokens import Token
from server.config.payload.values import equal, escape, text, truth


@dataclass(frozen=True, slots=True, eq=False)
class If:
    branches: tuple[tuple[Expression, tuple[Node, ...]], ...]
    otherwise: tuple[Node, ...]

    def execute(self, frame: Frame, output: Output) -> None:
        for condition, nodes in self.branches:
            if truth(condition.evaluate(frame)):
                execute_all(nodes, frame, output)
                return
        execute_all(self.otherwise, frame, output)


def read_if(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% if a %}…{% elif b %}…{% else %}…{% endif %}``."""
    blocks: list[tuple[Node, ...]] = []
    conditions = [_condition(arguments, "if")]
    while True:
        body = document.body("elif", "else", "endif")
        blocks.append(body.nodes)
        if body.end == "elif":
            conditions.append(_condition(body.arguments, "elif"))
        else:
            body.arguments.end(body.end)
        if body.end == "endif":
            break
    # Of blocks without a condition the first counts, whatever their order was: as the original does.
    otherwise = blocks[len(conditions)] if len(blocks) > len(conditions) else ()
    return If(tuple(zip(conditions, blocks, strict=False)), otherwise)


def _condition(arguments: Cursor, tag: str) -> Expression:
    condition = expression(arguments)
    arguments.end(tag)
    return condition


@dataclass(frozen=True, slots=True, eq=False)
class IfEqual:
    token: Token
    left: Expression
    right: Expression
    wanted: bool
    nodes: tuple[Node, ...]
    otherwise: tuple[Node, ...]

    def execute(self, frame: Frame, output: Output) -> None:
        left, right = self.left.evaluate(frame), self.right.evaluate(frame)
        try:
            same = equal(left, right)
        except PayloadError as error:
            raise located(self.token, error) from error.__cause__
        execute_all(self.nodes if same is self.wanted else self.otherwise, frame, output)


def read_ifequal(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% ifequal a b %}…{% else %}…{% endifequal %}``, or the same with ifnotequal."""
    left, right = expression(arguments), expression(arguments)
    arguments.end(name.text)
    nodes, otherwise = _branches(document, f"end{name.text}")
    return IfEqual(name, left, right, name.text == "ifequal", nodes, otherwise or ())


def _branches(document: Document, end: str) -> tuple[tuple[Node, ...], tuple[Node, ...] | None]:
    body = document.plain_body("else", end)
    return body.nodes, document.plain_body(end).nodes if body.end == "else" else None


@dataclass(frozen=True, slots=True, eq=False)
class IfChanged:
    token: Token
    watched: tuple[Expression, ...]
    nodes: tuple[Node, ...]
    otherwise: tuple[Node, ...] | None

    def execute(self, frame: Frame, output: Output) -> None:
        if not self.watched:
            shown = captured(self.nodes, frame)
            if shown != frame.state.get(self, ""):
                output.write(shown)
                frame.state[self] = shown
            return
        values = [watched.evaluate(frame) for watched in self.watched]
        before = frame.state.get(self)
        frame.state[self] = values
        if before is None or self._differ(before, values):
            execute_all(self.nodes, frame, output)
        elif self.otherwise is None:
            error = PayloadError("ifchanged: nothing has changed, and there is no {% else %}", hint="add {% else %}")
            raise located(self.token, error)
        else:
            execute_all(self.otherwise, frame, output)

    def _differ(self, before: object, values: list[object]) -> bool:
        assert isinstance(before, list)
        try:
            return any(not equal(old, new) for old, new in zip(before, values, strict=True))
        except PayloadError as error:
            raise located(self.token, error) from error.__cause__


def read_ifchanged(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% ifchanged [a b] %}…{% else %}…{% endifchanged %}``."""
    watched: list[Expression] = []
    while arguments.remains:
        watched.append(expression(arguments))
    nodes, otherwise = _branches(document, "endifchanged")
    return IfChanged(name, tuple(watched), nodes, otherwise)


@dataclass(frozen=True, slots=True, eq=False)
class FirstOf:
    values: tuple[Expression, ...]

    def execute(self, frame: Frame, output: Output) -> None:
        for candidate in self.values:
            value = candidate.evaluate(frame)
            if truth(value):
                shown = text(value)
                output.write(escape(shown) if frame.escapes and not candidate.is_safe else shown)
                return


def read_firstof(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% firstof a b "c" %}``: the first that is true."""
    values: list[Expression] = []
    while arguments.remains:
        values.append(expression(arguments))
    return FirstOf(tuple(values))
