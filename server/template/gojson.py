"""JSON as Go's encoding/json reads and writes it, down to the words of its errors: both reach users as variables.

Numbers read are floats; text written is compact, with sorted keys and ``<``, ``>``, ``&`` escaped.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple


class JsonError(ValueError):
    """Text that is not JSON, or a value that JSON cannot say; the message is Go's.

    Attributes:
        partial: what was read all the same, with nil where a number is too large.
    """

    partial: object = None


class NilArray(list[object]):
    """An empty array that Go made without making one: JSON says null."""


MAX_LENGTH = 2_000_000
"""Characters that are written: a value may hold the same long text many times."""
MAX_DEPTH = 200
"""Nesting of arrays and objects that is read."""


def loads(text: str) -> object:
    """Return None, bool, float, str, list or dict.

    Raises:
        JsonError: with the words of Go.
    """
    reader = _Reader(text)
    value = reader.whole()
    if reader.too_large:
        error = JsonError(f"json: cannot unmarshal number {reader.too_large} into Go value of type float64")
        error.partial = value
        raise error
    return value


def string_list(text: str) -> list[str]:
    """Return a JSON array of strings; ``null`` is an empty one and a null element an empty string.

    Raises:
        JsonError: anything else.
    """
    value = _Reader(text, too_large=math.inf).whole()
    if value is None:
        return []
    if not isinstance(value, list):
        raise JsonError(f"json: cannot unmarshal {_kind(value)} into Go value of type []string")
    for item in value:
        if item is not None and not isinstance(item, str):
            raise JsonError(f"json: cannot unmarshal {_kind(item)} into Go value of type string")
    return ["" if item is None else item for item in value]


def dumps(value: object, *, escape_html: bool = True, indent: str = "") -> str:
    """Return JSON, compact unless there is an indent.

    Raises:
        JsonError: not a number, infinite, or no JSON value at all.
    """
    parts: list[str] = []
    _write(value, parts, _Style(escape_html, indent), [MAX_LENGTH], 0)
    return "".join(parts)


class _Style(NamedTuple):
    escape_html: bool
    indent: str

    def line(self, depth: int) -> str:
        return "\n" + self.indent * depth if self.indent else ""


def format_float(value: float) -> str:
    """Return a float as encoding/json does: plain between 1e-6 and 1e21, else with the shortest exponent."""
    if math.isnan(value) or math.isinf(value):
        raise JsonError(f"json: unsupported value: {'NaN' if math.isnan(value) else '+Inf' if value > 0 else '-Inf'}")
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    if 1e-6 <= abs(value) < 1e21:
        plain = format(Decimal(repr(value)), "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    mantissa, _, exponent = repr(value).partition("e")
    power = int(exponent)
    return f"{mantissa.removesuffix('.0')}e{'+' if power >= 0 else '-'}{abs(power):d}"


def to_integer(text: str) -> int | None:
    """Return what Go's Atoi reads, None if it is no integer of 64 bits."""
    if not _INTEGER.fullmatch(text):
        return None
    digits = text.lstrip("+-").lstrip("0")
    if len(digits) > _MAX_DIGITS:
        return None
    value = int(f"{'-' if text.startswith('-') else ''}{digits or '0'}")
    return value if -(1 << 63) <= value < 1 << 63 else None


def nearest_integer(text: str) -> int:
    """Return what Go's Atoi gives beside its error: the last integer before too large a one, 0 for none at all."""
    if not _INTEGER.fullmatch(text):
        return 0
    return -(1 << 63) if text.startswith("-") else (1 << 63) - 1


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _quote(text: str, escape_html: bool) -> str:
    quoted = json.dumps(text, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    if escape_html:
        quoted = quoted.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return quoted


def _write(value: object, parts: list[str], style: _Style, room: list[int], depth: int) -> None:
    room[0] -= len(value) if isinstance(value, str) else 4 + len(style.indent) * depth
    if room[0] < 0:
        raise JsonError(f"json: more than {MAX_LENGTH} characters")
    if value is None or isinstance(value, NilArray):
        parts.append("null")
    elif value is True or value is False:
        parts.append("true" if value else "false")
    elif isinstance(value, str):
        parts.append(_quote(value, style.escape_html))
    elif isinstance(value, int):
        parts.append(str(value))
    elif isinstance(value, float):
        parts.append(format_float(value))
    elif (form := getattr(value, "json_form", None)) is not None:
        try:
            _write(form(), parts, style, room, depth)
        except ValueError as error:
            raise JsonError(f"json: {error}") from error
    elif isinstance(value, Mapping):
        parts.append("{")
        for number, key in enumerate(sorted(value)):
            parts.append(("," if number else "") + style.line(depth + 1) + _quote(str(key), style.escape_html))
            parts.append(": " if style.indent else ":")
            _write(value[key], parts, style, room, depth + 1)
        parts.append((style.line(depth) if value else "") + "}")
    elif isinstance(value, Sequence):
        parts.append("[")
        for number, item in enumerate(value):
            parts.append(("," if number else "") + style.line(depth + 1))
            _write(item, parts, style, room, depth + 1)
        parts.append((style.line(depth) if value else "") + "]")
    else:
        raise JsonError("json: unsupported type: func")


_MAX_DIGITS = 19
"""Of a number of 64 bits."""
_INTEGER = re.compile(r"[+-]?[0-9]+")
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_SIMPLE = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


_NO_SPACE = ("in literal", "in numeric literal", "after decimal point", "in exponent", "in string escape", "in \\u")
"""Where white space may not stand, hence the end is told as an unexpected space."""


def _shown(character: str) -> str:
    """Return the first byte of a character as Go quotes it."""
    byte = chr(character.encode("utf-8", "replace")[0])
    if byte in "'\"\\":
        return {"'": r"'\''", '"': "'\"'", "\\": r"'\\'"}[byte]
    if byte in _SHOWN:
        return f"'{_SHOWN[byte]}'"
    return f"'{byte}'" if byte.isprintable() else f"'\\x{ord(byte):02x}'" if byte < "\x80" else f"'\\u{ord(byte):04x}'"


_SHOWN = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}


class _Reader:
    def __init__(self, text: str, *, too_large: float | None = None) -> None:
        self.text = text
        self.at = 0
        self.substitute = too_large
        """Stands for numbers that are too large."""
        self.too_large = ""
        """The first of them."""

    def whole(self) -> object:
        value = self.value(0)
        self.skip()
        if self.at < len(self.text):
            raise self.invalid("after top-level value")
        return value

    def skip(self) -> str:
        """Pass white space; return the next character, "" at the end."""
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def invalid(self, context: str) -> JsonError:
        character = self.text[self.at : self.at + 1]
        if not character and not context.startswith(_NO_SPACE):
            return JsonError("unexpected end of JSON input")
        return JsonError(f"invalid character {_shown(character or ' ')} {context}")

    def value(self, depth: int) -> object:
        if depth > MAX_DEPTH:
            raise JsonError("exceeded max depth")
        character = self.skip()
        if character == '"':
            return self.string()
        if character == "[":
            return self.array(depth)
        if character == "{":
            return self.object(depth)
        for literal, meaning in (("true", True), ("false", False), ("null", None)):
            if character == literal[0]:
                return self.literal(literal, meaning)
        if character == "-" or character.isdigit():
            return self.number()
        raise self.invalid("looking for beginning of value")

    def literal(self, literal: str, meaning: object) -> object:
        for number, expected in enumerate(literal):
            if self.text[self.at : self.at + 1] != expected:
                raise self.invalid(f"in literal {literal} (expecting '{literal[number]}')")
            self.at += 1
        return meaning

    def number(self) -> float | None:
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            self.at += 1
            raise self.invalid("in numeric literal")
        self.at = match.end()
        if self.text[self.at : self.at + 1] == ".":
            self.at += 1
            raise self.invalid("after decimal point in numeric literal")
        if self.text[self.at : self.at + 1] in ("e", "E"):
            self.at += 2 if self.text[self.at + 1 : self.at + 2] in ("+", "-") else 1
            raise self.invalid("in exponent of numeric literal")
        value = float(match[0])
        if math.isinf(value):
            self.too_large = self.too_large or match[0]
            return self.substitute
        return value

    def string(self) -> str:
        parts: list[str] = []
        self.at += 1
        while True:
            match = _PLAIN.match(self.text, self.at)
            if match:
                parts.append(match[0])
                self.at = match.end()
            character = self.text[self.at : self.at + 1]
            if character == '"':
                self.at += 1
                # Halves of a surrogate pair come as two escapes; a lone one becomes the replacement character.
                return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if character != "\\":
                raise self.invalid("in string literal")
            self.at += 1
            parts.append(self.escape())

    def escape(self) -> str:
        character = self.text[self.at : self.at + 1]
        if character in _SIMPLE and character:
            self.at += 1
            return _SIMPLE[character]
        if character != "u":
            raise self.invalid("in string escape code")
        self.at += 1
        for _ in range(4):
            if self.text[self.at : self.at + 1] not in "0123456789abcdefABCDEF" or self.at >= len(self.text):
                raise self.invalid("in \\u hexadecimal character escape")
            self.at += 1
        return chr(int(self.text[self.at - 4 : self.at], 16))

    def array(self, depth: int) -> list[object]:
        self.at += 1
        items: list[object] = []
        if self.skip() == "]":
            self.at += 1
            return items
        while True:
            items.append(self.value(depth + 1))
            character = self.skip()
            if character not in (",", "]"):
                raise self.invalid("after array element")
            self.at += 1
            if character == "]":
                return items

    def object(self, depth: int) -> dict[str, object]:
        self.at += 1
        items: dict[str, object] = {}
        if self.skip() == "}":
            self.at += 1
            return items
        while True:
            if self.skip() != '"':
                raise self.invalid("looking for beginning of object key string")
            key = self.string()
            if self.skip() != ":":
                raise self.invalid("after object key")
            self.at += 1
            items[key] = self.value(depth + 1)
            character = self.skip()
            if character not in (",", "}"):
                raise self.invalid("after object key:value pair")
            self.at += 1
            if character == "}":
                return items
