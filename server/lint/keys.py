"""Which keys a template may have: AliECS reads over all others without a word (workflows-config.md 2.1)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import yaml

from server.lint.report import Report
from server.template.documents import PUBLIC, Place, followed

_MERGE = "<<"


@dataclass(frozen=True)
class Shape:
    """A mapping, or a list of such: its keys, and what is below them."""

    keys: frozenset[str] = frozenset()
    below: Mapping[str, Shape] = field(default_factory=dict)
    any_key: Shape | None = None
    """Keys are free, and each has this below it."""


def _shape(text: str, **below: Shape) -> Shape:
    return Shape(frozenset(text.split()) | below.keys(), below)


_SPECIFICATION = _shape("value type label description widget panel values index visibleif enabledif rows")
_VARIABLES = Shape(any_key=_SPECIFICATION)
_CHANNEL = "name type sndBufSize rcvBufSize rateLogging transport target"
_CONSTRAINTS = _shape("attribute value")
_HOOK = "trigger await timeout critical"
_COMMON: dict[str, Shape] = {
    "defaults": _VARIABLES, "vars": _VARIABLES, "constraints": _CONSTRAINTS, "connect": _shape(_CHANNEL),
    "bind": _shape(f"{_CHANNEL} global addressing"),
}  # fmt: skip


@cache
def _role() -> Shape:
    below = {
        **_COMMON, "task": _shape(f"load {_HOOK}"), "call": _shape(f"func return {_HOOK}"), "for": _shape("begin end range var"),
    }  # fmt: skip
    shape = Shape(frozenset({"name", "enabled", "include", "roles", *below}), below)
    below["roles"] = shape
    return shape


@cache
def _workflow() -> Shape:
    below = {**_COMMON, "roles": _role()}
    return Shape(frozenset({"name", "enabled", "description", *below}), below)


_TASK = _shape(
    "name defaults vars properties", control=_shape("mode"), wants=_shape("cpu memory ports"), limits=_shape("cpu memory"),
    bind=_COMMON["bind"], connect=_COMMON["connect"], constraints=_CONSTRAINTS,
    command=_shape("shell value user env arguments stdout stderr log"),
)  # fmt: skip


def check_keys(report: Report, place: Place, *, is_task: bool) -> None:
    """Report keys that nobody reads."""
    for key, message in _unknown(place.root, _TASK if is_task else _workflow(), 0):
        report.add("unknown-key", message, place.file, key.start_mark.line + 1, key.start_mark.column + 1)


def _unknown(node: yaml.Node, shape: Shape, depth: int) -> Iterator[tuple[yaml.Node, str]]:
    node = followed(node)
    if depth > 100:
        return
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _unknown(item, shape, depth + 1)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        name = str(followed(key).value)
        if name == _MERGE:
            yield from _unknown(value, shape, depth + 1)
        elif shape.any_key:
            if value.tag == PUBLIC:
                yield from _unknown(value, shape.any_key, depth + 1)
        elif name not in shape.keys:
            yield key, f"nobody reads the key {name!r}{_near(name, shape)}"
        elif name in shape.below:
            yield from _unknown(value, shape.below[name], depth + 1)


def _near(name: str, shape: Shape) -> str:
    lower = {key.lower(): key for key in shape.keys}
    near = difflib.get_close_matches(name.lower(), lower, 1)
    return f": did you mean {lower[near[0]]}?" if near else f"; known here are {', '.join(sorted(shape.keys))}"
