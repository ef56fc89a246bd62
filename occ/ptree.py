"""Parsers of ``__ptree__:`` payloads: ini, json and xml, each to the tree that boost::property_tree makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from occ.errors import ConfigError
from occ.properties import Properties

_SPACE = " \t\n\v\f\r"
"""What C takes for blank."""


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
    into = Properties()
    nodes = [("", into)]
    """What comes before all sections, then the sections."""
    keys: set[str] = set()
    names = keys
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip(_SPACE)
        if not line or line[0] in ";#":
            continue
        if line[0] == "[":
            name, bracket, _ = line[1:].partition("]")
            name = name.strip(_SPACE)
            if not bracket:
                raise ConfigError(f"line {number}: unmatched '['")
            if len(nodes) > 1 and not len(into):
                names.discard(nodes.pop()[0])
            if name in names:
                raise ConfigError(f"line {number}: duplicate section name {name!r}")
            names.add(name)
            into, keys = Properties(), set()
            nodes.append((name, into))
            continue
        key, equals, value = line.partition("=")
        key = key.strip(_SPACE)
        if not equals or not key:
            raise ConfigError(f"line {number}: " + ("key expected" if equals else "'=' character not found in line"))
        if key in keys:
            raise ConfigError(f"line {number}: duplicate key name {key!r}")
        keys.add(key)
        into.append(key, Properties(value.strip(_SPACE)))
    tree = nodes[0][1]
    for name, section in nodes[1:]:
        if len(section):
            tree.append(name, section)
    return tree


def parse_json(text: str) -> Properties:
    """Numbers, booleans and null become their text, elements of an array children without a name."""
    import json  # deferred: 2 ms that most tasks never need

    def refuse(constant: str) -> str:
        raise ConfigError(f"{constant} is not JSON")

    try:
        data = json.loads(
            text.removeprefix("\ufeff"), object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=refuse
        )
        tree = _from_data(data)
    except ValueError as error:  # of half a surrogate pair, too
        raise ConfigError(str(error)) from None
    except RecursionError:
        raise ConfigError("nested too deeply") from None
    return tree


def parse_xml(text: str) -> Properties:
    """Elements become nodes, attributes leaves below ``<xmlattr>``, comments leaves named ``<xmlcomment>``."""
    from occ import xml_tree  # deferred: most tasks never receive any

    return xml_tree.parse_xml(text)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its names in order, repeated ones included; not to be taken for an array."""


def _from_data(data: Any) -> Properties:
    node = Properties()
    if isinstance(data, _Pairs):
        for name, value in data:
            name.encode()
            node.append(name, _from_data(value))
    elif isinstance(data, list):
        for value in data:
            node.append("", _from_data(value))
    elif isinstance(data, str):
        data.encode()  # UnicodeEncodeError is a ValueError
        node.value = data
    else:
        node.value = {True: "true", False: "false", None: "null"}[data]
    return node


_PARSERS: dict[str, Callable[[str], Properties]] = {"ini": parse_ini, "json": parse_json, "xml": parse_xml}
