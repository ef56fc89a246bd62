"""What is typed after ``/``: which rows of a list stay. Plain text in, a predicate over named texts out; no widgets.

Terms are separated by blanks and all must hold: ``word`` is part of any text, ``key=a,b`` is one of them, ``key~part``
is part of that text; a leading ``!`` turns a term round. Letter case does not matter. A key may be shortened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Fields = Mapping[str, str]
"""The texts of one row, by name."""
Predicate = Callable[[Fields], bool]

_TERM = re.compile(r"(?P<key>[A-Za-z_]\w*)(?P<sign>[=~])(?P<value>.*)", re.DOTALL)


def parse(text: str) -> Predicate:
    """Return what the text asks for; everything for an empty one. Any text is a filter: nothing is an error."""
    terms = [_term(word.casefold()) for word in text.split()]
    return lambda fields: all(term(fields) for term in terms)


def _term(word: str) -> Predicate:
    if word.startswith("!") and len(word) > 1:
        positive = _term(word[1:])
        return lambda fields: not positive(fields)
    match = _TERM.fullmatch(word)
    if match is None:
        return lambda fields: any(word in value.casefold() for value in fields.values())
    key, value = match["key"], match["value"]
    if match["sign"] == "~":
        return lambda fields: any(value in it.casefold() for it in _values(fields, key))
    wanted = {part for part in value.split(",") if part}
    # "state=err" is what people type for ERROR; the whole word is meant where it is one of the values
    return lambda fields: (
        not wanted
        or any(
            it.casefold() in wanted or any(it.casefold().startswith(part) for part in wanted)
            for it in _values(fields, key)
        )
    )


def _values(fields: Fields, key: str) -> list[str]:
    """Return the texts whose name is the key, else those whose name begins with it."""
    if key in fields:
        return [fields[key]]
    return [value for name, value in fields.items() if name.startswith(key)]
