"""YAML files of templates as nodes with their places: scalars keep their source spelling, every error names line and column.

What the nodes mean: server/workflow/templates.py and taskclass.py. A file from a repository is not trusted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml

from server.api.errors import CoreError, Reason
from server.template.remarks import Remark

MAX_BYTES = 4 * 1024 * 1024
"""Of one file; the largest of production has 0.1 MB."""
MAX_NODES = 200_000
"""Of one document with its aliases followed, so that an alias bomb is refused."""
MAX_NESTING = 100
"""Of mappings and lists in one another."""
PUBLIC = "!public"


class Place:
    """A file, and where in it; makes errors and remarks.

    Attributes:
        file: as people know it, relative to its repository.
        source: the whole text.
        remarks: what was noted while the file was read.
    """

    def __init__(self, file: str, root: yaml.Node, source: str) -> None:
        self.file = file
        self.root = root
        self.source = source
        self.remarks: list[Remark] = []

    def remark(self, rule: str, node: yaml.Node, message: str) -> None:
        """Note something that is no error, once."""
        mark = node.start_mark
        remark = Remark(rule, self.file, mark.line + 1, mark.column + 1, message)
        if remark not in self.remarks:
            self.remarks.append(remark)

    def fail(self, node: yaml.Node, problem: str, *, hint: str = "", role: str = "") -> NoReturn:
        """Raise a CoreError that names the place of the node."""
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        raise CoreError(
            Reason.TEMPLATE_BROKEN, f"{self.file}:{line}:{column}: {problem}", hint=hint, file=self.file, line=str(line),
            column=str(column), role=role,
        )  # fmt: skip


def read(path: Path, repository: Path) -> Place:
    """Read one YAML document.

    Raises:
        CoreError: TEMPLATE_NOT_FOUND, or TEMPLATE_BROKEN with line and column.
    """
    shown = str(path.relative_to(repository))
    try:
        resolved = path.resolve(strict=True)
        if not resolved.is_relative_to(repository.resolve()):
            raise CoreError(Reason.TEMPLATE_BROKEN, f"{shown} leads out of its repository", file=shown)
        if resolved.stat().st_size > MAX_BYTES:
            raise CoreError(Reason.TEMPLATE_BROKEN, f"{shown} has more than {MAX_BYTES} bytes", file=shown)
        data = resolved.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        raise CoreError(Reason.TEMPLATE_NOT_FOUND, f"{shown}: {error.strerror}", file=shown) from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"{shown}:{line}:1: the line is not UTF-8: {error.reason}"
        raise CoreError(Reason.TEMPLATE_BROKEN, message, file=shown, line=str(line), column="1") from error
    if text.startswith(_POINTER):
        raise CoreError(
            Reason.TEMPLATE_BROKEN, f"{shown}:1:1: a pointer of git LFS, not the file", file=shown, line="1", column="1",
            hint="large files are not fetched: keep templates in git itself",
        )  # fmt: skip
    return parse(text, shown)


_POINTER = "version https://git-lfs.github.com/spec/"


def parse(text: str, file: str) -> Place:
    """Parse the first YAML document of a text, null if there is none; ``file`` names it in errors.

    Raises:
        CoreError: TEMPLATE_BROKEN with line and column.
    """
    try:
        root = _Composer(file, yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise CoreError(
            Reason.TEMPLATE_BROKEN, f"{file}:{line}:{column}: bad YAML: {error.problem or error.context}", file=file,
            line=str(line), column=str(column),
        ) from error  # fmt: skip
    except (yaml.YAMLError, UnicodeError) as error:  # of a character that no YAML text may have
        wrong = _FORBIDDEN.search(text)
        before = text[: wrong.start()] if wrong else ""
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        shown = f"character {wrong[0]!r} is not allowed" if wrong else str(error)
        raise CoreError(
            Reason.TEMPLATE_BROKEN,
            f"{file}:{line}:{column}: bad YAML: {shown}",
            file=file,
            line=str(line),
            column=str(column),
        ) from error
    if root is None:
        start = yaml.Mark(file, 0, 0, 0, None, 0)
        root = yaml.ScalarNode(_NULL, "", start, start)
    return Place(file, root, text)


_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL, _MERGE, _TEXT = "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"
_INTEGER = "tag:yaml.org,2002:int"
_PLAIN = {"": _NULL, "~": _NULL, "null": _NULL, "Null": _NULL, "NULL": _NULL, "<<": _MERGE}
"""Plain scalars that are no text; numbers and the like keep their spelling, so they need no tag of their own."""


class AliasNode(yaml.Node):
    """``*name``: a reference, which some sections do not follow (workflows-config.md 2.3)."""

    def __init__(self, target: yaml.Node, event: Any) -> None:
        super().__init__(target.tag, None, event.start_mark, event.end_mark)
        self.target = target


class _Composer:
    """Makes nodes of events; unlike PyYAML's own it keeps aliases apart from what they stand for."""

    def __init__(self, file: str, events: Iterator[Any]) -> None:
        self._file = file
        self._events = events
        self._anchors: dict[str, tuple[yaml.Node, int]] = {}

    def document(self) -> yaml.Node | None:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                root = self._node(next(self._events), 0)[0]
                next(self._events)  # the end: what stands behind the root is looked at as far as the next document
                return root
        return None

    def _node(self, event: Any, depth: int) -> tuple[yaml.Node, int]:
        """Return a node and how many it stands for, aliases followed."""
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                self._fail(event, f"unknown anchor {event.anchor!r}, or one that contains itself")
            target, weight = self._anchors[event.anchor]
            return AliasNode(target, event), weight
        node, weight = self._content(event, depth)
        if weight > MAX_NODES:
            self._fail(event, f"more than {MAX_NODES} values, aliases followed")
        if event.anchor:
            self._anchors[event.anchor] = node, weight
        return node, weight

    def _content(self, event: Any, depth: int) -> tuple[yaml.Node, int]:
        if depth > MAX_NESTING:
            self._fail(event, f"nested deeper than {MAX_NESTING}")
        tag = None if event.tag in (None, "!") else event.tag
        if isinstance(event, yaml.ScalarEvent):
            scalar: Any = event
            plain = _TEXT if scalar.style else _PLAIN.get(scalar.value, _TEXT)
            return yaml.ScalarNode(
                tag or plain, scalar.value, scalar.start_mark, scalar.end_mark, scalar.style or None
            ), 1
        items: list[yaml.Node] = []
        weight, end = 1, event.end_mark
        inner: Any
        for inner in self._events:
            if isinstance(inner, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                end = inner.end_mark
                break
            node, inside = self._node(inner, depth + 1)
            items.append(node)
            weight += inside
        start: Any = event.start_mark
        if isinstance(event, yaml.SequenceStartEvent):
            return yaml.SequenceNode(tag or "tag:yaml.org,2002:seq", items, start, end), weight
        pairs = list(zip(items[::2], items[1::2], strict=True))
        return yaml.MappingNode(tag or "tag:yaml.org,2002:map", pairs, start, end), weight

    def _fail(self, event: Any, problem: str) -> NoReturn:
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def followed(node: yaml.Node) -> yaml.Node:
    """Return the node itself or, for an alias, what it stands for."""
    return node.target if isinstance(node, AliasNode) else node


def is_null(node: yaml.Node | None) -> bool:
    """True for a missing node and for YAML's null in any spelling."""
    return node is None or (isinstance(found := followed(node), yaml.ScalarNode) and found.tag == _NULL)


def mapping(place: Place, node: yaml.Node, what: str) -> dict[str, yaml.Node]:
    """Return the entries of a mapping by key, ``<<`` merged in, explicit keys winning; a key that is null is no key.

    Raises:
        CoreError: no mapping, or a key twice.
    """
    found = followed(node)
    if not isinstance(found, yaml.MappingNode):
        place.fail(node, f"{what} must be a mapping")
    entries: dict[str, yaml.Node] = {}
    merged: dict[str, yaml.Node] = {}
    seen: set[str] = set()
    for one, value in found.value:
        key = followed(one)
        if not isinstance(key, yaml.ScalarNode):
            place.fail(one, f"a key of {what} must be plain text")
        if key.value in seen:
            place.fail(key, f"key {key.value!r} stands twice in {what}")
        seen.add(key.value)
        if key.tag == _MERGE:
            for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                for name, inner in mapping(place, part, "a merged value").items():
                    merged.setdefault(name, inner)
        elif key.tag == _NULL:
            place.remark("empty-item", one, f"a key of {what} is null and does not count: quote it if it is a name")
        else:
            entries[key.value] = value
    return {**merged, **entries} if merged else entries


def sequence(place: Place, node: yaml.Node | None, what: str) -> list[yaml.Node]:
    """Return the items of a list without those that are null; none for null."""
    if is_null(node):
        return []
    assert node is not None
    found = followed(node)
    if not isinstance(found, yaml.SequenceNode):
        place.fail(node, f"{what} must be a list")
    for item in found.value:
        if is_null(item):
            place.remark("empty-item", item, f"an empty item of {what} does not count: remove it")
    return [item for item in found.value if not is_null(item)]


def text(place: Place, node: yaml.Node | None, what: str, default: str = "") -> str:
    """Return a scalar in its source spelling; the default for null."""
    if is_null(node):
        return default
    assert node is not None
    found = followed(node)
    if not isinstance(found, yaml.ScalarNode):
        place.fail(node, f"{what} must be plain text")
    return str(found.value)


_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_YES = ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON")
_NO = ("n", "N", "no", "No", "NO", "off", "Off", "OFF")


def boolean(place: Place, node: yaml.Node | None, what: str, default: bool) -> bool:
    """Return a YAML boolean: templated text is none (workflows-config.md 2.5), nor is quoted ``true``.

    The words of YAML 1.1 are taken however they are written, as yaml.v3 does for a field that is a bool.
    """
    if is_null(node):
        return default
    assert node is not None
    found = followed(node)
    if isinstance(found, yaml.ScalarNode):
        plain = not found.style
        if found.value in _YES or (plain and found.value in _TRUE):
            return True
        if found.value in _NO or (plain and found.value in _FALSE):
            return False
    place.fail(node, f"{what} must be true or false", hint="expressions are not evaluated here")


def number(place: Place, node: yaml.Node | None, what: str, default: float) -> float:
    """Return a number, quoted or not."""
    if is_null(node):
        return default
    found = text(place, node, what).strip()
    assert node is not None
    if not _NUMBER.fullmatch(found) or not math.isfinite(float(found)):
        place.fail(node, f"{what} must be a number, is {found!r}")
    return float(found)


_NUMBER = re.compile(r"[+-]?([0-9](_?[0-9]){0,299}\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")


def integer(place: Place, node: yaml.Node | None, what: str) -> int:
    """Return a number without its fraction; 0 for null. It is no text: a quoted one is refused, ``0x10`` and ``010`` are not."""
    if is_null(node):
        return 0
    written = text(place, node, what)
    assert node is not None
    found = followed(node)
    plain = written.replace("_", "")
    if isinstance(found, yaml.ScalarNode) and not found.style and found.tag in (_TEXT, _INTEGER):
        for base, form in _INTEGERS.items():
            if form.fullmatch(plain):
                return int(plain, base)
        if _NUMBER.fullmatch(plain) and math.isfinite(value := float(plain)):
            return int(value)
    place.fail(node, f"{what} must be a number, is {written[:100]!r}")


_INTEGERS = {
    8: re.compile(r"[+-]?0[oO]?[0-7]{1,30}"),
    10: re.compile(r"[+-]?(0|[1-9][0-9]{0,30})"),
    16: re.compile(r"[+-]?0[xX][0-9a-fA-F]{1,30}"),
    2: re.compile(r"[+-]?0[bB][01]{1,70}"),
}
"""By base, as Go writes integers."""


def walk(node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    """Yield (key, value) of every mapping at any depth."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(followed(key).value), value
            yield from walk(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from walk(item)
