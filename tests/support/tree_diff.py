"""Differences between two trees of roles, as people read them: which role, which field, what was expected, what was found."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MAX_SHOWN = 40
"""Differences in one message."""
AROUND = 60
"""Characters of a long text that are shown on both sides of where it begins to differ."""
NOTHING = object()


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """Return a paragraph for each difference, "" if the trees are equal."""
    paragraphs = list(_roles(found, expected, _path(expected)))
    if len(paragraphs) > MAX_SHOWN:
        paragraphs = [*paragraphs[:MAX_SHOWN], f"… and {len(paragraphs) - MAX_SHOWN} more"]
    return "\n".join(paragraphs)


def _roles(found: Mapping[str, Any], expected: Mapping[str, Any], path: str) -> Iterator[str]:
    for key in sorted(found.keys() | expected.keys() - {"roles"}):
        if key != "roles":
            yield from _values(found.get(key, NOTHING), expected.get(key, NOTHING), path, key)
    yield from _children(found.get("roles", []), expected.get("roles", []), path)


def _children(found: Sequence[Any], expected: Sequence[Any], path: str) -> Iterator[str]:
    """Pair children by their names, so that one too many does not make all that follow differ."""
    matcher = difflib.SequenceMatcher(
        None, [str(one["name"]) for one in found], [str(one["name"]) for one in expected], autojunk=False
    )
    for what, i1, i2, j1, j2 in matcher.get_opcodes():
        if (what == "replace" and i2 - i1 == j2 - j1) or what == "equal":
            for one, other in zip(found[i1:i2], expected[j1:j2], strict=True):
                yield from _roles(one, other, _path(other) or path)
            continue
        for other in expected[j1:j2]:
            yield f"{_path(other)}\n  role is missing: {other['kind']}, {_size(other)}"
        for one in found[i1:i2]:
            yield f"{_path(one)}\n  role is there, but was not expected: {one['kind']}, {_size(one)}"


def _values(found: Any, expected: Any, path: str, field: str) -> Iterator[str]:
    if found == expected:
        return
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        for key in sorted(found.keys() | expected.keys()):
            yield from _values(found.get(key, NOTHING), expected.get(key, NOTHING), path, f"{field}.{key}")
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            yield from _values(one, other, path, f"{field}[{index}]")
    else:
        start = _first_difference(found, expected)
        yield f"{path}: {field}\n  expected {_shown(expected, start)}\n  found    {_shown(found, start)}"


def _first_difference(found: Any, expected: Any) -> int:
    if not (isinstance(found, str) and isinstance(expected, str)):
        return 0
    pairs = zip(found, expected, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(found), len(expected)))


def _shown(value: Any, start: int) -> str:
    if value is NOTHING:
        return "nothing"
    if not isinstance(value, str):
        text = json.dumps(value)
        return text if len(text) <= 4 * AROUND else text[: 4 * AROUND] + "…"
    if len(value) <= 2 * AROUND:
        return json.dumps(value, ensure_ascii=False)
    first, last = max(start - AROUND, 0), start + AROUND
    cut = json.dumps(value[first:last], ensure_ascii=False)
    return f"{'…' if first else ''}{cut}{'…' if last < len(value) else ''} (differs from character {start + 1} on)"


def _path(role: Mapping[str, Any]) -> str:
    return str(role.get("path") or role.get("name", ""))


def _size(role: Mapping[str, Any]) -> str:
    below = sum(1 for _ in _below(role))
    return f"{below} role{'' if below == 1 else 's'} below it"


def _below(role: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for child in role.get("roles", []):
        yield child
        yield from _below(child)
