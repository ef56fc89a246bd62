"""Parsers of ``__ptree__:`` payloads: ini, json and xml, each to the tree that boost::property_tree makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from occ.errors import ConfigError
from occ.properties import Properties


def parse(syntax: str, text: str) -> Properties:
    """Return the tree of ``text``.

    Raises:
        ConfigError: the syntax is not one of ini, json, xml, or the text is not of that syntax.
    """
    parser = _PARSERS.get(syntax)
    if parser is None:
        raise ConfigError(f"unknown syntax {syntax!r}", hint=f"one of {', '.join(_PARSERS)}")
    return parser(text)


def parse_ini(text: str) -> Properties:
    """Sections become nodes, keys leaves; dots in names do not split. Empty sections vanish; names may not repeat."""
    tree = Properties()
    sections: list[Properties] = []
    names: set[str] = set()
    into, seen = tree, names
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = line.strip()
        if not line or line[0] in ";#":
            continue
        if line[0] == "[":
            name, bracket, _ = line[1:].partition("]")
            name = name.strip()
            if not bracket:
                raise ConfigError(f"line {number}: unmatched '['")
            if name in names:
                raise ConfigError(f"line {number}: duplicate section name {name!r}")
            names.add(name)
            into, seen = Properties(), set()
            sections.append(into)
            tree.append(name, into)
            continue
        key, equals, value = line.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ConfigError(f"line {number}: " + ("key expected" if equals else "'=' character not found in line"))
        if key in seen:
            raise ConfigError(f"line {number}: duplicate key name {key!r}")
        seen.add(key)
        into.append(key, Properties(value.strip()))
    empty = {id(section) for section in sections if not len(section)}
    kept = Properties()
    for name, child in tree:
        if id(child) not in empty:
            kept.append(name, child)
    return kept


def parse_json(text: str) -> Properties:
    """Numbers, booleans and null become their text, elements of an array children without a name."""
    import json  # deferred: 2 ms that most tasks never need

    def refuse(constant: str) -> str:
        raise ConfigError(f"{constant} is not JSON")

    try:
        data = json.loads(text, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=refuse)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    except RecursionError:
        raise ConfigError("nested too deeply") from None
    return _from_data(data)


def parse_xml(text: str) -> Properties:
    """Elements become nodes, attributes leaves below ``<xmlattr>``, comments leaves named ``<xmlcomment>``."""
    from xml.parsers import expat  # deferred: 2 ms that most tasks never need

    tree = Properties()
    stack = [tree]
    run: list[str] = []

    def flush(*_: object) -> None:
        data = "".join(run)
        run.clear()
        if data.strip(" \t\r\n"):
            stack[-1].value += data

    def start(name: str, attributes: list[str]) -> None:
        flush()
        node = Properties()
        stack[-1].append(name, node)
        stack.append(node)
        if attributes:
            below = Properties()
            node.append("<xmlattr>", below)
            for key, value in zip(attributes[::2], attributes[1::2], strict=True):
                below.append(key, Properties(value))

    def end(_: str) -> None:
        flush()
        stack.pop()

    def comment(data: str) -> None:
        flush()
        stack[-1].append("<xmlcomment>", Properties(data))

    def entity(*_: object) -> None:
        raise ConfigError("entity declarations are not accepted")

    parser = expat.ParserCreate()
    parser.ordered_attributes = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.CommentHandler = run.append, comment
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise ConfigError(str(error)) from None
    return tree


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its names in order, repeated ones included; not to be taken for an array."""


def _from_data(data: Any) -> Properties:
    node = Properties()
    if isinstance(data, _Pairs):
        for name, value in data:
            node.append(name, _from_data(value))
    elif isinstance(data, list):
        for value in data:
            node.append("", _from_data(value))
    else:
        node.value = {True: "true", False: "false", None: "null"}[data] if not isinstance(data, str) else data
    return node


_PARSERS: dict[str, Callable[[str], Properties]] = {"ini": parse_ini, "json": parse_json, "xml": parse_xml}
