"""The variable layers of a role while its workflow is loaded (workflows-config.md 1.2, 1.3, 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """What the children of one role inherit, and who it is.

    Attributes:
        defaults, vars: flattened along the chain of ancestors; user variables are the same everywhere.
        path: of the role, "" above the root.
    """

    name: str
    path: str
    parent: Scope | None
    defaults: Mapping[str, str]
    vars: Mapping[str, str]
    user_vars: Mapping[str, str]

    def stack(self) -> dict[str, str]:
        """Return the consolidated stack of the role."""
        return {**self.defaults, **self.vars, **self.user_vars}

    def up(self, levels: int) -> Scope | None:
        """Return the ancestor so many levels above, None beyond the root."""
        scope: Scope | None = self
        for _ in range(levels):
            scope = scope.parent if scope else None
        return scope if scope and scope.path else None


def inherit(above: Mapping[str, str], own: Mapping[str, str], cut: bool) -> dict[str, str]:
    """Return a layer with a role's own values over what it inherits; a null section inherits nothing."""
    return dict(own) if cut else {**above, **own}
