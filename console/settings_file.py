"""Reads the settings file, and says where it is wrong. Which settings there are: settings.py."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from console.settings import Settings


def read(file: Path) -> tuple[dict[str, Any], str]:
    """Return what a file says, or nothing and what is wrong, with file and line."""
    try:
        text = file.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        return {}, f"{file}: {error}; using defaults"
    except tomllib.TOMLDecodeError as error:
        return {}, f"{file}:{line_of_error(error, text)}: {error}; using defaults"
    for key in table:
        if key not in Settings.__dataclass_fields__:
            near = difflib.get_close_matches(key, Settings.__dataclass_fields__, 1)
            known = f"did you mean {near[0]}?" if near else f"there are {', '.join(Settings.__dataclass_fields__)}"
            return {}, f"{file}:{line_of(text, key)}: no setting {key!r} ({known}); using defaults"
    try:
        settings = msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        at = re.search(r"`\$\.(\w+)", str(error))
        return {}, f"{file}:{line_of(text, at[1] if at else '')}: {error}; using defaults"
    for key in table:
        value = getattr(settings, key)
        if isinstance(value, float) and not 0 < value < float("inf"):
            what = f"{key}: expected seconds above 0, found {value}"
            return {}, f"{file}:{line_of(text, key)}: {what}; using defaults"
    return {key: getattr(settings, key) for key in table}, ""


def line_of_error(error: tomllib.TOMLDecodeError, text: str) -> int:
    """Return the line that a TOML error is about."""
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else len(text.splitlines()) or 1


def line_of(text: str, key: str) -> int:
    """Return the line in which a key of a TOML text is set, 1 if it is nowhere."""
    starts = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[=.]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if starts.match(line)), 1)
