"""The user's keys: a TOML file that gives bindings other keys. It has a file of its own, beside settings.toml, so that a slip in
one does not cost the other, and so that people can hand their keys on. Which bindings there are: tui/bindings.py.
"""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from console.settings import config_path

Contexts = Mapping[str, Mapping[str, str]]
"""By the name of a widget, screen or app: its bindings by id, with their usual keys, separated by commas."""

MODIFIERS = ("alt", "ctrl", "hyper", "meta", "shift", "super")
NAMED = ("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete", "backspace", "enter", "tab",
         "space", "escape", *(f"f{number}" for number in range(1, 25)))  # fmt: skip
SHORT = {"esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown", "del": "delete", "ins": "insert"}
_RENAMED = {"solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at", "hyphen_minus": "minus",
            "plus_sign": "plus", "low_line": "underscore"}  # fmt: skip
"""Textual's shorter names of signs."""
_PART = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
_TABLE = re.compile(rf"\s*\[\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]")


@dataclass(frozen=True, slots=True)
class Keymap:
    """Keys by id of binding, in textual's names, for ``App.set_keymap``; and what is wrong with the rest of the file."""

    keys: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def key_of(self, binding: str, usual: str) -> str:
        """Return the first key of a binding."""
        return self.keys.get(binding, usual).partition(",")[0]


def load(known_contexts: Callable[[], Contexts], path: str = "") -> Keymap:
    """Read the user's file; what is wrong in it is passed over, the rest counts.

    Args:
        known_contexts: called only if there is a file.
        path: named by the user, and must exist then.
    """
    file = os.path.expanduser(path) or config_path("keys.toml")
    try:
        with open(file, encoding="utf-8") as opened:
            text = opened.read()
    except FileNotFoundError:
        return Keymap(problems=(f"{path}: no such file; the usual keys are used",) if path else ())
    except (OSError, UnicodeDecodeError) as error:
        return Keymap(problems=(f"{file}: {error}; the usual keys are used",))
    import tomllib  # most people have no such file

    from console.settings_file import line_of_error

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Keymap(problems=(f"{file}:{line_of_error(error, text)}: {error}; the usual keys are used",))
    contexts = known_contexts()
    known = {binding for bindings in contexts.values() for binding in bindings}
    lines = _lines(text)
    keys: dict[str, str] = {}
    problems: list[tuple[int, str]] = []
    for binding, value in _flat(table, ""):
        line = _line(lines, binding)
        try:
            if binding not in known:
                near = difflib.get_close_matches(binding, known, 1)
                raise ValueError(f"no such binding; {f'did you mean {near[0]}?' if near else '? shows all'}")
            keys[binding] = ",".join(_keys(value))
        except ValueError as error:
            problems.append((line, f"{file}:{line}: {binding}: {error}"))
    for binding, why in _without_clashes(contexts, keys, {binding: _line(lines, binding) for binding in keys}):
        line = _line(lines, binding)
        problems.append((line, f"{file}:{line}: {binding}: {why}"))
    return Keymap(keys, tuple(problem for _, problem in sorted(problems)))


def key_name(text: str) -> str:
    """Return a key as textual calls it: "ctrl+p", "question_mark" for "?", "G" for "shift+g".

    Raises:
        ValueError: no key is called so.
    """
    key = text.strip()
    *before, base = key.split("+")
    if key == "+" or key.endswith("++"):
        before, base = key[:-2].split("+")[: len(key) - 1], "+"
    modifiers = {part.strip().lower() for part in before}
    for part in sorted(modifiers - set(MODIFIERS)):
        raise ValueError(f"{text!r} is no key: {part!r} is none of {', '.join(MODIFIERS)}")
    name = _base(base.strip(), text)
    if len(name) == 1 and name.isalpha():
        if modifiers == {"shift"}:
            return name.upper()
        if modifiers and name.isupper():
            modifiers, name = modifiers | {"shift"}, name.lower()
    return "+".join([*sorted(modifiers), name])


def _base(name: str, text: str) -> str:
    if len(name) == 1:
        return name if name.isalnum() else _sign(name)
    spelt = SHORT.get(name.lower(), name.lower())
    signs = {_sign(chr(code)) for code in range(33, 127) if not chr(code).isalnum()}
    if spelt in NAMED or spelt in signs:
        return spelt
    near = difflib.get_close_matches(spelt, (*NAMED, *sorted(signs)), 1)
    raise ValueError(f"{text!r} is no key{f'; did you mean {near[0]}?' if near else ''}")


def _sign(character: str) -> str:
    name = unicodedata.name(character, "").lower().replace("-", "_").replace(" ", "_")
    if not name:
        raise ValueError(f"{character!r} is no key")
    return _RENAMED.get(name, name)


def _keys(value: Any) -> Iterator[str]:
    """Give the keys of an entry: "f5", "f5, ctrl+s" or a list."""
    if isinstance(value, str):
        value = [","] if value.strip() == "," else value.split(",")
    if not isinstance(value, list) or not value or not all(isinstance(key, str) and key.strip() for key in value):
        raise ValueError(f"expected a key or a list of keys, found {value!r}")
    yield from dict.fromkeys(map(key_name, value))


def _without_clashes(contexts: Contexts, keys: dict[str, str], lines: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Take out of ``keys`` what would give two bindings of one context the same key; say which and why."""
    while clash := next(_clashes(contexts, keys), None):
        one, other, key = clash
        loser = max((binding for binding in (one, other) if binding in keys), key=lambda binding: lines[binding])
        del keys[loser]
        yield loser, f"{key} is the key of {other if loser == one else one} too; the usual one stays"


def _clashes(contexts: Contexts, keys: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for usual in contexts.values():
        for one, other in combinations(usual, 2):
            if (one in keys or other in keys) and usual[one] != usual[other]:  # some share their keys by intent
                shared = set(keys.get(one, usual[one]).split(",")) & set(keys.get(other, usual[other]).split(","))
                for key in sorted(shared - (set(usual[one].split(",")) & set(usual[other].split(",")))):
                    yield one, other, key


def _flat(table: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _lines(text: str) -> dict[str, int]:
    """Return the lines in which keys are set, by their whole names; TOML's reader does not tell."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if begins := _TABLE.match(line):
            table = f"{_name(begins[1])}."
            found.setdefault(table[:-1], number)
        elif sets := _KEY.match(line):
            found.setdefault(table + _name(sets[1]), number)
    return found


def _line(lines: Mapping[str, int], binding: str) -> int:
    while binding and binding not in lines:
        binding = binding.rpartition(".")[0]  # in a table within a line
    return lines.get(binding, 1)


def _name(written: str) -> str:
    return re.sub(r"\s*\.\s*", ".", re.sub(r"""["']""", "", written)).strip()
