"""Settings of the console: defaults, then ~/.config/aliecs/settings.toml, then ALIECS_CONSOLE_* variables.

A broken file is named with its line, and the console starts all the same, on the defaults.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

PREFIX = "ALIECS_CONSOLE_"
FILE = os.path.join("aliecs", "settings.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the console can be told once and for all."""

    endpoint: str = "127.0.0.1:32102"
    output: str = ""
    """table, json, ndjson or id; "" is table, in scripts one line per step."""
    connect_s: float = 5.0
    read_s: float = 30.0
    control_s: float = 330.0
    """One transition; the services of production templates may take 310 s in it."""
    create_s: float = 900.0
    wait_s: float = 600.0
    """For ``wait`` without ``--timeout``."""
    settle_s: float = 5.0
    """For the live picture to show what a reply already said."""
    ascii: bool = False
    """Only ASCII characters on the screen."""
    theme: str = "dark"
    """Name of a file in ``~/.config/aliecs/themes/`` or of a shipped theme."""


def load(path: str = "") -> tuple[Settings, str]:
    """Return the settings and, in words, what is wrong with the file or a variable ("" if nothing is).

    Args:
        path: named by the user; must exist then.
    """
    named = path or os.environ.get(PREFIX + "CONFIG", "")
    file = os.path.expanduser(named or os.path.join(os.environ.get("XDG_CONFIG_HOME") or "~/.config", FILE))
    settings, problem = Settings(), ""
    if os.path.isfile(file):
        from pathlib import Path

        from console.settings_file import read  # msgspec takes longer to import than most verbs take to run

        settings, problem = read(Path(file))
    elif named:
        problem = f"{named}: no such file"
    said = {name: os.environ.get(PREFIX + name.upper()) for name in ("endpoint", "output", "theme")}
    return replace(
        settings,
        endpoint=said["endpoint"] or settings.endpoint,
        output=said["output"] or settings.output,
        theme=said["theme"] or settings.theme,
    ), problem
