"""The variables of a role while its workflow is resolved (workflows-config.md 1.2, 1.3). At run time: environment/tree.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from server.template.scope import Function


@dataclass(frozen=True)
class RoleObject:
    """What ``Parent()``, ``Up(n)`` and ``This()`` give to an expression."""

    name: str
    path: str

    @property
    def expression_fields(self) -> Mapping[str, object]:
        return {"Name": self.name, "Path": self.path}


@dataclass(frozen=True)
class Lineage:
    """A role as its children see it.

    Attributes:
        defaults, vars: flattened along the chain of ancestors. Shared between roles, hence never changed.
        user_vars: the same for all roles while a workflow loads.
        path: "" for the environment, which stands above the root.
    """

    name: str
    path: str
    parent: Lineage | None
    defaults: Mapping[str, str]
    vars: Mapping[str, str]
    user_vars: Mapping[str, str]

    @cached_property
    def stack(self) -> Mapping[str, str]:
        """The consolidated stack: user variables over vars over defaults."""
        above = self.parent
        if above is not None and above.defaults is self.defaults and above.vars is self.vars:
            return above.stack
        return {**self.defaults, **self.vars, **self.user_vars}

    @cached_property
    def relatives(self) -> dict[str, object]:
        """``Parent()`` and ``Up(n)`` of the children of this role."""
        return {
            "Parent": Function((), lambda: self._up(1), "role"),
            "Up": Function(("int",), self._up, "role"),
        }

    def child_path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _up(self, levels: int) -> RoleObject | None:
        """Return the ancestor of a child, 1 being this role; None beyond the root."""
        role: Lineage | None = self
        for _ in range(levels - 1):
            role = role.parent if role else None
        return RoleObject(role.name, role.path) if levels > 0 and role and role.path else None


def inherit(above: Mapping[str, str], own: Mapping[str, str], *, cut: bool) -> Mapping[str, str]:
    """Return a layer with a role's own values over what it inherits; a null section inherits nothing."""
    if cut:
        return own
    return {**above, **own} if own else above
