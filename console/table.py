"""Output of data: aligned columns for people, JSON for programs, ids for shells. Only data goes here, never messages."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from console.present import LOOKS, look, moment, span

Row = dict[str, Any]

_UNIT = re.compile("_(ms|s)$")


def render_table(columns: Sequence[str], rows: Sequence[Row], *, colour: bool = False) -> str:
    """Return rows as aligned columns; the key of a column is its name with ``_`` for blanks."""
    keys = [column.replace(" ", "_") for column in columns]
    cells = [[clean(row.get(key, "")) for key in keys] for row in rows]
    numeric = [
        bool(cells)
        and all(line[at].replace(".", "").replace("-", "").isdigit() or line[at] in ("-", "") for line in cells)
        for at in range(len(keys))
    ]
    widths = [max(len(column), *(len(line[at]) for line in cells), 0) for at, column in enumerate(columns)]
    lines = [_line([column.upper() for column in columns], widths, numeric)]
    for line in cells:
        shown = _line(line, widths, numeric)
        lines.append(_coloured(shown, line[keys.index("state")]) if colour and "state" in keys else shown)
    return "\n".join(lines) + "\n"


def render_facts(row: Row, *, colour: bool = False) -> str:
    """Return one thing as ``key: value`` lines."""
    width = max((len(_UNIT.sub("", key)) for key in row), default=0) + 1
    lines = []
    for key, value in row.items():
        text = shown(key, value)
        label = _UNIT.sub("", key).replace("_", " ") + ":"
        line = f"{label:{width}} {text}".rstrip()
        lines.append(_coloured(line, text) if colour and key == "state" else line)
    return "\n".join(lines) + "\n"


def render_json(value: Any) -> str:
    """Return the value as indented JSON."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False) + "\n"


def render_line(value: Any) -> str:
    """Return the value as one line of JSON."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":")) + "\n"


def shown(key: str, value: Any) -> str:
    """Return a cell; keys that end in ``_ms`` are points in time, in ``_s`` durations."""
    if key.endswith("_ms"):
        return moment(value) if value else "-"
    return span(value) if key.endswith("_s") else clean(value)


def clean(value: Any) -> str:
    """Return a cell: no control characters, so that foreign text cannot drive the terminal."""
    if value is None or value == "" or value == ():
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)


def has_colour(stream: TextIO, *, no_color: bool) -> bool:
    """Say whether colours may be written there.

    Args:
        no_color: the setting, which also knows of NO_COLOR.
    """
    return stream.isatty() and not no_color


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    parts = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    )
    return "  ".join(parts).rstrip()


def _coloured(line: str, state: str) -> str:
    if state not in LOOKS:
        return line
    at = line.find(state)
    return f"{line[:at]}\x1b[{look(state).sgr}m{state}\x1b[0m{line[at + len(state) :]}"


def _plain(value: Any) -> Any:
    """Return the value in lists and dicts; things become objects with their fields as keys."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(one) for key, one in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
