"""Filters of component templates: ``x|default:"y"``. What each does to a value; texts of HTML: filters_html.py, links.py."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from urllib.parse import quote_plus

from server.config.payload import filters_html
from server.config.payload.budget import Budget
from server.config.payload.characters import to_bytes
from server.config.payload.errors import PayloadError
from server.config.payload.formats import sprintf
from server.config.payload.links import iriencode, urlize
from server.config.payload.numbers import fixed, remainder, wrap
from server.config.payload.values import (
    Byte,
    escape,
    floating,
    integer,
    is_number,
    length,
    text,
    truth,
)
from server.template.texts import lower, upper

Filter = Callable[[object, object, Budget], object]
"""Value, parameter (None if there is none), budget; returns the new value, raises PayloadError."""


def plain(work: Callable[[str], object]) -> Filter:
    """Return the filter that only needs the text of its value."""
    return lambda value, _parameter, _budget: work(text(value))


# ---- texts -----------------------------------------------------------------------------------------


def _cut(value: object, parameter: object, budget: Budget) -> object:
    return _replaced(text(value), text(parameter), "", budget)


def _replaced(whole: str, old: str, new: str, budget: Budget) -> str:
    budget.reserve(len(whole) + whole.count(old) * len(new))
    return whole.replace(old, new)


def _addslashes(whole: str) -> str:
    return whole.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'")


def _capfirst(value: object, _parameter: object, _budget: Budget) -> object:
    whole = text(value)
    return upper(whole[:1]) + whole[1:] if length(value) else ""


def _title(value: object, _parameter: object, _budget: Budget) -> object:
    if not isinstance(value, str):
        return ""
    shown: list[str] = []
    inside = False
    for character in lower(value):
        shown.append(character if inside else upper(character))
        inside = character.isalnum() or character == "_" or not (character.isascii() or character.isspace())
    return "".join(shown)


def _center(value: object, parameter: object, budget: Budget) -> object:
    spaces = integer(parameter) - length(value)
    if spaces <= 0:
        return value
    budget.reserve(spaces)
    return " " * (spaces - spaces // 2) + text(value) + " " * (spaces // 2)


def _ljust(value: object, parameter: object, budget: Budget) -> object:
    spaces = max(integer(parameter) - length(value), 0)
    budget.reserve(spaces)
    return text(value) + " " * spaces


def _rjust(value: object, parameter: object, budget: Budget) -> object:
    width = integer(parameter)
    budget.reserve(abs(width))
    return text(value).rjust(width) if width >= 0 else text(value).ljust(-width)


def _truncatechars(value: object, parameter: object, _budget: Budget) -> object:
    whole, count = text(value), integer(parameter)
    if count >= len(whole):
        return whole
    if count < 0:
        raise PayloadError(f"truncatechars: a negative number of characters {count}")
    return whole[: count - 3] + "..." if count >= 3 else whole[:count]


def _truncatewords(value: object, parameter: object, _budget: Budget) -> object:
    words, count = text(value).split(), integer(parameter)
    if count <= 0:
        return ""
    return " ".join(words[:count] + (["..."] if count < len(words) else []))


def _wordwrap(value: object, parameter: object, _budget: Budget) -> object:
    words, per_line = text(value).split(), integer(parameter)
    if per_line <= 0:
        return value
    count = len(words) // per_line + len(words) % per_line  # as the original counts lines
    if (count - 1) * per_line > len(words):
        hint = "the original fails here too: use a number that leaves at most one word over"
        raise PayloadError(f"wordwrap:{per_line} cannot wrap {len(words)} words", hint=hint)
    lines = (words[line * per_line : (line + 1) * per_line] for line in range(count))
    return "\n".join(" ".join(line) for line in lines)


def _linenumbers(whole: str) -> str:
    return "\n".join(f"{number}. {line}" for number, line in enumerate(whole.split("\n"), start=1))


_PHONE = str.maketrans("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999" * 2)


# ---- numbers ---------------------------------------------------------------------------------------


def _add(value: object, parameter: object, budget: Budget) -> object:
    if is_number(value) and is_number(parameter):
        if isinstance(value, float) or isinstance(parameter, float):
            return floating(value) + floating(parameter)
        return wrap(integer(value) + integer(parameter))
    left, right = text(value), text(parameter)
    budget.reserve(len(left) + len(right))
    return left + right


def _divisibleby(value: object, parameter: object, _budget: Budget) -> object:
    divisor = integer(parameter)
    return divisor != 0 and remainder(integer(value), divisor) == 0


def _floatformat(value: object, parameter: object, _budget: Budget) -> object:
    number = floating(value)
    decimals = -1 if parameter is None else integer(parameter)
    trimmed = decimals <= 0 or not is_number(parameter)
    decimals = abs(decimals)
    if trimmed and float(integer(number)) == number:
        return integer(value)
    if decimals > _MAX_DECIMALS:
        raise PayloadError(f"floatformat: {decimals} decimals, at most {_MAX_DECIMALS} are possible")
    return fixed(number, decimals)


_MAX_DECIMALS = 1000


def _get_digit(value: object, parameter: object, _budget: Budget) -> object:
    position, digits = integer(parameter), to_bytes(text(value))
    if not 0 < position <= len(digits):
        return value
    return Byte((digits[-position] - ord("0")) % 256)


def _pluralize(value: object, parameter: object, _budget: Budget) -> object:
    if not is_number(value):
        raise PayloadError(f"pluralize: {text(value)!r} is not a number", hint="first make it one: x|integer")
    if length(parameter) == 0:
        return "" if integer(value) == 1 else "s"
    endings = text(parameter).split(",")
    if len(endings) > 2:
        raise PayloadError("pluralize: more than two endings", hint='expected "plural" or "singular,plural"')
    if integer(value) == 1:
        return endings[0] if len(endings) == 2 else ""
    return endings[-1]


# ---- lists -----------------------------------------------------------------------------------------


def _element(value: object, index: int) -> object:
    return value[index] if isinstance(value, (str, list, tuple)) and value else ""


def _random(value: object, _parameter: object, _budget: Budget) -> object:
    return random.choice(value) if isinstance(value, (str, list, tuple)) and value else value


def _join(value: object, parameter: object, budget: Budget) -> object:
    if not isinstance(value, (str, list, tuple)):
        return value
    separator = text(parameter)
    budget.reserve(len(separator) * len(value))
    return separator.join(text(item) for item in value)


def _split(value: object, parameter: object, _budget: Budget) -> object:
    separator = text(parameter)
    return tuple(text(value).split(separator)) if separator else tuple(text(value))


def _slice(value: object, parameter: object, _budget: Budget) -> object:
    bounds = text(parameter).split(":")
    if len(bounds) != 2:
        raise PayloadError(f"slice: {text(parameter)!r} is no range", hint='expected "from:to", either may be left out')
    if not isinstance(value, (str, list, tuple)):
        return value
    count = len(value)
    first, last = integer(bounds[0]), integer(bounds[1])
    first = min(max(count + first, 0) if first < 0 else first, count)
    if not bounds[1].strip():
        last = count
    last = max(max(count + last, 0) if last < 0 else last, first)
    return value[first : last if last <= count else count]


# ---- anything --------------------------------------------------------------------------------------


def _yesno(value: object, parameter: object, _budget: Budget) -> object:
    choices = ["yes", "no", "maybe"]
    if custom := text(parameter):
        words = custom.split(",")
        if not 2 <= len(words) <= 3:
            raise PayloadError(f"yesno: {custom!r} has {len(words)} words", hint='expected "yes,no" or "yes,no,maybe"')
        choices[: len(words)] = words
    return choices[2] if value is None else choices[0] if truth(value) else choices[1]


def _no_date(_value: object, _parameter: object, _budget: Budget) -> object:
    raise PayloadError("a filter of dates: no value is a date", hint='use {% now "2006-01-02" %}')


def _stringformat(value: object, parameter: object, budget: Budget) -> object:
    return sprintf(text(parameter), value, budget)


FILTERS: Mapping[str, Filter] = {
    "add": _add,
    "addslashes": plain(_addslashes),
    "capfirst": _capfirst,
    "center": _center,
    "cut": _cut,
    "date": _no_date,
    "default": lambda value, parameter, _: value if truth(value) else parameter,
    "default_if_none": lambda value, parameter, _: parameter if value is None else value,
    "divisibleby": _divisibleby,
    "e": plain(escape),
    "escape": plain(escape),
    "escapejs": plain(filters_html.escapejs),
    "first": lambda value, _p, _b: _element(value, 0),
    "float": lambda value, _p, _b: floating(value),
    "floatformat": _floatformat,
    "get_digit": _get_digit,
    "integer": lambda value, _p, _b: integer(value),
    "iriencode": plain(iriencode),
    "join": _join,
    "last": lambda value, _p, _b: _element(value, -1),
    "length": lambda value, _p, _b: length(value),
    "length_is": lambda value, parameter, _: length(value) == integer(parameter),
    "linebreaks": lambda value, _p, _b: filters_html.linebreaks(text(value)) if length(value) else value,
    "linebreaksbr": plain(lambda whole: whole.replace("\n", "<br />")),
    "linenumbers": plain(_linenumbers),
    "ljust": _ljust,
    "lower": plain(lower),
    "make_list": plain(lambda whole: tuple(whole)),
    "phone2numeric": plain(lambda whole: whole.translate(_PHONE)),
    "pluralize": _pluralize,
    "random": _random,
    "removetags": lambda value, parameter, _: filters_html.removetags(text(value), text(parameter)),
    "rjust": _rjust,
    "safe": lambda value, _p, _b: value,
    "slice": _slice,
    "split": _split,
    "stringformat": _stringformat,
    "striptags": plain(filters_html.striptags),
    "time": _no_date,
    "title": _title,
    "truncatechars": _truncatechars,
    "truncatechars_html": lambda value, p, _: filters_html.truncate_characters(text(value), integer(p)),
    "truncatewords": _truncatewords,
    "truncatewords_html": lambda value, p, _: filters_html.truncate_words(text(value), integer(p)),
    "upper": plain(upper),
    "urlencode": plain(lambda whole: quote_plus(to_bytes(whole))),
    "urlize": lambda value, p, b: urlize(text(value), b, escapes=not isinstance(p, bool) or p),
    "urlizetrunc": lambda value, p, b: urlize(text(value), b, longest=integer(p)),
    "wordcount": plain(lambda whole: len(whole.split())),
    "wordwrap": _wordwrap,
    "yesno": _yesno,
}
