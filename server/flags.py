"""Settings of a process as flags and environment variables: names, types, what is allowed, messages.

A struct says which settings there are: the key of each is its field's name in camelCase, durations without their ``_s``;
its variable is a prefix and the key in upper case, with _ for dots. The core's: settings.py; that of the configuration
service: apricot.py.
"""

from __future__ import annotations

import argparse
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec

from occ.errors import ConfigError
from server.template.duration import parse_duration

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]

Given = dict[str, tuple[Any, str]]
"""Values by field, each with where it comes from."""


def keys_of(kind: type[msgspec.Struct]) -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    """Yield key and field of every setting."""
    for field in msgspec.structs.fields(kind):
        head, *tail = field.name.removesuffix("_s").split("_")
        camel = head + "".join(word.capitalize() for word in tail)
        yield camel if field.encode_name == field.name else field.encode_name, field


def add_flags(parser: argparse.ArgumentParser, kind: type[msgspec.Struct]) -> None:
    """Add a flag for every setting; what is found goes to given_by()."""
    for key, field in keys_of(kind):
        optional: dict[str, Any] = {"nargs": "?", "const": "true"} if _plain(field.type) is bool else {}
        about = f"{_description(field.type)} ({_allowed(field)}; default {_default_text(field) or 'empty'})"
        parser.add_argument(
            f"--{key}", dest=field.name, metavar="VALUE", default=None, help=about.replace("%", "%%"), **optional
        )


def given_by(kind: type[msgspec.Struct], prefix: str, flags: argparse.Namespace, environ: Mapping[str, str]) -> Given:
    """Return what flags and environment give, flags first."""
    given: Given = {}
    for key, field in keys_of(kind):
        variable = f"{prefix}{key.upper().replace('.', '_')}"
        if (value := getattr(flags, field.name, None)) is not None:
            given[field.name] = (value, f"flag --{key}")
        elif variable in environ:
            given[field.name] = (environ[variable], f"environment variable {variable}")
    return given


def converted(kind: type[msgspec.Struct], given: Given) -> dict[str, Any]:
    """Return the values in the types of their fields.

    Raises:
        ConfigError: names key, source and what is allowed.
    """
    fields = {field.name: (key, field) for key, field in keys_of(kind)}
    return {name: _convert(*fields[name], value, source) for name, (value, source) in given.items()}


def _convert(key: str, field: msgspec.structs.FieldInfo, value: Any, source: str) -> Any:
    """Return the value in the type of the field."""
    plain = _plain(field.type)
    text = str(value).strip()
    parsed: Any = value
    if field.name.endswith("_s"):
        seconds = parse_duration(text)
        parsed = seconds if seconds is not None else text
    elif plain is bool:
        parsed = {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    elif plain is float:
        parsed = _number(text)
    elif plain is int:
        parsed = int(text) if text.removeprefix("-").isdecimal() else text
    elif typing.get_origin(plain) is tuple:
        items = value if isinstance(value, list) else text.strip("[]").split(",")
        parsed = [str(item).strip() for item in items if str(item).strip()]
    elif plain is str or typing.get_origin(plain) is Literal:
        parsed = value if isinstance(value, str) else None
    try:
        return msgspec.convert(parsed, field.type)
    except msgspec.ValidationError:
        message = f"setting {key}: {value!r} from {source} is not valid"
        raise ConfigError(message, hint=f"expected {_allowed(field)}") from None


def _plain(annotation: Any) -> Any:
    """Return a type without its annotations."""
    return _plain(typing.get_args(annotation)[0]) if typing.get_origin(annotation) is Annotated else annotation


def _metas(annotation: Any) -> list[msgspec.Meta]:
    return [meta for meta in getattr(annotation, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]


def _description(annotation: Any) -> str:
    return next(meta.description for meta in _metas(annotation) if meta.description)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _allowed(field: msgspec.structs.FieldInfo) -> str:
    """Say in words what values a setting takes."""
    annotation = field.type
    plain = _plain(annotation)
    if plain is bool:
        return "true or false"
    if plain is int:
        return "a whole number from 0 to 65535"
    if plain is float and not field.name.endswith("_s"):
        return "a number, 0 or more"
    if plain is float:
        positive = any(meta.gt is not None for meta in _metas(annotation))
        return "a duration like 90s or 500ms, " + ("more than 0" if positive else "0 or more")
    if typing.get_origin(plain) is Literal:
        return "one of " + ", ".join(one or "nothing" for one in typing.get_args(plain))
    if typing.get_origin(plain) is tuple:
        return "a list of " + (", ".join(typing.get_args(typing.get_args(plain)[0])) or "texts")
    return "text"


def _default_text(field: msgspec.structs.FieldInfo) -> str:
    match field.default:
        case bool():
            return str(field.default).lower()
        case float():
            return f"{field.default:g}" + ("s" if field.name.endswith("_s") else "")
        case tuple():
            return ",".join(field.default)
        case _:
            return str(field.default)
