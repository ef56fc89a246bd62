"""Reads the settings file, and says where it is wrong. Which settings there are: settings.py."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from console.settings import Settings


def read(file: Path) -> tuple[Settings, str]:
    """Return the settings of a file, or the defaults and what is wrong, with file and line."""
    try:
        text = file.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        return Settings(), f"{file}: {error}; using defaults"
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        return Settings(), f"{file}:{line[1] if line else '?'}: {error}; using defaults"
    unknown = [key for key in table if key not in Settings.__dataclass_fields__]
    if unknown:
        known = ", ".join(Settings.__dataclass_fields__)
        return (
            Settings(),
            f"{file}:{_line_of(text, unknown[0])}: no setting {unknown[0]!r} (there are {known}); using defaults",
        )
    try:
        return msgspec.convert(table, Settings), ""
    except msgspec.ValidationError as error:
        key = re.search(r"`\$\.(\w+)", str(error))
        return Settings(), f"{file}:{_line_of(text, key[1] if key else '')}: {error}; using defaults"


def _line_of(text: str, key: str) -> int:
    lines = text.splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.strip().startswith(key)), 1)
