"""The variables of an environment with the layer that each comes from. Plain data in, rows out."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import NamedTuple

from server.api.model import Variables

DEFAULT, VAR, RUNTIME, USER = "default", "var", "runtime", "user"
"""Layers, the weakest first: defaults and vars of template and configuration, what was set as it went, what the user gave."""


class Variable(NamedTuple):
    """One variable as it counts."""

    name: str
    value: str
    layer: str
    instead_of: str | None
    """The value of the layer below that it stands over; None where there is none."""


def rows(variables: Variables, given: Mapping[str, str]) -> list[Variable]:
    """Return all variables by name, each with the value that counts.

    Args:
        given: what the user gave; the core keeps with it what is set while the environment lives.
    """
    runtime = {name: value for name, value in variables.user_vars.items() if name not in given}
    user = {name: value for name, value in variables.user_vars.items() if name in given}
    layers = ((USER, user), (RUNTIME, runtime), (VAR, variables.vars), (DEFAULT, variables.defaults))
    found = []
    for name in sorted({name for _, values in layers for name in values}):
        (layer, value), *below = [(layer, values[name]) for layer, values in layers if name in values]
        found.append(Variable(name, value, layer, below[0][1] if below else None))
    return found


def effective(variables: Variables | None) -> Mapping[str, str]:
    """Return the values that count, by name."""
    if variables is None:
        return {}
    layers = (variables.user_vars, variables.vars, variables.defaults)
    return ChainMap(*(dict(layer) for layer in layers))
