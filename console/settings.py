"""Settings of the console: defaults, then ~/.config/aliecs/settings.toml, then the environment, then options of the command line.

A broken file or variable is named with its line, and the console starts all the same, on the defaults.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from typing import Any

PREFIX = "ALIECS_CONSOLE_"
PLAIN_THEME = "mono"
"""The theme of who wants no colour."""

_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


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
    stale_s: float = 5.0
    """A picture that is older is stale: nothing is changed on what it shows."""
    arm_s: float = 900.0
    """Once armed, the console observes again after so long without an act."""
    editing: str = "emacs"
    """How lines are edited at the prompt: emacs or vi."""
    notify: str = "error"
    """Which events the prompt tells unasked: error, all or none."""
    theme: str = "dark"
    """Name of a file in ``~/.config/aliecs/themes/`` or of a shipped theme."""
    ascii: bool = False
    """Only ASCII characters in what the console draws."""
    reduced_motion: bool = False
    """Nothing turns, slides or blinks."""
    read_only: bool = False
    """Nothing can be changed from this console, whatever is armed or confirmed."""
    no_color: bool = False
    """No colour in tables; in the screen the theme mono, if no other is asked for."""
    recordings: str = ""
    """Folder of recordings; "" is ``~/.local/share/aliecs/recordings``."""
    keys: str = ""
    """File of keys; "" is ``~/.config/aliecs/keys.toml``."""

    @property
    def is_colourless(self) -> bool:
        """The screen shall send no colour at all, not even grey."""
        return self.no_color and self.theme == PLAIN_THEME


def load(path: str = "") -> tuple[Settings, str]:
    """Return the settings and, in words, what is wrong with the file or a variable ("" if nothing is).

    Args:
        path: named by the user; must exist then.
    """
    named = path or os.environ.get(PREFIX + "CONFIG", "")
    file = os.path.expanduser(named) if named else config_path("settings.toml")
    settings, problems = Settings(), []
    if os.path.isfile(file):
        from pathlib import Path

        from console.settings_file import read  # msgspec takes longer to import than most verbs take to run

        said, problem = read(Path(file))
        settings = overlaid(settings, **said)
        problems = [problem] if problem else []
    elif named:
        problems = [f"{named}: no such file"]
    said, wrong = _environment()
    return overlaid(settings, **said), "\n".join(problems + wrong)


def overlaid(settings: Settings, **said: Any) -> Settings:
    """Return settings with what a nearer source says; who says that there be no colour gets the theme without."""
    if said.get("no_color") and "theme" not in said:
        said["theme"] = PLAIN_THEME
    return replace(settings, **said)


def config_path(name: str) -> str:
    """Return where a file of the user's configuration is, or would be."""
    return os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "aliecs", name)


def recordings_folder(settings: Settings) -> str:
    """Return the folder of recordings, which need not exist."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return os.path.expanduser(settings.recordings) or os.path.join(data, "aliecs", "recordings")


def _environment() -> tuple[dict[str, Any], list[str]]:
    """Return what ALIECS_CONSOLE_*, NO_COLOR and TERM say, and what is wrong with them."""
    said: dict[str, Any] = {}
    wrong = []
    if os.environ.get("NO_COLOR"):
        said |= {"no_color": True}
    if os.environ.get("TERM") == "dumb":
        said |= {"no_color": True, "ascii": True, "reduced_motion": True}
    for field in fields(Settings):
        text = os.environ.get(PREFIX + field.name.upper(), "")
        if text:
            try:
                said[field.name] = _value(text, field.default)
            except ValueError as error:
                wrong.append(f"{PREFIX}{field.name.upper()}: expected {error}, found {text!r}; passed over")
    return said, wrong


def _value(text: str, default: object) -> object:
    if isinstance(default, bool):
        if text.lower() not in _YES + _NO:
            raise ValueError("yes or no")
        return text.lower() in _YES
    if isinstance(default, float):
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 < value < float("inf"):
            raise ValueError("seconds above 0")
        return value
    return text
