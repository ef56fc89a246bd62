"""Workflow templates as they are written: from YAML to role templates, nothing evaluated (workflows-config.md 2).

A whole file is read before any of it is evaluated, so a mistake is found in a disabled role too. What becomes of the
templates: roles.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import yaml

from server.template.channels import read_constraints, read_inbound, read_outbound
from server.template.documents import PUBLIC, Place, boolean, followed, is_null, mapping, sequence, text
from server.template.model import Constraint, Inbound, Outbound
from server.template.remarks import Remark

_Item = TypeVar("_Item", Constraint, Inbound, Outbound)


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar in its source spelling, and where it stands (from 1)."""

    value: str
    line: int
    column: int


class Body(Enum):
    """What a role is, apart from being iterated over."""

    ROLES = "roles"
    TASK = "task"
    CALL = "call"
    INCLUDE = "include"


@dataclass(frozen=True, slots=True)
class Section:
    """``defaults`` or ``vars``."""

    values: tuple[tuple[str, Text], ...] = ()
    cut: bool = False
    """The section is there and null: what ancestors say is not seen from here down."""


@dataclass(frozen=True, slots=True)
class Iteration:
    """``for``: either both bounds, or a range."""

    variable: str
    begin: Text | None
    end: Text | None
    range: Text | None


@dataclass(frozen=True, slots=True)
class Action:
    """The mapping under ``task`` or ``call``."""

    load: Text
    func: Text
    return_var: Text
    trigger: Text
    await_: Text
    timeout: Text
    critical: bool


@dataclass(frozen=True, slots=True)
class RoleTemplate:
    """One role of a file."""

    body: Body
    name: Text
    enabled: Text
    defaults: Section
    vars: Section
    constraints: tuple[tuple[Constraint, Text], ...]
    bind: tuple[tuple[Inbound, Text], ...]
    connect: tuple[tuple[Outbound, Text], ...]
    iteration: Iteration | None
    action: Action | None
    include: Text
    roles: tuple[RoleTemplate, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class WorkflowTemplate:
    """One file."""

    file: str
    """Relative to its repository."""
    root: RoleTemplate
    public: bool
    description: str
    remarks: tuple[Remark, ...]
    source: str
    """The whole text."""


def read_template(place: Place) -> WorkflowTemplate:
    """Read a workflow template.

    Raises:
        CoreError: TEMPLATE_BROKEN with file, line, column and what was expected.
    """
    if is_null(place.root):
        place.remark("empty-file", place.root, "the file is empty: a role that includes it does not exist")
        return WorkflowTemplate(place.file, _NO_ROLE, False, "", tuple(place.remarks), place.source)
    reader = _Reader(place)
    root = reader.role(place.root, is_root=True)
    keys = mapping(place, place.root, "a workflow template")
    name, description = keys.get("name"), keys.get("description")
    shown = description is not None and description.tag == PUBLIC
    return WorkflowTemplate(
        file=place.file,
        root=root,
        public=name is not None and name.tag == PUBLIC,
        description=text(place, description, "description") if shown else "",
        remarks=tuple(place.remarks),
        source=place.source,
    )


class _Reader:
    def __init__(self, place: Place) -> None:
        self._place = place

    def role(self, node: yaml.Node, *, is_root: bool = False) -> RoleTemplate:
        place = self._place
        keys = mapping(place, node, "a role")
        body = Body.ROLES if is_root else self._body(node, keys)
        iteration = None if is_root or is_null(keys.get("for")) else self._iteration(keys["for"])
        acts = body in (Body.TASK, Body.CALL)
        inbound, outbound = read_inbound(place, keys.get("bind")), read_outbound(place, keys.get("connect"))
        constraints = read_constraints(place, keys.get("constraints"))
        role = RoleTemplate(
            body=body,
            name=self._text(keys, "name"),
            enabled=self._text(keys, "enabled", "true"),
            defaults=self._section(keys, "defaults"),
            vars=self._section(keys, "vars"),
            constraints=self._each(keys, "constraints", "value", constraints),
            bind=self._each(keys, "bind", "global", inbound),
            connect=self._each(keys, "connect", "target", outbound),
            iteration=iteration,
            action=self._action(keys[body.value], body) if acts else None,
            include=self._text(keys, "include") if body is Body.INCLUDE else _NOTHING,
            roles=tuple(self.role(one) for one in sequence(place, keys.get("roles"), "roles"))
            if body is Body.ROLES
            else (),
            line=node.start_mark.line + 1,
            column=node.start_mark.column + 1,
        )
        self._look_at(role, keys)
        return role

    def _body(self, node: yaml.Node, keys: Mapping[str, yaml.Node]) -> Body:
        bodies = [body for body in Body if not is_null(keys.get(body.value))]
        if len(bodies) != 1:
            found = " and ".join(body.value for body in bodies) or "none of them"
            name = keys.get("name")
            shown = f"role {name.value!r}" if isinstance(name, yaml.ScalarNode) else "a role"
            self._place.fail(node, f"{shown} needs exactly one of roles, task, call, include; it has {found}")
        return bodies[0]

    def _text(self, keys: Mapping[str, yaml.Node], key: str, default: str = "") -> Text:
        node = keys.get(key)
        if node is None:
            return Text(default, 0, 0)
        return self._at(node, text(self._place, node, key, default))

    def _at(self, node: yaml.Node, value: str) -> Text:
        return Text(value, node.start_mark.line + 1, node.start_mark.column + 1)

    def _section(self, keys: Mapping[str, yaml.Node], section: str) -> Section:
        """Read variables; what is neither a scalar nor public does not exist (workflows-config.md 2.3)."""
        if section not in keys:
            return Section()
        if isinstance(followed(keys[section]), yaml.ScalarNode) and is_null(keys[section]):
            self._place.remark(
                "empty-section",
                keys[section],
                f"{section} is empty, which hides what the roles above say: remove the key",
            )
            return Section(cut=True)
        values: list[tuple[str, Text]] = []
        for key, node in mapping(self._place, keys[section], section).items():
            if isinstance(node, yaml.ScalarNode):
                values.append((key, self._at(node, str(node.value))))
            elif isinstance(node, yaml.MappingNode) and node.tag == PUBLIC:
                inner = mapping(self._place, node, f"{section}.{key}").get("value")
                values.append((key, self._at(inner or node, text(self._place, inner, f"{section}.{key}.value"))))
            else:
                self._place.remark(
                    "dropped-variable",
                    node,
                    f"{section}.{key} is neither text nor tagged {PUBLIC}: there is no such variable",
                )
        return Section(tuple(values))

    def _each(
        self, keys: Mapping[str, yaml.Node], key: str, field: str, values: Sequence[_Item]
    ) -> tuple[tuple[_Item, Text], ...]:
        """Pair each item of a list with the one field of it that is rendered later."""
        nodes = sequence(self._place, keys.get(key), key)
        fields = [self._text(mapping(self._place, node, key), field) for node in nodes]
        placed = [text if text.line else self._at(node, text.value) for node, text in zip(nodes, fields, strict=True)]
        return tuple(zip(values, placed, strict=True))

    def _iteration(self, node: yaml.Node) -> Iteration:
        keys = mapping(self._place, node, "for")
        bounds = {key: None if is_null(keys.get(key)) else self._text(keys, key) for key in ("begin", "end", "range")}
        counts = bounds["begin"] is not None and bounds["end"] is not None
        if is_null(keys.get("var")) or not (counts or bounds["range"]):
            self._place.fail(node, "invalid range specifier: for needs var, and either begin and end or range")
        return Iteration(
            self._text(keys, "var").value, bounds["begin"], bounds["end"], None if counts else bounds["range"]
        )

    def _action(self, node: yaml.Node, body: Body) -> Action:
        keys = mapping(self._place, node, body.value)
        is_task = body is Body.TASK
        return Action(
            load=self._text(keys, "load") if is_task else _NOTHING,
            func=_NOTHING if is_task else self._text(keys, "func"),
            return_var=_NOTHING if is_task else self._text(keys, "return"),
            trigger=self._text(keys, "trigger"),
            await_=self._text(keys, "await"),
            timeout=self._text(keys, "timeout"),
            critical=boolean(self._place, keys.get("critical"), "critical", True),
        )

    # ---- what the author may not have meant (workflows-config.md 13) ---------------------------

    def _look_at(self, role: RoleTemplate, keys: Mapping[str, yaml.Node]) -> None:
        shown = f"role {role.name.value!r}"
        if role.iteration and "{{" in role.enabled.value:
            self._place.remark(
                "iterator-enabled",
                keys["enabled"],
                f"{shown} has for and a templated enabled: it never exists; put the condition a role above",
            )
        if role.body is Body.INCLUDE and (role.constraints or role.bind or role.connect):
            lost = next(keys[key] for key in ("constraints", "bind", "connect") if not is_null(keys.get(key)))
            self._place.remark(
                "include-wiring", lost, f"{shown} is an include: its constraints and channels are not used"
            )


_NOTHING = Text("", 0, 0)
_NO_ROLE = RoleTemplate(
    body=Body.ROLES, name=_NOTHING, enabled=Text("false", 0, 0), defaults=Section(), vars=Section(), constraints=(), bind=(),
    connect=(), iteration=None, action=None, include=_NOTHING, roles=(), line=1, column=1,
)  # fmt: skip
"""What an empty file holds: a role that is not enabled."""
