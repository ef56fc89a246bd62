"""What clients see of templates without loading them: names, descriptions, public variables (workflows-config.md 4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import yaml

from occ.errors import AliecsError
from server.template.documents import PUBLIC, Place, is_null, mapping, read, sequence, text, walk

TYPES = ("string", "number", "bool", "list", "map")
WIDGETS = ("editBox", "slider", "listBox", "dropDownBox", "comboBox", "radioButtonBox", "checkBox")


class VariableSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A variable that a user may set, and how to ask for it."""

    default: str = ""
    type: str = "string"
    label: str = ""
    description: str = ""
    widget: str = "editBox"
    panel: str = ""
    allowed: tuple[str, ...] = ()
    index: int = 0
    visible_if: str = ""
    enabled_if: str = ""
    rows: int = 0
    is_var: bool = False
    """It stands under ``vars``: the configuration does not replace its default."""


class TemplateListing(msgspec.Struct, frozen=True, kw_only=True):
    """One template of one repository."""

    repo: str
    template: str
    revision: str
    description: str = ""
    public: bool = False
    variables: dict[str, VariableSpec] = {}


def list_templates(repository: Path, repo: str, revision: str, *, every: bool) -> Iterator[TemplateListing]:
    """Yield the templates of a repository by name, those that are not public only if every one is asked for.

    Raises:
        CoreError: a file is broken, or declares a variable twice.
    """
    for path in sorted((repository / "workflows").glob("*.yaml")):
        place = read(path, repository)
        if not isinstance(place.root, yaml.MappingNode):
            continue
        keys = mapping(place, place.root, "a workflow template")
        name, description = keys.get("name"), keys.get("description")
        public = name is not None and name.tag == PUBLIC
        if not (public or every):
            continue
        yield TemplateListing(
            repo=repo,
            template=path.stem,
            revision=revision,
            description=text(place, description, "description") if description and description.tag == PUBLIC else "",
            public=public,
            variables=read_specs(place),
        )


def read_specs(place: Place) -> dict[str, VariableSpec]:
    """Return every variable tagged public under any ``defaults`` or ``vars`` of the document."""
    specs: dict[str, VariableSpec] = {}
    for section, node in walk(place.root):
        if section not in ("defaults", "vars") or not isinstance(node, yaml.MappingNode):
            continue
        for name, value in mapping(place, node, section).items():
            if not isinstance(value, yaml.MappingNode) or value.tag != PUBLIC:
                continue
            if name in specs:
                place.fail(value, f"public variable {name} is declared twice")
            spec = _read_spec(place, value, is_var=section == "vars")
            if spec is not None:
                specs[name] = spec
    return specs


def _read_spec(place: Place, node: yaml.Node, *, is_var: bool) -> VariableSpec | None:
    """Return a specification, None if it cannot be read: the others are shown all the same."""
    try:
        keys = mapping(place, node, "a variable specification")
        kind = text(place, keys.get("type"), "type", "string")
        widget = text(place, keys.get("widget"), "widget", "editBox")
        values = [] if is_null(keys.get("values")) else sequence(place, keys["values"], "values")
        return VariableSpec(
            default=text(place, keys.get("value"), "value"),
            type=kind if kind in TYPES else "string",
            label=text(place, keys.get("label"), "label"),
            description=text(place, keys.get("description"), "description"),
            widget=widget if widget in WIDGETS else "editBox",
            panel=text(place, keys.get("panel"), "panel"),
            allowed=tuple(text(place, one, "values") for one in values),
            index=int(text(place, keys.get("index"), "index", "0")),
            visible_if=text(place, keys.get("visibleif"), "visibleif"),
            enabled_if=text(place, keys.get("enabledif"), "enabledif"),
            rows=int(text(place, keys.get("rows"), "rows", "0")),
            is_var=is_var,
        )
    except (AliecsError, ValueError):
        return None
