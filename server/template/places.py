"""Where something is in a YAML text that the reader has unquoted, unescaped and folded: from an offset in a scalar's value
to the line and column that an editor shows. Used for errors only, so it looks at the text anew each time.
"""

from __future__ import annotations

import re

_PROPERTIES = re.compile(r"(?:[!&][^\s,\[\]{}]*[ \t\n]+)*")
"""Tag and anchor, which stand before the scalar that they belong to."""
_HEADER = re.compile(r"[|>][^\n]*\n")
"""First line of a block scalar."""
_ESCAPE_LENGTH = {"x": 4, "u": 6, "U": 10}


def locate(source: str, line: int, column: int, value: str, offset: int) -> tuple[int, int]:
    """Return line and column (from 1) of a character of a scalar.

    Args:
        source: the whole file.
        line, column: where the scalar begins, with its tag.
        value: the scalar as it was read.
        offset: in the value, from 0.

    What cannot be found is where the scalar begins.
    """
    start = _index(source, line, column)
    if start is None or not 0 <= offset <= len(value):
        return line, column
    match = _PROPERTIES.match(source, start)
    at = match.end() if match else start
    style = source[at : at + 1]
    if style in "|>" and (header := _HEADER.match(source, at)):
        at = header.end()
    elif style and style in "\"'":
        at += 1
    found = _walk(source, at, style, value, offset)
    if found is None:
        return line, column
    before = source[:found]
    return before.count("\n") + 1, found - (before.rfind("\n") + 1) + 1


def _index(source: str, line: int, column: int) -> int | None:
    at = 0
    for _ in range(line - 1):
        at = source.find("\n", at) + 1
        if at == 0:
            return None
    return at + column - 1 if line > 0 and at + column - 1 <= len(source) else None


def _walk(source: str, at: int, style: str, value: str, offset: int) -> int | None:
    """Go through value and source side by side; runs of blanks stand for each other, as folding leaves them."""
    index = 0
    at = _blanks(source, at) if value[:1].strip() else at
    while index < offset:
        if at >= len(source):
            return None
        if style == '"' and source[at] == "\\" and source[at + 1 : at + 2] != "\n":
            at += _ESCAPE_LENGTH.get(source[at + 1 : at + 2], 2)
            index += 1
        elif value[index].isspace() or (style == '"' and source[at] == "\\"):
            while index < len(value) and value[index].isspace():
                index += 1
            at = _blanks(source, at + (source[at] == "\\"))
        elif value[index] == source[at]:
            at += 2 if style == "'" and source[at] == "'" else 1
            index += 1
        elif source[at].isspace():  # a line break that folding took away
            at = _blanks(source, at)
        else:
            return None
    return at - (index - offset) if index > offset else at


def _blanks(source: str, at: int) -> int:
    while at < len(source) and source[at].isspace():
        at += 1
    return at
