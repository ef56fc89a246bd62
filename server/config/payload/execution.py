"""Rendering one template with the names given to it, into an output."""

from __future__ import annotations

import re

from server.config.payload.errors import PayloadError
from server.config.payload.frame import Frame, Output, Run, State, Template, execute_all
from server.config.payload.values import Facts

FACTS = Facts(version="6.0.0")
"""The variable ``pongo2``: which dialect this is."""

_NAMES_OF_A_STEP = 2
"""Names that cost as much to hand over as a node costs to execute."""
_NAME = re.compile(r"[A-Za-z0-9_]+")


def execute_template(template: Template, names: dict[str, object], state: State, run: Run, output: Output) -> None:
    """Write what a template renders to. Escaping is on at its begin, wherever it is included.

    Raises:
        PayloadError: a name that is none, or that a macro of the template has; anything that goes wrong inside.
    """
    run.budget.step(len(names) // _NAMES_OF_A_STEP + 1)
    for name in names:
        if not _NAME.fullmatch(name):
            message = f"{name!r} is not the name of a variable"
            raise PayloadError(message, entry=template.entry, hint="only letters, digits and _ are allowed")
        if name in template.macros:
            message = f"the variable {name} has the name of an exported macro"
            raise PayloadError(message, entry=template.entry, hint="rename one of them")
    line = template.line()
    execute_all(line[0].nodes, Frame(run, line, names, {"pongo2": FACTS}, state), output)
