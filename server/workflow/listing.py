"""What clients see of templates without loading them: names, descriptions, public variables (workflows-config.md 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import yaml

from occ.errors import AliecsError
from server.api.errors import CoreError
from server.template.documents import (
    PUBLIC,
    Place,
    integer,
    is_null,
    mapping,
    parse,
    read,
    sequence,
    text,
    walk,
)

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


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a file cannot be listed."""

    message: str
    hint: str = ""
    where: dict[str, str] = {}
    is_fatal: bool = False
    """A variable is declared twice, which fails the whole request (workflows-config.md 4.1)."""


class TemplateListing(msgspec.Struct, frozen=True, kw_only=True):
    """One template of one repository."""

    template: str
    repo: str = ""
    revision: str = ""
    description: str = ""
    public: bool = False
    variables: dict[str, VariableSpec] = {}
    problem: Problem | None = None


def list_folder(repository: Path) -> Iterator[TemplateListing]:
    """Yield what the files of a repository that is opened in place say, by name; a file that is no template says nothing."""
    for path in sorted((repository / "workflows").glob("*.yaml")):
        if not path.is_file():
            continue
        try:
            yield _list(read(path, repository), path.stem)
        except CoreError as error:
            yield TemplateListing(template=path.stem, problem=_problem(error))


def list_text(template: str, text: str) -> TemplateListing:
    """Return what the text of a template says."""
    try:
        return _list(parse(text, f"workflows/{template}.yaml"), template)
    except CoreError as error:
        return TemplateListing(template=template, problem=_problem(error))


def _list(place: Place, template: str) -> TemplateListing:
    keys = {} if is_null(place.root) else mapping(place, place.root, "a workflow template")
    name, description = keys.get("name"), keys.get("description")
    listing = TemplateListing(
        template=template,
        description=text(place, description, "description") if description and description.tag == PUBLIC else "",
        public=name is not None and name.tag == PUBLIC,
    )
    try:
        return msgspec.structs.replace(listing, variables=read_specs(place))
    except CoreError as error:
        return msgspec.structs.replace(listing, problem=_problem(error, is_fatal=True))


def _problem(error: CoreError, *, is_fatal: bool = False) -> Problem:
    return Problem(message=error.message, hint=error.hint, where=error.where, is_fatal=is_fatal)


def read_specs(place: Place) -> dict[str, VariableSpec]:
    """Return every variable tagged public under any ``defaults`` or ``vars`` of the document.

    Raises:
        CoreError: one is declared twice.
    """
    specs: dict[str, VariableSpec] = {}
    seen: set[int] = set()
    for section, node in walk(place.root):
        if section not in ("defaults", "vars") or not isinstance(node, yaml.MappingNode):
            continue
        for name, value in mapping(place, node, section).items():
            # What is merged in counts where it is written, or once if that is no section.
            if not isinstance(value, yaml.MappingNode) or value.tag != PUBLIC or id(value) in seen:
                continue
            seen.add(id(value))
            if name in specs:
                place.fail(value, f"public variable {name} is declared twice")
            spec = _read_spec(place, value, is_var=section == "vars")
            if spec is not None:
                specs[name] = spec
    return specs


def _integer(place: Place, keys: Mapping[str, yaml.Node], key: str, least: int, beyond: int) -> int:
    """Return an integer that fits its field on the wire; raises ValueError or CoreError."""
    value = integer(place, keys.get(key), key)
    if not least <= value < beyond:
        raise ValueError(key)
    return value


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
            index=_integer(place, keys, "index", -(1 << 31), 1 << 31),
            visible_if=text(place, keys.get("visibleif"), "visibleif"),
            enabled_if=text(place, keys.get("enabledif"), "enabledif"),
            rows=_integer(place, keys, "rows", 0, 1 << 32),
            is_var=is_var,
        )
    except (AliecsError, ValueError):
        return None
