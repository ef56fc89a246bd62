"""The variables of a role while its workflow is resolved (workflows-config.md 1.2, 1.3). At run time: environment/tree.py."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass

from server.template.scope import Function


@dataclass(frozen=True)
class RoleObject:
    """What ``Parent()``, ``Up(n)`` and ``This()`` give to an expression."""

    name: str
    path: str

    @property
    def expression_fields(self) -> Mapping[str, object]:
        return {"Name": self.name, "Path": self.path}


class Lineage:
    """A role as its children see it; shared by all of them, hence never changed.

    Attributes:
        defaults, vars: flattened along the chain of ancestors.
        user_vars: the same for all roles while a workflow loads.
        stack: the consolidated stack, user variables over vars over defaults.
        path: "" for the environment, which stands above the root.
    """

    __slots__ = ("_objects", "_standing", "defaults", "name", "parent", "path", "stack", "user_vars", "vars")

    def __init__(
        self, name: str, path: str, parent: Lineage | None, defaults: Mapping[str, str], vars: Mapping[str, str],
        user_vars: Mapping[str, str],
    ) -> None:  # fmt: skip
        self.name = name
        self.path = path
        self.parent = parent
        self.defaults = defaults
        self.vars = vars
        self.user_vars = user_vars
        same = parent is not None and parent.defaults is defaults and parent.vars is vars
        self.stack: Mapping[str, str] = parent.stack if same and parent else {**defaults, **vars, **user_vars}
        self._standing: Mapping[str, object] | None = None
        self._objects: Mapping[str, object] = {}

    def renamed(self, name: str, path: str) -> Lineage:
        """Return the same role under its rendered name."""
        if name == self.name and path == self.path:
            return self
        other = copy(self)
        other.name, other.path = name, path
        return other

    def objects(self, standing: Mapping[str, object]) -> Mapping[str, object]:
        """Return what expressions of the children may call: the standing functions, and ``Parent()`` and ``Up(n)``."""
        if self._standing is not standing:
            up = Function(("int",), self._up, "role")
            self._objects = {**standing, "Parent": Function((), lambda: self._up(1), "role"), "Up": up}
            self._standing = standing
        return self._objects

    def child_path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _up(self, levels: int) -> RoleObject | None:
        """Return the ancestor of a child, 1 being this role; None beyond the root."""
        role: Lineage | None = self
        for _ in range(levels - 1):
            if role is None:
                break
            role = role.parent
        return RoleObject(role.name, role.path) if levels > 0 and role and role.path else None


def inherit(above: Mapping[str, str], own: Mapping[str, str], *, cut: bool) -> Mapping[str, str]:
    """Return a layer with a role's own values over what it inherits; a null section inherits nothing."""
    if cut:
        return own
    return {**above, **own} if own else above


def seen_above(parent: Lineage, local: Mapping[str, str], *, cut_defaults: bool, cut_vars: bool) -> Mapping[str, str]:
    """Return what a role sees before it has variables of its own; a null section hides from it what it cuts off."""
    if cut_defaults or cut_vars:
        defaults = {} if cut_defaults else parent.defaults
        variables = {} if cut_vars else parent.vars
        return {**defaults, **variables, **parent.user_vars, **local}
    return {**parent.stack, **local} if local else parent.stack
