"""What the builtin functions of expressions do with texts, JSON included. The table of all: builtins.py."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence

from server.template import gojson
from server.template.containers import Pair, Pairs
from server.template.errors import ExpressionError
from server.template.values import BUDGET, TOO_MUCH, to_go, to_index, type_name
from server.template.zones import Zone


def strings_of(value: object) -> list[str]:
    assert isinstance(value, (list, range))
    for item in value:
        if not isinstance(item, str):
            raise ExpressionError(f"expected an array of strings, found {type_name(item)}")
    return [str(item) for item in value]


def joined(arguments: Sequence[object]) -> object:
    separator = text_of(arguments[1]) if len(arguments) > 1 else ""
    if isinstance(arguments[0], (range, Pair, Pairs)):
        raise ExpressionError("expected an array of strings, found one of another type")
    items = strings_of(arguments[0])
    if sum(map(len, items)) + len(separator) * len(items) > BUDGET:
        raise ExpressionError(TOO_MUCH)
    return separator.join(items)


def text_of(value: object) -> str:
    assert isinstance(value, str)
    return value


def split(arguments: Sequence[object], *, keep: bool) -> object:
    text, separator = text_of(arguments[0]), text_of(arguments[1])
    limit = to_index(arguments[2]) if len(arguments) > 2 else -1
    if limit == 0:
        return gojson.NilArray()
    parts = list(text) if separator == "" else text.split(separator)
    if limit > 0 and len(parts) > limit:
        parts = [*parts[: limit - 1], separator.join(parts[limit - 1 :])]
    if keep and separator:
        parts = [part + separator for part in parts[:-1]] + parts[-1:]
    return parts


def replace(arguments: Sequence[object]) -> object:
    text, old, new = (text_of(value) for value in arguments[:3])
    count = to_index(arguments[3]) if len(arguments) > 3 else -1
    occurrences = text.count(old) if count < 0 else min(text.count(old), count)
    if len(text) + occurrences * max(len(new) - len(old), 0) > BUDGET:
        raise ExpressionError(TOO_MUCH)
    return text.replace(old, new, count)


def repeat(arguments: Sequence[object]) -> object:
    text, count = text_of(arguments[0]), to_index(arguments[1])
    if count < 0:
        raise ExpressionError(f"invalid argument for repeat (expected positive integer, got {count})")
    if len(text) * count > BUDGET:
        raise ExpressionError(TOO_MUCH)
    return text * count


def upper(text: str) -> str:
    """Return a text in capitals as Go does it: character by character, none becomes two."""
    return text.upper() if text.isascii() else "".join(_single(c.upper(), c) for c in text)


def lower(text: str) -> str:
    """Return a text in small letters, character by character."""
    return text.lower() if text.isascii() else "".join(_single(c.lower(), c.lower()[0]) for c in text)


def _single(changed: str, otherwise: str) -> str:
    return changed if len(changed) == 1 else otherwise


def trim(arguments: Sequence[object]) -> object:
    return text_of(arguments[0]).strip(text_of(arguments[1]) if len(arguments) > 1 else SPACES)


SPACES = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""What Go takes for white space."""


def index_of(text: str, part: str, *, last: bool) -> int:
    """Return where ``part`` is, in bytes as Go counts; -1 if nowhere."""
    found = text.rfind(part) if last else text.find(part)
    return found if found < 0 else len(text[:found].encode("utf-8", "replace"))


def to_json(arguments: Sequence[object]) -> object:
    try:
        return gojson.dumps(arguments[0], indent="  ")
    except gojson.JsonError as error:
        raise ExpressionError(str(error)) from error


def from_json(arguments: Sequence[object]) -> object:
    try:
        return gojson.loads(text_of(arguments[0]))
    except gojson.JsonError as error:
        raise ExpressionError(str(error)) from error


def from_base64(arguments: Sequence[object]) -> object:
    text = text_of(arguments[0]).replace("\r", "").replace("\n", "")
    if not _BASE64.fullmatch(text) or len(text) % 4:
        raise ExpressionError("illegal base64 data")
    return base64.b64decode(text).decode("utf-8", "replace")


_BASE64 = re.compile("[A-Za-z0-9+/]*={0,2}")


def parse_float(text: str) -> float:
    """Read a float as Go does, hexadecimal ones and infinities too.

    Raises:
        ExpressionError: none, or too large.
    """
    if _DECIMAL.fullmatch(text):
        value = float(text.replace("_", ""))
        if math.isfinite(value):
            return value
    elif _SPECIAL.fullmatch(text):
        return float(text)
    elif _HEXADECIMAL.fullmatch(text):
        try:
            return float.fromhex(text.replace("_", ""))
        except OverflowError as error:
            raise ExpressionError(f"invalid operation: float({text})") from error
    raise ExpressionError(f"invalid operation: float({text})")


_DECIMAL = re.compile(r"[+-]?(N\.?(N)?|\.N)([eE][+-]?N)?".replace("N", "[0-9]+(?:_[0-9]+)*"))
_SPECIAL = re.compile(r"[+-]?inf(inity)?|nan", re.IGNORECASE)
_HEXADECIMAL = re.compile(r"[+-]?0[xX](_?N\.?(?:N)?|\.N)[pP][+-]?[0-9]+".replace("N", "[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*"))


def go_text(value: object) -> str:
    """Return Go's ``%v`` of anything: an array in Go style, unlike in a rendered field.

    Raises:
        ExpressionError: of a time zone but UTC Go shows all its rules, and where they are in memory.
    """
    if isinstance(value, Zone):
        if value.name == "UTC" and not value.transitions:
            return "{UTC [] []  0 0 <nil>}"
        raise ExpressionError(f"string of the time zone {value.name} is none that stays the same: use String()")
    return to_go(value)
