"""Themes: what a theme file must say, where the files are, and the theme that is used when one is broken.

Nothing here needs a screen. YAML and places: theme_file.py; styles for painting: tui/looks.py; reload: theme_watch.py.
"""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from console import theme_file
from console.present import LOOKS
from console.theme_file import Document, Key
from occ.errors import ConfigError

DEFAULT = "dark"

STATES = (*LOOKS, "CRITICAL_ERROR")
"""What every theme must give a look."""

ANSI = ("ansi_default", *(f"ansi_{bright}{name}" for bright in ("", "bright_") for name in (
    "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")))  # fmt: skip
"""Colours that the terminal chooses."""

_HEX = re.compile(r"#[0-9a-fA-F]{3}(?:[0-9a-fA-F]{3})?")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")

T = TypeVar("T")
P = TypeVar("P", bound="Paint")


class Colours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The palette; styles and states may use these names for their colours."""

    background: str
    surface: str
    """Ground of dialogs."""
    panel: str
    """Ground of headings."""
    foreground: str
    dim: str
    accent: str
    selection: str
    selection_unfocused: str
    good: str
    warn: str
    alarm: str
    border: str
    bar: str
    """Ground of the header while nothing can be changed."""
    bar_text: str
    armed: str
    """Ground of the header while changes are possible."""
    armed_text: str
    replay: str
    """Ground of the header while a recording is shown."""
    replay_text: str


class Paint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a text is painted; a colour that is "" stays what it is below."""

    fg: str = ""
    bg: str = ""
    bold: bool = False
    dim: bool = False
    reverse: bool = False
    underline: bool = False


class StatePaint(Paint, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a state is painted; a sign that is "" is the usual one."""

    glyph: str = ""
    ascii: str = ""


class Theme(msgspec.Struct, frozen=True, kw_only=True):
    """A whole theme, all colours as ``#rrggbb`` or ``ansi_...``."""

    name: str
    dark: bool
    colours: Colours
    styles: dict[str, Paint]
    states: dict[str, StatePaint]
    files: tuple[str, ...] = ()
    """What it was read from, itself first."""


class Loaded(NamedTuple):
    """A theme to use, and in words why it is not the one that was asked for ("" if it is)."""

    theme: Theme
    problem: str


USUAL: dict[str, dict[str, Any]] = {
    "text": {"fg": "foreground"},
    "dim": {"fg": "dim"},
    "bold": {"fg": "foreground", "bold": True},
    "heading": {"fg": "dim", "bg": "panel", "bold": True},
    "title": {"fg": "accent", "bold": True},
    "accent": {"fg": "accent"},
    "key": {"fg": "accent", "bold": True},
    "match": {"fg": "accent", "underline": True},
    "good": {"fg": "good"},
    "warn": {"fg": "warn"},
    "alarm": {"fg": "alarm", "bold": True},
    "bar": {"fg": "bar_text", "bg": "bar"},
    "bar_dim": {"fg": "dim", "bg": "bar"},
    "bar_key": {"fg": "accent", "bg": "bar", "bold": True},
    "bar_good": {"fg": "good", "bg": "bar", "bold": True},
    "bar_warn": {"fg": "warn", "bg": "bar", "bold": True},
    "bar_alarm": {"fg": "alarm", "bg": "bar", "bold": True},
    "armed": {"fg": "armed_text", "bg": "armed", "bold": True},
    "replay": {"fg": "replay_text", "bg": "replay", "bold": True},
    "selected": {"bg": "selection"},
    "selected_elsewhere": {"bg": "selection_unfocused"},
    "border": {"fg": "border"},
    "border_focus": {"fg": "accent"},
    "plot": {"fg": "accent"},
    "plot_axis": {"fg": "dim"},
    "plot_mark": {"fg": "warn"},
    "verb": {"fg": "accent", "bold": True},
    "option": {"fg": "dim"},
    "ghost": {"fg": "dim"},
}
"""Styles by name, and how they look where a theme says nothing else."""


def load(name: str) -> Loaded:
    """Return the theme of that name; if it is broken or not there, the shipped dark one, and what is wrong."""
    problem = ""
    for wanted, folders in ((name, search_path()), (DEFAULT, (shipped(),))):
        try:
            return Loaded(_theme(*_find(wanted, folders), folders), problem)
        except ConfigError as error:
            problem = problem or f"theme {wanted}: {error}; using {DEFAULT}"
    return Loaded(PLAIN, problem)


def read(name: str) -> Theme:
    """Return the theme of that name.

    Raises:
        ConfigError: there is none, or it is broken; with file, line, column and key, and what was expected.
    """
    return _theme(*_find(name, search_path()), search_path())


def names() -> list[str]:
    """Return the names of all themes that have a file."""
    return sorted({file.stem for folder in search_path() for file in folder.glob("*.yaml")})


def search_path() -> tuple[Path, ...]:
    """Return the folders of theme files, those of the user first."""
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return (Path(config, "aliecs", "themes"), shipped())


def shipped() -> Path:
    """Return the folder of the themes that come with the console: in a wheel, or in the repository."""
    here = Path(__file__).resolve().parent
    packed = here / "data" / "themes"
    return packed if packed.is_dir() else here.parent / "themes"


def _find(name: str, folders: tuple[Path, ...], *, below: Path | None = None) -> tuple[str, Path]:
    """Return name and file; ``below`` is a file of the same name that hides it, as a user's dark does the shipped."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of a theme", hint="small letters, digits and -")
    files = [folder / f"{name}.yaml" for folder in folders]
    if below in files:
        files = files[files.index(below) + 1 :]
    for file in files:
        if file.exists():
            return name, file
    near = difflib.get_close_matches(name, known := names(), 1)
    hint = f"did you mean {near[0]}?" if near and near[0] != name else f"there are {', '.join(known)}"
    raise ConfigError("no such theme", hint=hint)


def _theme(name: str, file: Path, folders: tuple[Path, ...]) -> Theme:
    """Return the theme of a file and of those that it extends."""
    document, files = theme_file.read(file), [file]
    while "extends" in (top := document.data):
        base, place = top.pop("extends"), document.places.pop(("extends",))
        if not isinstance(base, str):
            raise ConfigError(f"{place}: extends: expected the name of a theme, found {base!r}")
        try:
            found = _find(base, folders, below=files[-1])[1]
        except ConfigError as error:
            raise ConfigError(f"{place}: extends: {base}: {error}") from error
        if found in files:
            circle = " -> ".join([one.stem for one in files[files.index(found) :]] + [base])
            raise ConfigError(f"{place}: extends: goes in a circle: {circle}")
        files.append(found)
        below = theme_file.read(found)
        below.data.pop("name", None)  # a theme is called by its own name
        below.places.pop(("name",), None)
        document = document.over(below)
    return _checked(name, document, tuple(map(str, files)))


def _checked(name: str, document: Document, files: tuple[str, ...]) -> Theme:
    data = document.data
    _known(document, (), data, ("name", "dark", "colours", "styles", "states"))
    if data.get("name") != name:
        expected = f"expected {name}, as the file is called"
        raise ConfigError(f"{document.place(('name',))}: name: {expected}, found {data.get('name', 'nothing')!r}")
    if not isinstance(data.get("dark"), bool):
        found = repr(data["dark"]) if "dark" in data else "nothing"
        raise ConfigError(f"{document.place(('dark',))}: dark: expected true or false, found {found}")
    colours = _convert(document, ("colours",), Colours)
    palette = msgspec.structs.asdict(colours)
    palette = {key: _colour(document, ("colours", key), value, {}) for key, value in palette.items()}
    styles, states = (_mapping(document, (key,)) for key in ("styles", "states"))
    _known(document, ("styles",), styles, tuple(USUAL))
    _known(document, ("states",), states, STATES)
    missing = [state for state in STATES if state not in states]
    if missing:
        raise ConfigError(f"{document.place(('states',))}: states: {', '.join(missing)} missing")
    document.data["styles"] = {key: usual | _mapping(document, ("styles", key)) for key, usual in USUAL.items()}
    return Theme(
        name=name,
        dark=data["dark"],
        colours=msgspec.convert(palette, Colours),
        styles={key: _painted(document, ("styles", key), Paint, palette) for key in USUAL},
        states={key: _signed(document, ("states", key), palette) for key in STATES},
        files=files,
    )


def _signed(document: Document, key: Key, palette: Mapping[str, str]) -> StatePaint:
    paint = _painted(document, key, StatePaint, palette)
    room = 2 if key[-1] == "CRITICAL_ERROR" else 1
    for name, sign in (("glyph", paint.glyph), ("ascii", paint.ascii)):
        is_plain = sign.isprintable() and not sign.isspace() and not any(map(_is_wide, sign))
        if sign and not (is_plain and len(sign) <= room and (name == "glyph" or sign.isascii())):
            what = f"{'one sign' if room == 1 else 'one or two signs'}{' of ASCII' if name == 'ascii' else ''}"
            raise ConfigError(
                f"{document.place((*key, name))}: {'.'.join((*key, name))}: expected {what}, found {sign!r}"
            )
    return paint


def _is_wide(sign: str) -> bool:
    """Say whether a sign takes two cells, or none."""
    return unicodedata.east_asian_width(sign) in "WF" or bool(unicodedata.combining(sign))


def _painted(document: Document, key: Key, kind: type[P], palette: Mapping[str, str]) -> P:
    paint = _convert(document, key, kind)
    chosen = {name: _colour(document, (*key, name), getattr(paint, name), palette) for name in ("fg", "bg")}
    return msgspec.structs.replace(paint, **chosen)


def _colour(document: Document, key: Key, value: str, palette: Mapping[str, str]) -> str:
    if value in palette:
        return palette[value]
    if _HEX.fullmatch(value):
        digits = value[1:].lower()
        return f"#{digits}" if len(digits) == 6 else "#" + "".join(digit * 2 for digit in digits)
    if value in ANSI or (not value and palette):
        return value
    forms = "#rrggbb or one of ansi_red, ansi_bright_red, ..." + (", or a name from colours" if palette else "")
    near = difflib.get_close_matches(value, (*palette, *ANSI), 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(f"{document.place(key)}: {'.'.join(key)}: expected a colour, {forms}, found {value!r}{hint}")


def _convert(document: Document, key: Key, kind: type[T]) -> T:
    try:
        return msgspec.convert(_mapping(document, key), kind)
    except msgspec.ValidationError as error:
        raise ConfigError(_explained(document, key, str(error))) from error


def _explained(document: Document, key: Key, message: str) -> str:
    """Return msgspec's message with the place that it means."""
    what, _, where = message.partition(" - at `$")
    inner = where.strip("`.").split(".") if where.strip("`.") else []
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", what):
        inner, known = [unknown[1]], Colours.__struct_fields__ if key == ("colours",) else StatePaint.__struct_fields__
        what = f"not known; there are {', '.join(known)}"
    elif missing := re.fullmatch(r"Object missing required field `(.*)`", what):
        what = f"{missing[1]} missing, expected a colour"
    what = what.replace("`str`", "text").replace("`bool`", "true or false").replace("Expected", "expected")
    return f"{document.place((*key, *inner))}: {'.'.join((*key, *inner))}: {what.replace(', got', ', found')}"


def _mapping(document: Document, key: Key) -> dict[str, Any]:
    value: Any = document.data
    for name in key:
        value = value.get(name, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{document.place(key)}: {'.'.join(key)}: expected keys and values, found {value!r}")
    return value


def _known(document: Document, above: Key, data: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in data:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise ConfigError(f"{document.place((*above, name))}: {'.'.join((*above, name))}: not known; {hint}")


def _plain() -> Iterator[tuple[str, Any]]:
    """Give what a theme file would say, for when not even the shipped ones can be read: white on black."""
    grounds = {"surface": "#1c1c1c", "panel": "#262626", "bar": "#262626", "selection": "#444444"}
    yield "name", "plain"
    yield "dark", True
    yield "colours", dict.fromkeys(Colours.__struct_fields__, "#e4e4e4") | grounds | {
        "background": "#000000", "selection_unfocused": "#303030", "armed": "#5f5f00", "replay": "#444444"}  # fmt: skip
    yield "states", {key: {"bold": key != "STANDBY", "reverse": "ERROR" in key} for key in STATES}


PLAIN = _checked("plain", Document(Path("plain"), dict(_plain())), ())
