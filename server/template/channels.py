"""Channels and constraints as they stand in workflow and task templates (workflows-config.md 2.8, 2.9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from server.template.documents import Place, is_null, mapping, sequence, text
from server.template.gojson import to_integer
from server.template.model import Constraint, Inbound, Outbound

_TYPES = ("push", "pull", "pub", "sub")
_TRANSPORTS = ("default", "zeromq", "nanomsg", "shmem")
_ADDRESSINGS = ("tcp", "ipc")


def read_inbound(place: Place, node: yaml.Node | None) -> tuple[Inbound, ...]:
    """Read a ``bind`` list."""
    channels = []
    for item in sequence(place, node, "bind"):
        keys = mapping(place, item, "a channel")
        channels.append(
            Inbound(
                **_common(place, keys),
                alias=text(place, keys.get("global"), "global"),
                addressing=_word(place, keys, "addressing", _ADDRESSINGS, "tcp"),
            )
        )
    return tuple(channels)


def read_outbound(place: Place, node: yaml.Node | None) -> tuple[Outbound, ...]:
    """Read a ``connect`` list."""
    return tuple(
        Outbound(**_common(place, mapping(place, item, "a channel"))) for item in sequence(place, node, "connect")
    )


def read_constraints(place: Place, node: yaml.Node | None) -> tuple[Constraint, ...]:
    """Read a ``constraints`` list; equality is the only operator there is."""
    constraints = []
    for item in sequence(place, node, "constraints"):
        keys = mapping(place, item, "a constraint")
        constraints.append(
            Constraint(
                attribute=text(place, keys.get("attribute"), "attribute"), value=text(place, keys.get("value"), "value")
            )
        )
    return tuple(constraints)


def _common(place: Place, keys: Mapping[str, yaml.Node]) -> dict[str, Any]:
    return {
        "name": text(place, keys.get("name"), "name"),
        "type": _word(place, keys, "type", _TYPES) if not is_null(keys.get("type")) else "",
        "snd_buf_size": _size(place, keys, "sndBufSize"),
        "rcv_buf_size": _size(place, keys, "rcvBufSize"),
        "rate_logging": text(place, keys.get("rateLogging"), "rateLogging") or "0",
        "transport": _word(place, keys, "transport", _TRANSPORTS, "default"),
        "target": text(place, keys.get("target"), "target").strip(),
    }


def _word(place: Place, keys: Mapping[str, yaml.Node], key: str, allowed: tuple[str, ...], default: str = "") -> str:
    """Return a word in any case, with or without quotes of its own; the default for an empty one."""
    found = text(place, keys.get(key), key).strip('"').lower() or default
    if found not in allowed:
        place.fail(keys[key], f"{key} is {found!r}, expected one of {', '.join(allowed)}")
    return found


def _size(place: Place, keys: Mapping[str, yaml.Node], key: str) -> int:
    found = text(place, keys.get(key), key) or "1000"
    if (size := to_integer(found)) is None:
        place.fail(keys[key], f"{key} must be a whole number, is {found!r}")
    return size
