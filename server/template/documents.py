"""YAML files of templates as nodes with their places: scalars keep their source spelling, every error names line and column.

What the nodes mean: server/workflow/roles.py and server/task/taskclass.py. A file from a repository is not trusted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import yaml

from server.api.errors import CoreError, Reason

MAX_BYTES = 4 * 1024 * 1024
"""Of one file; the largest of production has 0.1 MB."""
MAX_NODES = 200_000
"""Of one document with its aliases followed, so that an alias bomb is refused."""
PUBLIC = "!public"


class Place:
    """A file, and where in it; makes errors.

    Attributes:
        file: as people know it, relative to its repository.
    """

    def __init__(self, file: str, root: yaml.Node) -> None:
        self.file = file
        self.root = root

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
        text = resolved.read_text(encoding="utf-8")
    except OSError as error:
        raise CoreError(Reason.TEMPLATE_NOT_FOUND, f"{shown}: {error.strerror}", file=shown) from error
    except UnicodeDecodeError as error:
        raise CoreError(Reason.TEMPLATE_BROKEN, f"{shown} is not UTF-8: {error.reason}", file=shown) from error
    return parse(text, shown)


def parse(text: str, file: str) -> Place:
    """Parse one YAML document; ``file`` names it in errors."""
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise CoreError(
            Reason.TEMPLATE_BROKEN, f"{file}:{line}:{column}: bad YAML: {error.problem or error.context}", file=file,
            line=str(line), column=str(column),
        ) from error  # fmt: skip
    except yaml.YAMLError as error:
        raise CoreError(Reason.TEMPLATE_BROKEN, f"{file}: bad YAML: {error}", file=file) from error
    except RecursionError:
        raise CoreError(Reason.TEMPLATE_BROKEN, f"{file}: nested too deeply", file=file) from None
    if root is None:
        raise CoreError(Reason.TEMPLATE_BROKEN, f"{file} is empty", file=file, line="1")
    place = Place(file, root)
    _count(place)
    return place


def _count(place: Place) -> None:
    """Refuse documents that are small on disk and huge in memory, or that contain themselves."""
    count = 0
    stack: list[tuple[yaml.Node, frozenset[int]]] = [(place.root, frozenset())]
    while stack:
        node, above = stack.pop()
        count += 1
        if count > MAX_NODES or id(node) in above:
            place.fail(node, "the document grows too large through its aliases")
        inside = above | {id(node)} if not isinstance(node, yaml.ScalarNode) else above
        if isinstance(node, yaml.MappingNode):
            stack += [(one, inside) for pair in node.value for one in pair]
        elif isinstance(node, yaml.SequenceNode):
            stack += [(one, inside) for one in node.value]


def is_null(node: yaml.Node | None) -> bool:
    """True for a missing node and for YAML's null in any spelling."""
    return node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null")


def mapping(place: Place, node: yaml.Node, what: str) -> dict[str, yaml.Node]:
    """Return the entries of a mapping by key, ``<<`` merged in, explicit keys winning.

    Raises:
        CoreError: no mapping, or a key twice.
    """
    if not isinstance(node, yaml.MappingNode):
        place.fail(node, f"{what} must be a mapping")
    entries: dict[str, yaml.Node] = {}
    merged: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                for name, inner in mapping(place, one, "a merged value").items():
                    merged.setdefault(name, inner)
            continue
        if not isinstance(key, yaml.ScalarNode):
            place.fail(key, f"a key of {what} must be plain text")
        if key.value in entries:
            place.fail(key, f"key {key.value!r} stands twice in {what}")
        entries[key.value] = value
    return merged | entries


def sequence(place: Place, node: yaml.Node | None, what: str) -> list[yaml.Node]:
    """Return the items of a list, none for null."""
    if is_null(node):
        return []
    if not isinstance(node, yaml.SequenceNode):
        assert node is not None
        place.fail(node, f"{what} must be a list")
    return list(node.value)


def text(place: Place, node: yaml.Node | None, what: str, default: str = "") -> str:
    """Return a scalar in its source spelling; the default for null."""
    if is_null(node):
        return default
    if not isinstance(node, yaml.ScalarNode):
        assert node is not None
        place.fail(node, f"{what} must be plain text")
    return str(node.value)


def boolean(place: Place, node: yaml.Node | None, what: str, default: bool) -> bool:
    """Return a YAML boolean; templated text is none (workflows-config.md 2.5)."""
    if is_null(node):
        return default
    if isinstance(node, yaml.ScalarNode) and not node.style and node.value.lower() in ("true", "false"):
        return bool(node.value.lower() == "true")
    assert node is not None
    place.fail(node, f"{what} must be true or false", hint="expressions are not evaluated here")


def number(place: Place, node: yaml.Node | None, what: str, default: float) -> float:
    """Return a number, quoted or not."""
    if is_null(node):
        return default
    found = text(place, node, what)
    try:
        return float(found)
    except ValueError:
        assert node is not None
        place.fail(node, f"{what} must be a number, is {found!r}")


def walk(node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    """Yield (key, value) of every mapping at any depth."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), value
            yield from walk(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from walk(item)
