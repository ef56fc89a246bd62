"""Variables of templates in a test: made by hand, or those of the production template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from server.api.replies import VariableSpec
from server.workflow.listing import list_folder

_PLAIN: dict[str, Any] = {
    "default": "", "type": "string", "label": "", "description": "", "widget": "editBox", "panel": "", "allowed": (),
    "order": 0, "visible_if": "", "enabled_if": "", "rows": 0,
}  # fmt: skip


def spec(name: str = "x", **more: Any) -> VariableSpec:
    """Return a variable as a template offers it."""
    return VariableSpec(name=name, **(_PLAIN | more))


def production_specs(reference: Path) -> tuple[VariableSpec, ...]:
    """Return the variables of the template that the experiment runs with, read as the core reads them."""
    listed = list_folder(reference / "corpus" / "ControlWorkflows-2026")
    template = next(one for one in listed if one.template == "readout-dataflow")
    specs = [
        VariableSpec(
            name=name, default=one.default, type=one.type, label=one.label, description=one.description, widget=one.widget,
            panel=one.panel, allowed=one.allowed, order=one.index, visible_if=one.visible_if, enabled_if=one.enabled_if,
            rows=one.rows,
        )
        for name, one in template.variables.items()
    ]  # fmt: skip
    return tuple(sorted(specs, key=lambda one: (one.panel, one.order, one.name)))
