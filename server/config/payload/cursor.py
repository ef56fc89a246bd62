"""Reading tokens one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from server.config.payload.budget import MAX_NESTING
from server.config.payload.errors import PayloadError
from server.config.payload.tokens import Kind, Token


@dataclass(slots=True)
class Nesting:
    """How deep the parser is inside tags and brackets."""

    depth: int = 0


class Cursor:
    """A place in a row of tokens: those of a template, or the arguments of one tag."""

    def __init__(self, tokens: Sequence[Token], last: Token | None, nesting: Nesting) -> None:
        """Args:
        tokens: what is read.
        last: blamed for what is missing at the end; the last of the tokens if there are any.
        nesting: shared by all cursors of a template.
        """
        self.tokens = tokens
        self.nesting = nesting
        self.current: Token | None = tokens[0] if tokens else None
        """None at the end."""
        self._at = 0
        self._last = tokens[-1] if tokens else last

    @property
    def remains(self) -> bool:
        return self.current is not None

    def advance(self, count: int = 1) -> None:
        """Pass over tokens."""
        self._at += count
        self.current = self.tokens[self._at] if self._at < len(self.tokens) else None

    def beside(self, distance: int) -> Token | None:
        """Return a token before or after the current one."""
        position = self._at + distance
        return self.tokens[position] if 0 <= position < len(self.tokens) else None

    def take(self, kind: Kind, *texts: str) -> Token | None:
        """Return the current token and go on, if it is of the kind, and one of the texts if any are given."""
        token = self.current
        if token is None or token.kind is not kind or (texts and token.text not in texts):
            return None
        self.advance()
        return token

    def symbol(self, *texts: str) -> Token | None:
        return self.take(Kind.SYMBOL, *texts)

    def keyword(self, *texts: str) -> Token | None:
        return self.take(Kind.KEYWORD, *texts)

    def name(self, *texts: str) -> Token | None:
        return self.take(Kind.NAME, *texts)

    def need_name(self, what: str) -> Token:
        """Return a name.

        Raises:
            PayloadError: there is something else.
        """
        token = self.name()
        if token is None:
            raise self.error(f"expected {what}")
        return token

    def need_symbol(self, symbol: str) -> None:
        if self.symbol(symbol) is None:
            raise self.error(f"expected {symbol!r}")

    def end(self, tag: str) -> None:
        """Refuse further tokens.

        Raises:
            PayloadError: there is one.
        """
        if self.remains:
            raise self.error(f"too much in {{% {tag} %}}")

    def error(self, reason: str, token: Token | None = None, *, hint: str = "") -> PayloadError:
        """Return an error at the token, at the current one, or at the last."""
        blamed = token or self.current or self._last
        found = self.current if token is None else token
        said = f"{reason}, found {found.text[:_SHOWN]!r}" if found else f"{reason}, found the end"
        if blamed is None:
            return PayloadError(said, hint=hint)
        return PayloadError(said, entry=blamed.entry, line=blamed.line, column=blamed.column, hint=hint)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Count one level of nesting.

        Raises:
            PayloadError: too many.
        """
        self.nesting.depth += 1
        if self.nesting.depth > MAX_NESTING:
            raise self.error(f"more than {MAX_NESTING} levels of tags and brackets")
        try:
            yield
        finally:
            self.nesting.depth -= 1


_SHOWN = 40
"""Characters of a token that an error shows."""
