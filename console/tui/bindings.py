"""Which bindings the screen has, found in its classes: widgets, screens, the app. The user's keys for them: keymap.py."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from textual.binding import Binding
from textual.dom import DOMNode

import console.tui


def known() -> dict[str, dict[str, str]]:
    """Return, for each class of the console that has keys, its bindings by id with their keys."""
    for name in modules():
        import_module(name)
    return {kind.__name__: found for kind in _ours(DOMNode) if (found := bindings_of(kind))}


def modules() -> Iterator[str]:
    """Return the names of all modules of the screen, many of which are imported only when they are needed."""
    for module in pkgutil.walk_packages(console.tui.__path__, f"{console.tui.__name__}."):
        yield module.name


def bindings_of(kind: type[DOMNode]) -> dict[str, str]:
    """Return the bindings of one class by id with their keys."""
    found: dict[str, list[str]] = {}
    for base in reversed(kind.__mro__):
        for binding in base.__dict__.get("BINDINGS", ()):
            if isinstance(binding, Binding) and binding.id:
                found[binding.id] = [one.key for one in Binding.make_bindings([binding])]
    return {name: ",".join(keys) for name, keys in found.items()}


def as_file() -> str:
    """Return a file of keys in which every binding of the console stands with its usual keys, as a remark."""
    groups: dict[str, dict[str, str]] = {}
    for names in known().values():
        for name, keys in names.items():
            group, _, what = name.partition(".")
            groups.setdefault(group, {}).setdefault(what, keys)
    lines = ["# Keys of the console. Take away the # before a line and change its keys.", ""]
    for group, bindings in sorted(groups.items()):
        lines += [f"[{group}]"]
        for what, keys in sorted(bindings.items()):
            quoted = [f'"{key}"' for key in keys.split(",")]
            lines.append(f"# {what} = {quoted[0] if len(quoted) == 1 else '[' + ', '.join(quoted) + ']'}")
        lines.append("")
    return "\n".join(lines)


def _ours(kind: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for sub in kind.__subclasses__():
        if sub.__module__.startswith("console."):
            yield sub
        yield from _ours(sub)
