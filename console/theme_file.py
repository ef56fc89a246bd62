"""Reads a theme file: YAML into plain data that remembers where each key stood. What a theme is: themes.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from occ.errors import ConfigError

MAX_DEPTH = 4
MAX_BYTES = 256 * 1024

Key = tuple[str, ...]
"""Names from the top to a value: ("states", "RUNNING", "fg")."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Place(NamedTuple):
    """Where something is written; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where."""

    file: Path
    data: dict[str, Any]
    places: dict[Key, Place] = field(default_factory=dict)

    def place(self, key: Key) -> Place:
        """Return where a key stands; if it does not, where what should hold it does."""
        while key and key not in self.places:
            key = key[:-1]
        return self.places.get(key) or Place(str(self.file), 1, 1)

    def over(self, base: Document) -> Document:
        """Return this document laid over another one, key by key."""
        return Document(self.file, _merge(base.data, self.data), base.places | self.places)


def read(file: Path) -> Document:
    """Read a file.

    Raises:
        ConfigError: it cannot be read, is not YAML, not a mapping, or says a key twice; with line and column.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{file}: larger than {MAX_BYTES // 1024} KiB, which no theme is")
        text = file.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_LOADER)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8: {error.reason} at byte {error.start}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Place(str(file), mark.line + 1, mark.column + 1) if mark else file
        raise ConfigError(f"{place}: not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: not YAML: {error}") from error
    document = Document(file, {})
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{_place(file, node) if node else file}: expected keys and values, found {_kind(node)}")
    document.data.update(_mapping(document, node, ()))
    return document


def _mapping(document: Document, node: yaml.MappingNode, above: Key) -> dict[str, Any]:
    document.places[above] = _place(document.file, node)
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        place = _place(document.file, key_node)
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError(f"{place}: expected the name of a key, found {_kind(key_node)}")
        name = str(key_node.value)
        if name in found:
            raise ConfigError(f"{place}: {name}: said twice, first in line {document.places[*above, name].line}")
        document.places[*above, name] = place
        found[name] = _value(document, value_node, (*above, name))
    return found


def _value(document: Document, node: yaml.Node, key: Key) -> Any:
    if isinstance(node, yaml.MappingNode) and len(key) < MAX_DEPTH:
        place = document.places[key]
        value = _mapping(document, node, key)
        document.places[key] = place  # the line of the name, not that of the first thing below it
        return value
    if isinstance(node, yaml.ScalarNode):
        # Of YAML's types only yes and no are wanted: a colour such as 123456 is not a number.
        if not node.style and node.value.lower() in ("true", "false"):
            return node.value.lower() == "true"
        return node.value
    raise ConfigError(f"{document.place(key)}: {'.'.join(key)}: expected a value, found {_kind(node)}")


def _merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in top.items():
        below = merged.get(name)
        merged[name] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _place(file: Path, node: yaml.Node) -> Place:
    return Place(str(file), node.start_mark.line + 1, node.start_mark.column + 1)


def _kind(node: yaml.Node | None) -> str:
    if node is None:
        return "nothing"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "a mapping" if isinstance(node, yaml.MappingNode) else f"{node.value!r}"
