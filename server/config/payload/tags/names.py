"""Tags that make names: set, with, macro, import."""

from __future__ import annotations

from dataclasses import dataclass, replace

from server.config.payload.cursor import Cursor
from server.config.payload.document import Document
from server.config.payload.errors import PayloadError
from server.config.payload.expressions import Expression, located
from server.config.payload.frame import Frame, Node, Output, captured, execute_all
from server.config.payload.syntax import expression
from server.config.payload.tokens import Kind, Token
from server.config.payload.values import Routine, SafeText


@dataclass(frozen=True, slots=True, eq=False)
class Set:
    name: str
    value: Expression

    def execute(self, frame: Frame, output: Output) -> None:
        frame.private[self.name] = self.value.evaluate(frame)


def read_set(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% set name = value %}``."""
    variable = arguments.need_name("the name of a variable").text
    arguments.need_symbol("=")
    value = expression(arguments)
    arguments.end("set")
    return Set(variable, value)


@dataclass(frozen=True, slots=True, eq=False)
class With:
    pairs: dict[str, Expression]
    nodes: tuple[Node, ...]

    def execute(self, frame: Frame, output: Output) -> None:
        inner = frame.child()
        for name, value in self.pairs.items():
            inner.private[name] = value.evaluate(frame)
        execute_all(self.nodes, inner, output)


def read_with(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% with a=b c=d %}…{% endwith %}``, or the older ``{% with b as a %}``."""
    if not arguments.remains:
        raise arguments.error("with: expected name=value")
    body = document.plain_body("endwith")
    older = any(token.kind is Kind.KEYWORD and token.text == "as" for token in arguments.tokens)
    pairs: dict[str, Expression] = {}
    while arguments.remains:
        if older:
            value = expression(arguments)
            if arguments.keyword("as") is None:
                raise arguments.error("expected 'as'")
            pairs[arguments.need_name("the name of a variable").text] = value
        else:
            variable, value = read_pair(arguments)
            pairs[variable] = value
    return With(pairs, body.nodes)


def read_pair(arguments: Cursor) -> tuple[str, Expression]:
    """Read ``name=value``."""
    variable = arguments.need_name("the name of a variable").text
    arguments.need_symbol("=")
    return variable, expression(arguments)


class MacroCall(Routine):
    """A macro with the frame it was defined or imported in."""

    __slots__ = ("frame", "macro")

    def __init__(self, macro: Macro, frame: Frame) -> None:
        self.macro = macro
        self.frame = frame

    def run(self, arguments: list[object]) -> object:
        macro = self.macro
        if len(arguments) > len(macro.parameters):
            message = f"macro {macro.name} takes {len(macro.parameters)} arguments, {len(arguments)} are given"
            raise located(macro.token, PayloadError(message))
        budget = self.frame.run.budget
        try:
            budget.enter(f"macro {macro.name}")
            return SafeText(captured(macro.nodes, self._inside(arguments)))
        except PayloadError as error:
            raise located(macro.token, error) from error.__cause__
        finally:
            budget.depth -= 1

    def _inside(self, arguments: list[object]) -> Frame:
        """Return the frame of the body: defaults, and over them what is given."""
        parameters = self.macro.parameters
        defaults = {name: default.evaluate(self.frame) if default else None for name, default in parameters}
        inner = self.frame.child()
        inner.private.update(defaults)
        for (name, _), value in zip(parameters, arguments, strict=False):
            inner.private[name] = str(value) if isinstance(value, str) else value
        return inner


@dataclass(frozen=True, slots=True, eq=False)
class Macro:
    token: Token
    name: str
    parameters: tuple[tuple[str, Expression | None], ...]
    nodes: tuple[Node, ...]

    def execute(self, frame: Frame, output: Output) -> None:
        frame.private[self.name] = MacroCall(self, frame)


def read_macro(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% macro name(a, b=1) [export] %}…{% endmacro %}``."""
    own = arguments.need_name("the name of the macro").text
    arguments.need_symbol("(")
    parameters: list[tuple[str, Expression | None]] = []
    while not arguments.symbol(")"):
        parameter = arguments.need_name("the name of an argument").text
        parameters.append((parameter, expression(arguments) if arguments.symbol("=") else None))
        if arguments.symbol(")"):
            break
        if arguments.symbol(",") is None:
            raise arguments.error("expected ',' or ')'")
    exported = arguments.keyword("export") is not None
    arguments.end("macro")
    macro = Macro(name, own, tuple(parameters), document.plain_body("endmacro").nodes)
    if exported:
        if own in document.template.macros:
            raise arguments.error(f"another macro {own} is exported already", name)
        document.template.macros[own] = macro
    return macro


@dataclass(frozen=True, slots=True, eq=False)
class Import:
    macros: dict[str, Macro]

    def execute(self, frame: Frame, output: Output) -> None:
        state = frame.state.setdefault(self, {})
        assert isinstance(state, dict)
        for name, macro in self.macros.items():
            frame.private[name] = MacroCall(macro, replace(frame, state=state))


def read_import(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% import "entry" a, b as c %}``: macros that the entry exports."""
    entry = arguments.take(Kind.STRING)
    if entry is None:
        raise arguments.error("import: expected the name of an entry in quotes")
    if not arguments.remains:
        raise arguments.error("import: expected the name of a macro")
    try:
        template = document.source.load(entry.text)
    except PayloadError as error:
        raise located(entry, error) from error.__cause__
    macros: dict[str, Macro] = {}
    while arguments.remains:
        wanted = arguments.need_name("the name of a macro")
        shown = arguments.need_name("a name after 'as'").text if arguments.keyword("as") else wanted.text
        macro = template.macros.get(wanted.text)
        if not isinstance(macro, Macro):
            hint = f"exported there: {', '.join(sorted(template.macros)) or 'none'}"
            raise arguments.error(f"no macro of that name is exported by {template.entry}", wanted, hint=hint)
        macros[shown] = macro
        if arguments.remains:
            arguments.need_symbol(",")
    return Import(macros)
