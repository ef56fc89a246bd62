"""Templates read from tokens: text, ``{{ }}`` and tags. What each tag is: tags/; which there are: tags/known.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from server.config.payload.cursor import Cursor, Nesting
from server.config.payload.errors import PayloadError
from server.config.payload.expressions import Expression
from server.config.payload.frame import Frame, Node, Output, Source, Template
from server.config.payload.syntax import expression
from server.config.payload.tokens import SPACES, Kind, Token
from server.config.payload.values import SafeText, escape, text


@dataclass(frozen=True, slots=True)
class Text:
    """What stands outside braces."""

    text: str

    def execute(self, frame: Frame, output: Output) -> None:
        output.write(self.text)


@dataclass(frozen=True, slots=True, eq=False)
class Braces:
    """``{{ expression }}``: its value, escaped if it is a text and nothing says it is safe."""

    value: Expression

    def execute(self, frame: Frame, output: Output) -> None:
        value = self.value.evaluate(frame)
        if isinstance(value, str) and frame.escapes and not isinstance(value, SafeText) and not self.value.is_safe:
            value = escape(value)
        output.write(text(value))


@dataclass(frozen=True, slots=True)
class Body:
    """What stands between a tag and the tag that ends it."""

    nodes: tuple[Node, ...]
    end: str
    """Name of the tag that ended it."""
    arguments: Cursor
    """Of that tag."""


TagReader = Callable[["Document", Token, Cursor], Node]
"""Reads a tag: the document behind it, its name, its arguments."""


class Document:
    """Reads one template."""

    def __init__(
        self, tokens: Sequence[Token], template: Template, source: Source, tags: Mapping[str, TagReader]
    ) -> None:
        self.template = template
        self.source = source
        self.level = 0
        """Tags that are open, the one being read included."""
        self._tags = tags
        self._cursor = Cursor(tokens, None, Nesting())

    def read(self) -> Template:
        """Return the template.

        Raises:
            PayloadError: it does not parse.
        """
        nodes: list[Node] = []
        while self._cursor.remains:
            nodes.append(self._node())
        self.template.nodes = tuple(nodes)
        return self.template

    def body(self, *ends: str) -> Body:
        """Read up to one of these tags, which is read too.

        Raises:
            PayloadError: there is none.
        """
        nodes: list[Node] = []
        while self._cursor.remains:
            if name := self._end(ends):
                self._cursor.advance(2)
                return Body(tuple(nodes), name.text, self._arguments(name))
            nodes.append(self._node())
        raise self._missing(ends)

    def plain_body(self, *ends: str) -> Body:
        """Read up to one of these tags, which has no arguments."""
        body = self.body(*ends)
        body.arguments.end(body.end)
        return body

    def skip(self, end: str) -> None:
        """Pass over everything up to a tag, and the tag."""
        while self._cursor.remains:
            if name := self._end((end,)):
                self._cursor.advance(2)
                self._arguments(name).end(end)
                return
            self._cursor.advance()
        raise self._missing((end,))

    def _missing(self, ends: Sequence[str]) -> PayloadError:
        return self._cursor.error(f"expected {' or '.join(f'{{% {end} %}}' for end in ends)}")

    def _end(self, ends: Sequence[str]) -> Token | None:
        """Return the name of the tag that begins here, if it is one of these."""
        brace, name = self._cursor.current, self._cursor.beside(1)
        if brace is None or brace.kind is not Kind.SYMBOL or brace.text != "{%" or name is None:
            return None
        return name if name.kind is Kind.NAME and name.text in ends else None

    def _arguments(self, name: Token) -> Cursor:
        """Read up to the end of the tag."""
        found: list[Token] = []
        while self._cursor.symbol("%}") is None:
            token = self._cursor.current
            if token is None:
                raise self._cursor.error("expected '%}'")
            found.append(token)
            self._cursor.advance()
        return Cursor(found, name, self._cursor.nesting)

    def _node(self) -> Node:
        token = self._cursor.current
        assert token is not None
        if token.kind is Kind.TEXT:
            return self._text(token)
        if self._cursor.symbol("{{"):
            value = expression(self._cursor)
            if self._cursor.symbol("}}") is None:
                raise self._cursor.error("expected '}}'")
            return Braces(value)
        if self._cursor.symbol("{%"):
            return self._tag()
        raise self._cursor.error("unexpected text inside braces", token)

    def _text(self, token: Token) -> Node:
        before, after = self._cursor.beside(-1), self._cursor.beside(1)
        shown = token.text
        if before is not None and before.trims:
            shown = shown.lstrip(SPACES)
        if after is not None and after.trims:
            shown = shown.rstrip(SPACES)
        self._cursor.advance()
        return Text(shown)

    def _tag(self) -> Node:
        name = self._cursor.need_name("the name of a tag")
        reader = self._tags.get(name.text)
        if reader is None:
            hint = f"nothing is open that it could end; known: {', '.join(sorted(self._tags))}"
            raise self._cursor.error("unknown tag", name, hint=hint)
        arguments = self._arguments(name)
        with self._cursor.deeper():
            self.level += 1
            try:
                return reader(self, name, arguments)
            finally:
                self.level -= 1
