"""Words of an expression: numbers, strings, names, operators, with their places. What they mean together: syntax.py."""

from __future__ import annotations

import math
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


_SPACES = "[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+"
"""What Go takes for white space; Python takes four control characters more."""
_SKIP = re.compile(rf"(?:{_SPACES}|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"[\w$]+")
_NUMBER = re.compile(
    r"(?:0[xX][0-9a-fA-F_]*(?:\.(?!\.)[0-9a-fA-F_]*)?|0[oO][0-7_]*|0[bB][01_]*|[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?"
    r"|\.[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?)(?:[eE][+-]?[0-9_]*)?"
)
_OPERATOR = re.compile(r"\?\.|\?\?|\?|\.\.|\.|::|:|\|\||[&!=*<>][&=*]?|##?|[-+/%^|,;()\[\]{}]")
_KNOWN = frozenset("?. ?? ? .. . :: : && | || ** == != <= >= - + * / % ^ ! < > = # , ; ( ) [ ] { }".split())


def _next(text: str, at: int) -> tuple[Token, int]:
    character = text[at]
    if character in "'\"":
        return _string(text, at)
    if character == "`":
        return _raw_string(text, at)
    if character in _DIGITS or (character == "." and text[at + 1 : at + 2] in _DIGITS and at + 1 < len(text)):
        return _number(text, at)
    end = _end_of_word(text, at)
    if end > at:
        word = text[at:end]
        # What stands right behind a # is a name, whatever it is.
        is_operator = word in WORDS and text[at - 1 : at] != "#"
        return Token(TokenKind.OPERATOR if is_operator else TokenKind.NAME, word, at), end
    match = _OPERATOR.match(text, at)
    if match is None:
        raise ExpressionError(f"unrecognized character {character!r}", offset=at)
    if match[0] not in _KNOWN:
        raise ExpressionError(f"no operator {match[0]!r}", offset=at)
    return Token(TokenKind.OPERATOR, match[0], at), match.end()


_DIGITS = "0123456789"


def _end_of_word(text: str, at: int) -> int:
    """Return where a word that begins here ends: letters, digits, ``_`` and ``$``, as Go knows letters and digits."""
    match = _WORD.match(text, at)
    if match is None:
        return at
    if match[0].isascii():
        return match.end()
    for number, character in enumerate(match[0]):
        if not (character.isalpha() or character.isdecimal() or character in "_$"):
            return at + number
    return match.end()


def _number(text: str, at: int) -> tuple[Token, int]:
    match = _NUMBER.match(text, at)
    end = match.end() if match else at
    if match is None or (_end_of_word(text, end) > end):
        raise ExpressionError("bad number syntax", offset=at)
    digits = match[0].replace("_", "").lower()
    try:
        if digits.startswith("0x") or (digits[:2] in ("0o", "0b") and not set(digits) & set(".e")):
            value: int | float = int(digits, 0)
        elif set(digits) & set(".e"):
            value = float(digits)
        else:
            value = int(digits)
    except ValueError as error:
        raise ExpressionError(f"bad number syntax: {match[0]}", offset=at) from error
    if value >= 1 << 63 and isinstance(value, int):
        raise ExpressionError(f"integer literal is too large: {match[0]}", offset=at)
    if value == math.inf:
        raise ExpressionError(f"float literal is too large: {match[0]}", offset=at)
    return Token(TokenKind.NUMBER, match[0], at, value), end


def _raw_string(text: str, at: int) -> tuple[Token, int]:
    """Read a string in back quotes, in which only two of them in a row mean something: one of them."""
    end = at + 1
    while True:
        end = text.find("`", end)
        if end < 0:
            raise ExpressionError("literal not terminated", offset=at)
        if text[end + 1 : end + 2] != "`":
            return Token(TokenKind.STRING, text[at + 1 : end].replace("``", "`"), at), end + 1
        end += 2


_PLAIN = re.compile(r"[^'\"\\\n\r]+")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_CODE = re.compile(r"u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})")
_OCTAL = re.compile(r"[0-3][0-7]{2}")


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
            part, here = _escape(text, here + 1, quote)
        elif character == "\r":  # the end of a line on a Mac of old
            part, here = "\n", here + 1
        else:
            part, here = character, here + 1
        parts.append(part)


def _escape(text: str, at: int, quote: str) -> tuple[str, int]:
    """Return the character behind a backslash, and where the text goes on."""
    character = text[at : at + 1]
    if character in _ESCAPES:
        return _ESCAPES[character], at + 1
    if character == quote:
        return quote, at + 1
    octal, hexadecimal = _OCTAL.match(text, at), _CODE.match(text, at)
    match = octal or hexadecimal
    code = int(octal[0], 8) if octal else int(next(filter(None, hexadecimal.groups())), 16) if hexadecimal else -1
    if match is None or code > 0x10FFFF:
        raise ExpressionError("invalid character escape", offset=at - 1)
    # Half a surrogate pair is no character.
    return ("�" if 0xD800 <= code < 0xE000 else chr(code)), match.end()
