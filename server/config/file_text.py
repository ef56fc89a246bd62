"""The text of a configuration file, YAML or JSON, and the tree of texts and folders that it means.

Every value is the text that is written there. Bytes that are not UTF-8 are surrogates inside and ``!!binary`` in YAML.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import yaml

from occ.errors import ConfigError
from server.config.store import MAX_NESTING, check_key, to_bytes
from server.config.tree import Folder

MAX_VALUES = 1_000_000
"""Of one file with its aliases followed, so that one that blows up is refused."""
_TEXT = "tag:yaml.org,2002:str"
CORRECT = "correct the file and try again"


def parse(text: str, name: str) -> Folder:
    """Return the content of a YAML text: scalars as they are spelled, mappings as folders.

    Args:
        name: of the file, for messages.

    Raises:
        ConfigError: not YAML, or something else than mappings of scalars; names file, line and column.
    """
    try:
        _check_size(text, name)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = f"{error.context or ''} {error.problem or ''}".strip()
        raise _broken(name, mark, problem or "not YAML") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"configuration {name} is not YAML: {' '.join(str(error).split())}") from error
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        return {}
    content = _content(node, name, frozenset())
    if isinstance(content, str):
        raise _broken(name, node.start_mark, "expected a mapping, found a single value")
    return content


def dump(root: Folder) -> str:
    """Return the YAML text of a tree; read back, every value has the same text."""
    return str(yaml.serialize(_node(root), Dumper=_DUMPER, allow_unicode=True, width=10**9))


def parse_json(text: str, name: str) -> Folder:
    """Return the content of a JSON text: scalars as they are spelled, objects as folders.

    Raises:
        ConfigError: not JSON, or something else than objects of scalars; names the file and what is wrong.
    """
    try:
        content = json.loads(
            text or "{}", object_pairs_hook=_folder, parse_int=str, parse_float=str, parse_constant=str
        )
    except json.JSONDecodeError as error:
        where = f"{name}:{error.lineno}:{error.colno}"
        raise ConfigError(f"configuration {where}: {error.msg}", hint=CORRECT) from error
    except RecursionError:
        raise ConfigError(f"configuration {name}: {_TOO_DEEP}", hint=CORRECT) from None
    except ConfigError as error:
        raise ConfigError(f"configuration {name}: {error.message}", hint=error.hint) from None
    if not isinstance(content, dict):
        found = "a list" if isinstance(content, list) else "a single value"
        raise ConfigError(f"configuration {name}: expected an object, found {found}", hint=CORRECT)
    if _is_deeper(content, MAX_NESTING):
        raise ConfigError(f"configuration {name}: {_TOO_DEEP}", hint=CORRECT)
    return content


def dump_json(root: Folder) -> str:
    """Return the JSON text of a tree; read back, every value has the same text."""
    return json.dumps(root, indent=2, ensure_ascii=True) + "\n"


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML was built with it: ten times as fast, same nodes."""


_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


_TOO_DEEP = f"nested deeper than {MAX_NESTING}"


def _check_size(text: str, name: str) -> None:
    """Refuse what would take very long to read: deep nesting, aliases of aliases of aliases."""
    weights: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            if len(open_nodes) > MAX_NESTING:
                raise _broken(name, _mark(event), _TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                weights[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            total += weights.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
        if total > MAX_VALUES:
            raise _broken(name, _mark(event), f"more than {MAX_VALUES} values, aliases followed")


def _is_deeper(content: str | Folder, most: int) -> bool:
    """Tell whether more folders than ``most`` are in one another."""
    return isinstance(content, dict) and (most == 0 or any(_is_deeper(below, most - 1) for below in content.values()))


def _node(value: str | Folder) -> yaml.Node:
    """Return what is written of a value: such that its spelling survives, texts of several lines as blocks."""
    if not isinstance(value, str):
        pairs = [(_node(name), _node(below)) for name, below in value.items()]
        return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=not pairs)
    if not value.isascii() and _is_binary(value):
        data = base64.encodebytes(value.encode("utf-8", "surrogateescape")).decode("ascii")
        return yaml.ScalarNode("tag:yaml.org,2002:binary", data, style="|")
    is_plain = value.replace("\n", "").isprintable()
    style = ("|" if "\n" in value else None) if is_plain else '"'
    return yaml.ScalarNode(_TEXT, value, style=style)


def _content(node: yaml.Node, name: str, above: frozenset[int]) -> str | Folder:
    if id(node) in above:
        raise _broken(name, node.start_mark, "an alias to a folder that contains it")
    if isinstance(node, yaml.ScalarNode):
        if node.tag == "tag:yaml.org,2002:binary":
            return _binary(node, name)
        if node.tag == "tag:yaml.org,2002:null" and node.value:
            raise _broken(name, node.start_mark, f"expected a text, found {node.value}; put it into quotes")
        return str(node.value)
    if not isinstance(node, yaml.MappingNode):
        raise _broken(name, node.start_mark, "expected a text or a mapping, found a list; write JSON text into quotes")
    folder: Folder = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode) or not str(key_node.value).strip("/"):
            raise _broken(name, key_node.start_mark, "expected a name")
        if "/" in key_node.value:
            raise _broken(name, key_node.start_mark, f"name {key_node.value!r} contains a slash; write nested mappings")
        if key_node.value in folder:
            raise _broken(name, key_node.start_mark, f"name {key_node.value!r} stands here twice")
        folder[key_node.value] = _content(value_node, name, above | {id(node)})
    return folder


def _mark(event: yaml.Event) -> yaml.Mark | None:
    return event.start_mark  # type: ignore[return-value]  # of libyaml's parser: has the same lines and columns


def _broken(name: str, mark: yaml.Mark | None, problem: str) -> ConfigError:
    where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark is not None else name
    return ConfigError(f"configuration {where}: {problem}", hint=CORRECT)


def _is_binary(value: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in value)


def _binary(node: yaml.ScalarNode, name: str) -> str:
    try:
        return base64.b64decode("".join(node.value.split()), validate=True).decode("utf-8", "surrogateescape")
    except ValueError as error:
        raise _broken(name, node.start_mark, f"!!binary is not base64: {error}") from None


def _folder(pairs: list[tuple[str, Any]]) -> Folder:
    """Return an object of JSON as a folder.

    Raises:
        ConfigError: a name twice, or a value that is neither a text nor a folder.
    """
    folder: Folder = {}
    for name, value in pairs:
        if not name.strip("/") or "/" in name or name in folder:
            problem = "stands there twice" if name in folder else "is no name of a key; write nested objects"
            raise ConfigError(f"{name!r} {problem}", hint=CORRECT)
        if value is None or isinstance(value, list):
            found = "null" if value is None else "a list"
            raise ConfigError(f"at {name!r} expected a text or an object, found {found}", hint=CORRECT)
        folder[name] = str(value).lower() if isinstance(value, bool) else value
        check_key(name)
        to_bytes(name, value if isinstance(value, str) else "")
    return folder
