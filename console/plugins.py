"""Verbs that other packages add under the entry-point group ``aliecs.verbs``; each is imported only when asked for.

An entry point names a function ``register(add)`` that calls ``add(name, help, run)``; ``run`` gets the words after the
verb and returns the exit code. It is called before any connection is made.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable

GROUP = "aliecs.verbs"

Run = Callable[[list[str]], int]


def names() -> dict[str, str]:
    """Return the added verbs and their entry points.

    Reads the installed packages' entry_points.txt itself: importlib.metadata takes longer to import than help may take.
    """
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            entries = [entry.path for entry in os.scandir(folder or ".") if entry.name.endswith(".dist-info")]
        except OSError:
            continue  # sys.path may name what does not exist
        for path in entries:
            found |= _read(os.path.join(path, "entry_points.txt"))
    return found


def load(name: str) -> Run | None:
    """Return the function behind an added verb, None if no package adds it."""
    target = names().get(name)
    if target is None:
        return None
    verbs: dict[str, Run] = {}

    def add(name: str, help: str, run: Run) -> None:
        verbs[name] = run

    module, _, attribute = target.partition(":")
    getattr(importlib.import_module(module), attribute)(add)
    return verbs.get(name)


def _read(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return {}
    if GROUP not in text:
        return {}
    found: dict[str, str] = {}
    inside = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and "=" in line:
            name, _, target = line.partition("=")
            found[name.strip()] = target.strip()
    return found
