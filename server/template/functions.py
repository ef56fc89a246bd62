"""Functions of AliECS that need no service: ``strings``, ``json``, ``uid``, ``util``, and flat forms (workflows-config.md 6.4).

Those that read configuration, inventory or runtime entries: access.py.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace

from server.ids import new_id
from server.template.gojson import JsonError, dumps, loads, nearest_integer, to_integer
from server.template.scope import Function, NilArgument, Scope
from server.template.texts import SPACES, lower, upper
from server.template.values import render

log = logging.getLogger(__name__)

_TRUE = frozenset({"true", "yes", "y", "1", "on", "ok"})
_FALSE = frozenset({"", "false", "no", "n", "0", "off", "none"})


def is_truthy(text: str) -> bool:
    return text.lower().strip(SPACES) in _TRUE


def is_falsy(text: str) -> bool:
    """Tell whether a text says no; not the negation of ``is_truthy``."""
    return text.lower().strip(SPACES) in _FALSE


def _atoi(text: str) -> int:
    value = to_integer(text)
    if value is None:
        value = nearest_integer(text)
        log.warning("strings.Atoi of no integer, taken as %d: text=%r", value, text[:100])
    return value


def _unmarshal(text: str) -> object:
    try:
        return loads(text)
    except JsonError as error:
        return error.partial


def _marshal(value: object) -> str:
    try:
        return dumps(value)
    except JsonError as error:
        log.warning("json.Marshal of what JSON cannot say, taken as empty: %s", error)
        return ""


def _sort(value: object) -> object:
    if not isinstance(value, (list, range)):
        return value
    return sorted(render(item) if not isinstance(item, list) else _marshal(item) for item in value)


def _prefixed_override(scope: Scope, variable: str, prefix: str) -> str:
    for name in (f"{prefix}_{variable}", variable):
        value = scope.variables.get(name, "")
        if value.strip(SPACES) and value != "none":
            return value
    return ""


def _suffix_in_range(text: str, prefix: str, least: str, greatest: str) -> str:
    low, high = to_integer(least), to_integer(greatest)
    number = to_integer(text.removeprefix(prefix)) if prefix and text.startswith(prefix) else None
    inside = low is not None and high is not None and number is not None and low <= number <= high
    return "true" if inside else "false"


def _dump(text: str, file: str) -> str:
    try:
        with open(file, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o644)) as out:
            out.write(text)  # a file that is there keeps its mode, which matters for one that others need: /dev/null
    except (OSError, ValueError) as error:
        log.warning("util.Dump could not write file=%r: %s", file, error)
    return text


_STRINGS: dict[str, Function] = {
    "Atoi": Function(("string",), _atoi, "int"),
    "Itoa": Function(("int",), str),
    "TrimQuotes": Function(("string",), lambda text: text.strip('"')),
    "TrimSpace": Function(("string",), lambda text: text.strip(SPACES)),
    "ToUpper": Function(("string",), upper),
    "ToLower": Function(("string",), lower),
    "IsTruthy": Function(("string",), is_truthy, "bool"),
    "IsFalsy": Function(("string",), is_falsy, "bool"),
}
_UTIL: dict[str, Function] = {
    "PrefixedOverride": Function(("string", "string"), _prefixed_override, scoped=True),
    "SuffixInRange": Function(("string",) * 4, _suffix_in_range, nil=NilArgument.EMPTY),
    "Dump": Function(("string", "string"), _dump),
    "Nullable": Function(("nil",), lambda value: value, nil=NilArgument.EMPTY),
}
_UNMARSHAL = Function(("string",), _unmarshal, "any", NilArgument.EMPTY)
_MARSHAL = Function(("any",), _marshal)
_NEW_ID = Function((), lambda: new_id())

UTILITIES: dict[str, object] = {
    "strings": _STRINGS,
    "json": {
        "Unmarshal": _UNMARSHAL,
        "Deserialize": _UNMARSHAL,
        "Marshal": _MARSHAL,
        "Serialize": _MARSHAL,
        "Sort": Function(("any",), _sort, "any"),
    },
    "uid": {"New": _NEW_ID},
    "util": _UTIL,
    **_STRINGS,
    **_UTIL,
    "NewID": _NEW_ID,
    "FromJson": replace(_UNMARSHAL),
    "ToJson": replace(_MARSHAL),
}
"""Namespaces, and the flat forms of old templates."""
