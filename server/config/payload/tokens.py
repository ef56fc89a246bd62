"""The text of a component template cut into tokens: text, and names, numbers, strings and symbols within the braces.

Rules of pongo2 v6: a newline inside braces is an error, ``{%- -%}`` trim, verbatim is literally ``{% verbatim %}``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from server.config.payload.budget import MAX_TOKENS
from server.config.payload.errors import LimitError, PayloadError


class Kind(Enum):
    TEXT = "text"
    KEYWORD = "keyword"
    NAME = "name"
    STRING = "string"
    NUMBER = "number"
    SYMBOL = "symbol"


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    """Of a string, what it means; of a symbol, without the dash that trims."""
    entry: str
    line: int
    column: int
    trims: bool = False
    """A brace with a dash: white space beside it goes."""


KEYWORDS = frozenset({"in", "and", "or", "not", "true", "false", "as", "export"})
SPACES = " \n\r\t"

_OPENING = re.compile(r"\{[{%#]")
_NAME = re.compile(r"[0-9]*[A-Za-z_][A-Za-z0-9_]*")
_DIGITS = re.compile(r"[0-9]+")
_STRING_STOP = re.compile(r"[\"'\\\n]")
_SYMBOL = re.compile(
    r"\{\{-|-\}\}|\{%-|-%\}|==|>=|<=|&&|\|\||\{\{|\}\}|\{%|%\}|!=|<>|[()+\-*<>/^,.!|:=%\[\]]"
)  # the longest first
_CLOSING = frozenset({"}}", "%}"})
_VERBATIM, _END_VERBATIM = "{% verbatim %}", "{% endverbatim %}"


def tokens_of(entry: str, text: str, limit: int = MAX_TOKENS) -> list[Token]:
    """Cut a template.

    Raises:
        PayloadError: something is not closed, or is not allowed inside braces; more than ``limit`` tokens.
    """
    lexer = _Lexer(entry, text, limit)
    lexer.run()
    return lexer.tokens


class _Lexer:
    def __init__(self, entry: str, text: str, limit: int) -> None:
        self.entry = entry
        self.limit = limit
        self.text = text
        self.at = 0
        self.start = 0
        self.tokens: list[Token] = []
        self._line = 1
        self._line_start = 0
        self._counted = 0

    def run(self) -> None:
        verbatim = False
        opened = 0
        while True:
            if verbatim:
                if self.text.startswith(_END_VERBATIM, self.at):
                    self.flush()
                    self.skip(len(_END_VERBATIM))
                    verbatim = False
            elif self.text.startswith(_VERBATIM, self.at):
                self.flush()
                opened = self.at
                self.skip(len(_VERBATIM))
                verbatim = True
            if not verbatim:
                if self.text.startswith("{#", self.at):
                    self.flush()
                    self.comment()
                    continue
                if self.text.startswith(("{{", "{%"), self.at):
                    self.flush()
                    self.braces()
                    continue
            if self.at >= len(self.text):
                break
            # At least one character is text, also right after {% verbatim %}.
            following = _OPENING.search(self.text, self.at + 1)
            self.at = following.start() if following else len(self.text)
        self.flush()
        if verbatim:
            raise self.error("verbatim is not closed", opened, hint="expected {% endverbatim %}")

    def flush(self) -> None:
        """Make a token of the text so far."""
        if self.at > self.start:
            self.emit(Kind.TEXT, self.text[self.start : self.at])

    def skip(self, count: int) -> None:
        self.at += count
        self.start = self.at

    def emit(self, kind: Kind, text: str, *, trims: bool = False) -> None:
        if len(self.tokens) >= self.limit:
            raise LimitError(f"more than {MAX_TOKENS} names, numbers and symbols", entry=self.entry)
        line, column = self.place(self.start)
        self.tokens.append(Token(kind, text, self.entry, line, column, trims))
        self.start = self.at

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset; offsets only grow."""
        self._line += self.text.count("\n", self._counted, offset)
        newline = self.text.rfind("\n", self._counted, offset)
        if newline >= 0:
            self._line_start = newline + 1
        self._counted = max(self._counted, offset)
        return self._line, offset - self._line_start + 1

    def error(self, reason: str, offset: int, *, hint: str = "") -> PayloadError:
        before = self.text[:offset]
        return PayloadError(
            reason,
            entry=self.entry,
            line=before.count("\n") + 1,
            column=offset - before.rfind("\n"),
            hint=hint,
        )

    def comment(self) -> None:
        end = self.text.find("#}", self.at + 2)
        newline = self.text.find("\n", self.at + 2, end if end >= 0 else len(self.text))
        if newline >= 0:
            hint = "use {% comment %} … {% endcomment %} for more than a line"
            raise self.error("a newline in a comment {# #}", self.at, hint=hint)
        if end < 0:
            raise self.error("the comment is not closed", self.at, hint="expected #}")
        self.skip(end + 2 - self.at)

    def braces(self) -> None:
        """Cut what is inside braces, up to the closing ones or a character that cannot be there."""
        while self.at < len(self.text):
            character = self.text[self.at]
            if character in SPACES:
                if character == "\n":
                    raise self.error("a newline inside {{ }} or {% %}", self.at, hint="put it on one line")
                self.skip(1)
            elif match := _NAME.match(self.text, self.at):
                self.at = match.end()
                self.emit(Kind.KEYWORD if match[0] in KEYWORDS else Kind.NAME, match[0])
            elif match := _DIGITS.match(self.text, self.at):
                self.at = match.end()
                self.emit(Kind.NUMBER, match[0])
            elif character in "\"'":
                self.string(character)
            elif match := _SYMBOL.match(self.text, self.at):
                self.at = match.end()
                trims = len(match[0]) == 3
                symbol = match[0].strip("-") if trims else match[0]
                self.emit(Kind.SYMBOL, symbol, trims=trims)
                if symbol in _CLOSING:
                    return
            else:
                return

    def string(self, quote: str) -> None:
        opening = self.at
        self.at += 1
        while True:
            stop = _STRING_STOP.search(self.text, self.at)
            if stop is None:
                raise self.error("the string is not closed", opening, hint=f"expected {quote}")
            self.at = stop.start()
            if stop[0] == "\n":
                raise self.error("a newline in a string", self.at)
            if stop[0] == "\\":
                escaped = self.text[self.at + 1 : self.at + 2]
                if escaped not in ('"', "\\"):
                    raise self.error(f"unknown escape \\{escaped}", self.at, hint='only \\" and \\\\ are known')
                self.at += 2
            elif stop[0] == quote:
                break
            else:
                self.at += 1
        meaning = self.text[opening + 1 : self.at].replace('\\"', '"').replace("\\\\", "\\")
        self.at += 1
        self.emit(Kind.STRING, meaning)
