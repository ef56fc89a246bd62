"""The roles of one environment as a tree, with the tasks below each role counted by state, kept true as roles change.

A part of the store (store.py), which decides what is applied. Paths need not be unique: a role is its ``order``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from server.api.model import Role

TASK = "task"
"""Kind of the roles that are counted; calls have no state of their own."""
ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class RoleCounts:
    """The tasks at and below a role, by the state of their roles."""

    states: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.states.values())

    @property
    def error(self) -> int:
        return self.states.get(ERROR, 0)


class _Node:
    """A place in the tree.

    Attributes:
        role: None for a parent that is not known yet, and for the place above the root.
        states: of the tasks at and below it; a count may have come down to 0.
    """

    __slots__ = ("children", "parent", "role", "states")

    def __init__(self, role: Role | None = None) -> None:
        self.role = role
        self.parent: _Node | None = None
        self.children: dict[int, _Node] = {}
        self.states: dict[str, int] = {}


class RoleTree:
    """All known roles of one environment. They may come in any order; one whose parent is missing is not below anything."""

    def __init__(self) -> None:
        self._nodes: dict[int, _Node] = {}
        self._top = _Node()

    # ---- reads -------------------------------------------------------------------------------

    def get(self, order: int) -> Role | None:
        node = self._nodes.get(order)
        return node.role if node else None

    def roles(self) -> list[Role]:
        """Return all roles in pre-order."""
        return [role for order in sorted(self._nodes) if (role := self._nodes[order].role)]

    def children(self, order: int | None) -> list[Role]:
        """Return the roles right below one, in order; for None those that have no parent."""
        node = self._top if order is None else self._nodes.get(order)
        return [] if node is None else [role for _, child in sorted(node.children.items()) if (role := child.role)]

    def tasks(self, order: int | None) -> list[Role]:
        """Return the task roles at and below one, in pre-order; for None all that are in the tree."""
        found: list[Role] = []
        top = self._top if order is None else self._nodes.get(order)
        waiting = [] if top is None else [top]
        while waiting:
            node = waiting.pop()
            if node.role is not None and node.role.kind == TASK:
                found.append(node.role)
            waiting += [child for _, child in sorted(node.children.items(), reverse=True)]
        return found

    def counts(self, order: int | None) -> RoleCounts:
        """Return the counts at and below a role; for None those of the whole tree."""
        node = self._top if order is None else self._nodes.get(order)
        return RoleCounts({} if node is None else {state: count for state, count in node.states.items() if count})

    # ---- writes ------------------------------------------------------------------------------

    def put(self, role: Role) -> None:
        """Take in a role as it is now. A change of its state costs a step per level."""
        node = self._nodes.get(role.order)
        if node is None:
            node = self._nodes[role.order] = _Node()
        elif (old := node.role) is not None:
            if old.parent_order == role.parent_order and old.kind == role.kind:
                node.role = role
                if old.state != role.state and role.kind == TASK:
                    _move(node, old.state, role.state)
                return
            self.remove(role.order)
            node = self._nodes.setdefault(role.order, node)
        node.role = role
        if role.kind == TASK:
            node.states[role.state] = node.states.get(role.state, 0) + 1
        parent = self._parent_of(role)
        node.parent, parent.children[role.order] = parent, node
        _add(parent, node.states, +1)

    def remove(self, order: int) -> None:
        """Forget a role; what is below it waits for it to come back."""
        node = self._nodes.get(order)
        if node is None or node.role is None:
            return
        parent = node.parent
        assert parent is not None, "a role has a place"
        _add(parent, node.states, -1)
        del parent.children[order]
        if parent.role is None and parent is not self._top and not parent.children:
            del self._nodes[node.role.parent_order]  # type: ignore[arg-type]  # only the top has no order
        if node.role.kind == TASK:
            node.states[node.role.state] -= 1
        node.role = node.parent = None
        if not node.children:
            del self._nodes[order]

    def _parent_of(self, role: Role) -> _Node:
        order = role.parent_order
        if order is None or order >= role.order:  # parents come first in pre-order
            return self._top
        return self._nodes.setdefault(order, _Node())


def _move(node: _Node, before: str, after: str) -> None:
    """Count a task under another state, all the way up."""
    at: _Node | None = node
    while at is not None:
        states = at.states
        states[before] -= 1
        states[after] = states.get(after, 0) + 1
        at = at.parent


def _add(node: _Node, states: Mapping[str, int], sign: int) -> None:
    """Add counts to a place and all above it, or take them away."""
    at: _Node | None = node
    while at is not None:
        for state, count in states.items():
            at.states[state] = at.states.get(state, 0) + sign * count
        at = at.parent
