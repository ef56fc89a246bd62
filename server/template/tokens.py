"""Words of an expression: numbers, strings, names, operators, with their places. What they mean together: syntax.py."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from server.template.errors import ExpressionError


class TokenKind(Enum):
    NUMBER = "number"
    STRING = "string"
    NAME = "name"
    OPERATOR = "operator"
    END = "end of the expression"


@dataclass(frozen=True, slots=True)
class Token:
    kind: TokenKind
    text: str
    """Of a string: its value."""
    at: int
    """Characters from the beginning of the expression."""
    number: int | float = 0

    def __str__(self) -> str:
        return self.kind.value if self.kind is TokenKind.END else f"{self.kind.value} {self.text!r}"


WORDS = frozenset(
    {"in", "or", "and", "not", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"}
)  # fmt: skip
"""Names that are operators, hence never variables."""

MAX_LENGTH = 100_000
"""Characters of one expression."""


def tokenize(text: str) -> list[Token]:
    """Split an expression; the last token is END.

    Raises:
        ExpressionError: a character or literal that is none of the language.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH} characters, this one {len(text)}")
    tokens: list[Token] = []
    at = 0
    while True:
        match = _SKIP.match(text, at)
        at = match.end() if match else at
        if text.startswith("/*", at):
            raise ExpressionError("comment not terminated", offset=at)
        if at >= len(text):
            tokens.append(Token(TokenKind.END, "", len(text)))
            return tokens
        token, at = _next(text, at)
        tokens.append(token)


_SKIP = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_NAME = re.compile(r"(?:[^\W\d]|\$)(?:\w|\$)*")
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:[0-9][0-9_]*)?\.[0-9][0-9_]*(?:[eE][+-]?[0-9]+)?"
    r"|[0-9][0-9_]*(?:\.(?![.\w]))?(?:[eE][+-]?[0-9]+)?"
)
_OPERATOR = re.compile(r"\?\.|\?\?|\?|\.\.|\.|::|:|&&|\|\||\*\*|==|!=|<=|>=|[-+*/%^|!<>=#,;()\[\]{}]")


def _next(text: str, at: int) -> tuple[Token, int]:
    character = text[at]
    if character in "'\"":
        return _string(text, at)
    if character == "`":
        end = text.find("`", at + 1)
        if end < 0:
            raise ExpressionError("literal not terminated", offset=at)
        return Token(TokenKind.STRING, text[at + 1 : end], at), end + 1
    if character.isdecimal() or (character == "." and text[at + 1 : at + 2].isdecimal()):
        return _number(text, at)
    match = _NAME.match(text, at)
    if match:
        kind = TokenKind.OPERATOR if match[0] in WORDS else TokenKind.NAME
        return Token(kind, match[0], at), match.end()
    match = _OPERATOR.match(text, at)
    if match:
        return Token(TokenKind.OPERATOR, match[0], at), match.end()
    raise ExpressionError(f"unrecognized character {character!r}", offset=at)


def _number(text: str, at: int) -> tuple[Token, int]:
    match = _NUMBER.match(text, at)
    end = match.end() if match else at
    if match is None or (end < len(text) and (text[end].isalnum() or text[end] == "_")):
        raise ExpressionError("bad number syntax", offset=at)
    digits = match[0].replace("_", "")
    try:
        if digits[:2].lower() in ("0x", "0o", "0b"):
            value: int | float = int(digits, 0)
        elif any(mark in digits for mark in ".eE"):
            value = float(digits)
        else:
            value = int(digits)
    except ValueError as error:
        raise ExpressionError(f"bad number syntax: {match[0]}", offset=at) from error
    if isinstance(value, int) and value >= 1 << 63:
        raise ExpressionError(f"integer literal is too large: {match[0]}", offset=at)
    return Token(TokenKind.NUMBER, match[0], at, value), end


_PLAIN = re.compile(r"[^'\"\\\n]+")
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"',
}  # fmt: skip
_CODES = {"x": 2, "u": 4, "U": 8}


def _string(text: str, at: int) -> tuple[Token, int]:
    quote, parts, here = text[at], list[str](), at + 1
    while True:
        match = _PLAIN.match(text, here)
        if match:
            parts.append(match[0])
            here = match.end()
        character = text[here : here + 1]
        if character == quote:
            return Token(TokenKind.STRING, "".join(parts), at), here + 1
        if character in ("", "\n"):
            raise ExpressionError("literal not terminated", offset=at)
        if character == "\\":
            part, here = _escape(text, here + 1)
        else:
            part, here = character, here + 1
        parts.append(part)


def _escape(text: str, at: int) -> tuple[str, int]:
    """Return the character behind a backslash, and where the text goes on."""
    character = text[at : at + 1]
    if character in _ESCAPES:
        return _ESCAPES[character], at + 1
    if character in _CODES:
        digits, end, base = text[at + 1 : at + 1 + _CODES[character]], at + 1 + _CODES[character], 16
        complete = len(digits) == _CODES[character]
    else:
        digits, end, base = text[at : at + 3], at + 3, 8
        complete = len(digits) == 3
    try:
        if not complete or not digits.isalnum():
            raise ValueError
        code = int(digits, base)
        # Half a surrogate pair is no character.
        return ("�" if 0xD800 <= code < 0xE000 else chr(code)), end
    except (ValueError, OverflowError) as error:
        raise ExpressionError("invalid character escape", offset=at - 1) from error
