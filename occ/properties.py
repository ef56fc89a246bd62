"""The arguments of a transition as a tree of strings, as the C++ tasks see them (boost::property_tree).

Values of ``__ptree__:`` arguments are parsed in ptree.py. The run number, which is read from the same arguments: here too.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator

from occ.errors import ConfigError, RefusedError

_log = logging.getLogger(__name__)

_PTREE = "__ptree__:"
_UINT32 = 0xFFFFFFFF
_ULONG_MAX = 0xFFFFFFFFFFFFFFFF
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?)(?=[0-9])0*([0-9]{0,21})")
"""With so many digits as it takes to be too large."""
_ESCAPES = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_RAW = re.compile(r'["\\/\x00-\x1f]')


class Properties:
    """One node of the tree: a value, and children in order of arrival, of which several may share a name.

    Paths are dotted: ``properties.get("chans.readout.0.address")``. Elements of a JSON array are children without a name,
    attributes of an XML element are below ``<xmlattr>``.
    """

    __slots__ = ("_children", "_first", "value")

    def __init__(self, value: str = "") -> None:
        self.value = value
        self._children: list[tuple[str, Properties]] = []
        self._first: dict[str, int] = {}
        """Where the first child of each name stands."""

    @classmethod
    def from_arguments(cls, arguments: Iterable[tuple[str, str]]) -> Properties:
        """Build the tree of a transition's arguments (occ-executor-mesos.md 1.3, "Argument handling").

        An argument ``__ptree__:<syntax>:<name>`` that cannot be understood is dropped with a warning, as by the original.
        """
        tree = cls()
        for key, value in arguments:
            if key.startswith(_PTREE):
                _attach(tree, key, value)
            else:
                tree.put(key, value)
        return tree

    def get(self, path: str, default: str = "") -> str:
        """Return the value at ``path``, ``default`` if there is no such node."""
        node = self.find(path)
        return default if node is None else node.value

    def get_int(self, path: str, default: int) -> int:
        """Return the whole number at ``path``; ConfigError if there is something else."""
        text = self.get(path)
        try:
            return int(text) if text else default
        except ValueError:
            raise ConfigError(f"property {path}: expected a whole number, found {text!r}") from None

    def get_float(self, path: str, default: float) -> float:
        """Return the number at ``path``; ConfigError if there is something else."""
        text = self.get(path)
        try:
            return float(text) if text else default
        except ValueError:
            raise ConfigError(f"property {path}: expected a number, found {text!r}") from None

    def find(self, path: str) -> Properties | None:
        """Return the node at ``path``; the empty path is this node."""
        parts = path.split(".")
        if parts[-1] == "":  # boost stops walking at the end of the text: "a." finds "a", unlike what put makes of it
            parts.pop()
        node: Properties | None = self
        for part in parts:
            node = node._child(part) if node is not None else None
        return node

    def put(self, path: str, value: str) -> None:
        """Set the value at ``path``; nodes on the way are made, children of an existing node stay."""
        node = self.find(path)
        if node is not None:
            node.value = value
        else:
            self.attach(path, Properties(value))

    def attach(self, path: str, subtree: Properties) -> None:
        """Put ``subtree`` at ``path``, in the place of what was there."""
        *way, last = path.split(".")
        node = self
        for part in way:
            child = node._child(part)
            if child is None:
                child = Properties()
                node.append(part, child)
            node = child
        position = node._first.get(last)
        if position is None:
            node.append(last, subtree)
        else:
            node._children[position] = (last, subtree)

    def append(self, name: str, child: Properties) -> None:
        """Add a child, also if there is one of that name already; ``name`` is not split at dots."""
        self._first.setdefault(name, len(self._children))
        self._children.append((name, child))

    def flat(self) -> dict[str, str]:
        """Return all values by dotted path, leaves and nodes that have a value beside their children."""
        return dict(self._flat(""))

    def to_json(self) -> str:
        """Return the tree as boost's ``write_json`` prints it.

        Raises:
            RefusedError: a node has a value and children, which JSON cannot say. Raised out of ``Device.configure`` it
                refuses the transition without a change of state, as in the original.
        """
        if self.value:
            raise RefusedError(
                "properties cannot be written as JSON: the root has a value (an argument without a name)"
            )
        return self._json(0) + "\n"

    def __iter__(self) -> Iterator[tuple[str, Properties]]:
        """Yield the children with their names."""
        return iter(self._children)

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self.find(path) is not None

    def __len__(self) -> int:
        return len(self._children)

    def __bool__(self) -> bool:
        return bool(self.value or self._children)

    def __repr__(self) -> str:
        return f"Properties({self.flat()})"

    def _child(self, name: str) -> Properties | None:
        position = self._first.get(name)
        return None if position is None else self._children[position][1]

    def _flat(self, prefix: str) -> Iterator[tuple[str, str]]:
        for name, child in self._children:
            path = f"{prefix}{name}"
            if child.value or not child._children:
                yield path, child.value
            yield from child._flat(f"{path}.")

    def _json(self, depth: int) -> str:
        if depth and not self._children:
            return _quoted(self.value)
        if self.value:
            raise RefusedError(
                f"properties cannot be written as JSON: a node has the value {self.value!r} and children"
            )
        array = depth > 0 and all(name == "" for name, _ in self._children)
        pad, end = "    " * (depth + 1), "    " * depth
        lines = [
            pad + ("" if array else f"{_quoted(name)}: ") + child._json(depth + 1) for name, child in self._children
        ]
        opening, closing = "[]" if array else "{}"
        return "\n".join((opening, *([",\n".join(lines)] if lines else []), end + closing))


def parse_run_number(text: str) -> int:
    """Return the run number in ``text`` as ``strtoul`` and a uint32 read it: 12xyz is 12, abc is 0, -1 is 4294967295."""
    match = _NUMBER.match(text)
    if match is None:
        return 0
    number = int(match[2] or 0)
    if number > _ULONG_MAX:
        return _ULONG_MAX & _UINT32
    return (-number if match[1] == "-" else number) & _UINT32


def _attach(tree: Properties, key: str, value: str) -> None:
    from occ.ptree import parse  # deferred: most tasks never receive such a payload

    if key.count(":") != 2:
        _log.warning("argument dropped: %s is not __ptree__:<syntax>:<name>", key)
        return
    _, syntax, name = key.split(":")
    try:
        tree.attach(name, parse(syntax, value))
    except ConfigError as error:
        _log.warning("argument %s dropped: %s", key, error)


def _quoted(text: str) -> str:
    return '"' + _RAW.sub(lambda found: _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04X}", text) + '"'
