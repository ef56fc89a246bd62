"""From a node of YAML to a resolved role: kinds, stages, iterators, includes (workflows-config.md 2 and 3).

Where files and task classes come from: load.py. The expressions themselves: server/template.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec
import yaml

from server.api.errors import CoreError, Reason
from server.template.channels import read_constraints, read_inbound, read_outbound
from server.template.documents import PUBLIC, Place, boolean, is_null, mapping, sequence, text
from server.template.errors import ExpressionError
from server.template.model import Constraint, Inbound, LoadedRole, Outbound, RoleKind, Traits
from server.template.render import render
from server.template.scope import Function
from server.workflow.variables import Scope, inherit

MAX_DEPTH = 64
"""Nested roles and includes; beyond it a template includes itself."""
MAX_ROLES = 200_000
"""In one workflow."""

_BODIES = ("roles", "task", "call", "include")


class Library(Protocol):
    """Where includes and task classes come from."""

    @property
    def functions(self) -> Mapping[str, Any]:
        """What expressions may call, bound to the repository."""

    def task_class(self, load: str) -> str:
        """Return the identifier of a task class and remember that it is wanted."""

    def include(self, expression: str) -> tuple[Place, Library]:
        """Return the document of another workflow, and the library of its repository."""


@dataclass(slots=True)
class _Budget:
    roles: int = 0


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads roles of one document."""

    place: Place
    library: Library
    depth: int = 0
    budget: _Budget = field(default_factory=_Budget)

    # ---- one role ----------------------------------------------------------------------------

    def aggregator(
        self, node: yaml.Node, parent: Scope, local: Mapping[str, str], *, name: str | None = None,
        above: tuple[dict[str, str], dict[str, str]] | None = None,
    ) -> LoadedRole | None:  # fmt: skip
        """Read a root or a role with ``roles``; None if it is disabled.

        Args:
            name: of an include role, which replaces the root's own.
            above: own defaults and vars of an include role, parents of the root's.
        """
        keys = mapping(self.place, node, "a role")
        role = self._common(keys, parent, local, name)
        if role is None:
            return None
        if above:
            role = role.below(*above)
        children: list[LoadedRole] = []
        kept = 0
        for item in sequence(self.place, keys.get("roles"), "roles"):
            found, survives = self.child(item, role.scope)
            children += found
            kept += survives
        if not kept:
            return None
        return role.loaded(RoleKind.AGGREGATOR, roles=tuple(children))

    def child(self, node: yaml.Node, parent: Scope) -> tuple[list[LoadedRole], bool]:
        """Return the roles that one entry of ``roles`` gives, and whether it keeps its parent alive."""
        keys = mapping(self.place, node, "a role")
        bodies = [key for key in _BODIES if not is_null(keys.get(key)) or (key == "roles" and key in keys)]
        if len(bodies) != 1:
            found = ", ".join(bodies) or "none"
            self.place.fail(
                node, f"a role needs exactly one of roles, task, call, include; here: {found}", role=parent.path
            )
        self.budget.roles += 1
        if self.depth > MAX_DEPTH or self.budget.roles > MAX_ROLES:
            self.place.fail(
                node, "the workflow grows without end", hint="does a template include itself?", role=parent.path
            )
        if is_null(keys.get("for")):
            role = self._one(bodies[0], node, keys, parent, {})
            return ([role], True) if role else ([], False)
        enabled = text(self.place, keys.get("enabled"), "enabled", "true")
        if not _is_true(enabled):  # the raw text: a templated one removes the iterator (workflows-config.md 2.10)
            return [], False
        copies = []
        for value, variable in self._iterate(keys["for"], parent):
            if role := self._one(bodies[0], node, keys, parent, {variable: value}):
                copies.append(role)
        return copies, True

    def _one(
        self, body: str, node: yaml.Node, keys: Mapping[str, yaml.Node], parent: Scope, local: Mapping[str, str]
    ) -> LoadedRole | None:
        inside = replace(self, depth=self.depth + 1)
        match body:
            case "roles":
                return inside.aggregator(node, parent, local)
            case "task":
                return inside._task(keys, parent, local)
            case "call":
                return inside._call(keys, parent, local)
            case _:
                return inside._include(keys, parent, local)

    # ---- kinds -------------------------------------------------------------------------------

    def _task(self, keys: Mapping[str, yaml.Node], parent: Scope, local: Mapping[str, str]) -> LoadedRole | None:
        role = self._common(keys, parent, local, None)
        if role is None:
            return None
        task = mapping(self.place, keys["task"], "task")
        load = role.text(task.get("load"), "task.load")
        if not load:
            self.place.fail(keys["task"], "a task role needs load, the name of a task template", role=role.path)
        return role.loaded(RoleKind.TASK, traits=self._traits(role, task), load=self.library.task_class(load))

    def _call(self, keys: Mapping[str, yaml.Node], parent: Scope, local: Mapping[str, str]) -> LoadedRole | None:
        role = self._common(keys, parent, local, None)
        if role is None:
            return None
        call = mapping(self.place, keys["call"], "call")
        return role.loaded(
            RoleKind.CALL,
            traits=self._traits(role, call),
            func=role.text(call.get("func"), "call.func"),
            return_var=role.text(call.get("return"), "call.return"),
        )

    def _include(self, keys: Mapping[str, yaml.Node], parent: Scope, local: Mapping[str, str]) -> LoadedRole | None:
        role = self._common(keys, parent, local, None)
        if role is None:
            return None
        expression = role.text(keys["include"], "include")
        try:
            place, library = self.library.include(expression)
        except CoreError as error:
            where = {"role": role.path} | error.where
            raise CoreError(
                error.reason, f"role {role.path} includes {expression!r}: {error.message}", hint=error.hint, **where
            ) from error
        reader = _Reader(place, library, self.depth, self.budget)
        above = role.own_defaults, role.own_vars
        return reader.aggregator(place.root, role.scope_as_parent(), {}, name=role.name, above=above)

    def _traits(self, role: _Role, keys: Mapping[str, yaml.Node]) -> Traits:
        trigger = role.text(keys.get("trigger"), "trigger")
        await_ = role.text(keys.get("await"), "await") if trigger else ""
        return Traits(
            trigger=trigger,
            await_=await_ or trigger,
            timeout=role.text(keys.get("timeout"), "timeout") or ("30s" if trigger else "0s"),
            critical=boolean(self.place, keys.get("critical"), "critical", True),
        )

    # ---- stages ------------------------------------------------------------------------------

    def _common(
        self, keys: Mapping[str, yaml.Node], parent: Scope, local: Mapping[str, str], name: str | None
    ) -> _Role | None:
        """Evaluate what all kinds share, stage by stage; None if the role is disabled (workflows-config.md 3.2)."""
        shown = name if name is not None else text(self.place, keys.get("name"), "name")
        path = f"{parent.path}.{shown}" if parent.path else shown
        above = {**parent.defaults, **parent.vars, **parent.user_vars, **local}
        ancestors = _ancestors(parent)
        if not self._enabled(keys, above, ancestors):
            return None
        defaults = self._section(keys, "defaults", above, ancestors, path)
        flat_defaults = inherit(parent.defaults, defaults or {}, defaults is None)
        known = {**flat_defaults, **parent.vars, **parent.user_vars, **local}
        variables = self._section(keys, "vars", known, ancestors, path)
        flat_vars = inherit(parent.vars, variables or {}, variables is None)
        stack = {**flat_defaults, **flat_vars, **parent.user_vars, **local}
        role = _Role(
            self.place, self.library, parent, "", path, stack, ancestors,
            own_defaults=defaults or {}, own_vars={**(variables or {}), **local},
            cuts_defaults=defaults is None, cuts_vars=variables is None,
            flat_defaults=flat_defaults, flat_vars={**flat_vars, **local},
        )  # fmt: skip
        role.name = name if name is not None else role.text(keys.get("name"), "name")
        role.path = f"{parent.path}.{role.name}" if parent.path else role.name
        role.read_wiring(keys)
        return role

    def _enabled(self, keys: Mapping[str, yaml.Node], known: Mapping[str, str], ancestors: Mapping[str, Any]) -> bool:
        """An expression that cannot be evaluated disables the role without a word, as in AliECS (workflows-config.md 3.3)."""
        raw = text(self.place, keys.get("enabled"), "enabled", "true")
        try:
            return _is_true(render(raw, known, {**self.library.functions, **ancestors}))
        except ExpressionError:
            return False

    def _section(
        self,
        keys: Mapping[str, yaml.Node],
        section: str,
        known: Mapping[str, str],
        ancestors: Mapping[str, Any],
        path: str,
    ) -> dict[str, str] | None:
        """Return the rendered values of ``defaults`` or ``vars``; None if the section is there and null."""
        if section not in keys:
            return {}
        if is_null(keys[section]):
            return None
        objects = {**self.library.functions, **ancestors}
        return {
            key: _evaluate(self.place, node, raw, known, objects, path)
            for key, node, raw in _values(self.place, keys[section], section)
        }

    # ---- iterators ---------------------------------------------------------------------------

    def _iterate(self, node: yaml.Node, parent: Scope) -> Iterator[tuple[str, str]]:
        """Yield (value, variable) of an iterator (workflows-config.md 2.10)."""
        keys = mapping(self.place, node, "for")
        variable = text(self.place, keys.get("var"), "for.var")
        known, objects = parent.stack(), self.library.functions

        def value(key: str) -> str:
            return _evaluate(
                self.place, keys[key], text(self.place, keys[key], f"for.{key}"), known, objects, parent.path
            )

        if not variable:
            self.place.fail(node, "invalid range specifier: for needs var", role=parent.path)
        if not is_null(keys.get("begin")) and not is_null(keys.get("end")):
            bounds = [value("begin"), value("end")]
            try:
                first, last = (int(bound) for bound in bounds if bound == bound.strip())
            except ValueError:
                self.place.fail(
                    node, f"begin and end must be whole numbers, are {bounds[0]!r} and {bounds[1]!r}", role=parent.path
                )
            if last - first > MAX_ROLES:
                self.place.fail(node, f"the range has {last - first + 1} values", role=parent.path)
            yield from ((str(number), variable) for number in range(first, last + 1))
            return
        if is_null(keys.get("range")):
            self.place.fail(node, "invalid range specifier: for needs range, or begin and end", role=parent.path)
        rendered = value("range")
        try:
            items = json.loads(rendered)
        except ValueError:
            items = 0
        if items is None:
            return
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            self.place.fail(
                keys["range"], f"range must be a JSON list of strings, is {rendered[:80]!r}",
                hint='write it like ["flp001","flp002"]', role=parent.path,
            )  # fmt: skip
        yield from ((item, variable) for item in items)


@dataclass(slots=True)
class _Role:
    """A role with its variables known, while the rest of it is read."""

    place: Place
    library: Library
    parent: Scope
    name: str
    path: str
    stack: Mapping[str, str]
    ancestors: Mapping[str, Any]
    own_defaults: dict[str, str]
    own_vars: dict[str, str]
    cuts_defaults: bool
    cuts_vars: bool
    flat_defaults: Mapping[str, str]
    flat_vars: Mapping[str, str]
    constraints: tuple[Constraint, ...] = ()
    bind: tuple[Inbound, ...] = ()
    connect: tuple[Outbound, ...] = ()

    @property
    def scope(self) -> Scope:
        """What the children see."""
        return Scope(self.name, self.path, self.parent, self.flat_defaults, self.flat_vars, self.parent.user_vars)

    def scope_as_parent(self) -> Scope:
        """What an included root sees above it: the include role's variables, under its parent's path."""
        return Scope(
            self.parent.name,
            self.parent.path,
            self.parent.parent,
            self.flat_defaults,
            self.flat_vars,
            self.parent.user_vars,
        )

    def below(self, defaults: dict[str, str], variables: dict[str, str]) -> _Role:
        """Return the role with an include role's own layers under its own (workflows-config.md 2.7)."""
        own_defaults = self.own_defaults if self.cuts_defaults else {**defaults, **self.own_defaults}
        own_vars = self.own_vars if self.cuts_vars else {**variables, **self.own_vars}
        return replace(self, own_defaults=own_defaults, own_vars=own_vars)

    def text(self, node: yaml.Node | None, key: str) -> str:
        """Return a rendered field of stage 4."""
        raw = text(self.place, node, key)
        if node is None or "{{" not in raw:
            return raw
        return _evaluate(self.place, node, raw, self.stack, self._objects(), self.path)

    def read_wiring(self, keys: Mapping[str, yaml.Node]) -> None:
        """Read constraints and channels and render what stage 5 renders."""
        objects = self._objects()

        def rendered(key: str, raw: str) -> str:
            return _evaluate(self.place, keys[key], raw, self.stack, objects, self.path) if "{{" in raw else raw

        self.constraints = tuple(
            Constraint(attribute=one.attribute, value=rendered("constraints", one.value))
            for one in read_constraints(self.place, keys.get("constraints"))
        )
        self.bind = tuple(
            msgspec.structs.replace(one, alias=rendered("bind", one.alias))
            for one in read_inbound(self.place, keys.get("bind"))
        )
        self.connect = tuple(
            msgspec.structs.replace(one, target=rendered("connect", one.target).strip())
            for one in read_outbound(self.place, keys.get("connect"))
        )

    def loaded(self, kind: RoleKind, **more: Any) -> LoadedRole:
        return LoadedRole(
            name=self.name,
            kind=kind,
            defaults=self.own_defaults,
            vars=self.own_vars,
            cuts_defaults=self.cuts_defaults,
            cuts_vars=self.cuts_vars,
            constraints=self.constraints,
            bind=self.bind,
            connect=self.connect,
            **more,
        )

    def _objects(self) -> dict[str, Any]:
        this = {"Name": self.name, "Path": self.path}
        return {**self.library.functions, **self.ancestors, "This": Function((), lambda: this, "role")}


def read_root(place: Place, library: Library, environment: Scope) -> LoadedRole | None:
    """Read a workflow template; None if its root is disabled.

    Raises:
        CoreError: names file, line, column, role and what was expected.
    """
    return _Reader(place, library).aggregator(place.root, environment, {})


def _values(place: Place, node: yaml.Node, section: str) -> Iterator[tuple[str, yaml.Node, str]]:
    """Yield (name, node, raw text) of a section; what is neither a scalar nor public does not exist (2.3)."""
    for key, value in mapping(place, node, section).items():
        if isinstance(value, yaml.ScalarNode):
            yield key, value, str(value.value)
        elif isinstance(value, yaml.MappingNode) and value.tag == PUBLIC:
            inner = mapping(place, value, f"{section}.{key}").get("value")
            yield key, inner or value, text(place, inner, f"{section}.{key}.value")


def _evaluate(
    place: Place, node: yaml.Node, raw: str, known: Mapping[str, str], objects: Mapping[str, Any], role: str
) -> str:
    try:
        return render(raw, known, objects)
    except ExpressionError as error:
        line, column = str(node.start_mark.line + 1), str(node.start_mark.column + 1)
        reason = Reason.VARIABLE_MISSING if error.missing else Reason.TEMPLATE_BROKEN
        hint = f"give it as a variable: -e {error.missing}=..." if error.missing else error.hint
        raise CoreError(
            reason, f"{place.file}:{line}:{column}: role {role or '(root)'}: {error.message}", hint=hint, file=place.file,
            line=line, column=column, role=role,
        ) from error  # fmt: skip


def _ancestors(parent: Scope) -> dict[str, object]:
    """Return ``Parent()`` and ``Up(n)`` as expressions see them; beyond the root there is nil (workflows-config.md 3.5)."""

    def up(levels: int) -> dict[str, str] | None:
        scope = parent.up(levels - 1) if levels > 0 else None
        return {"Name": scope.name, "Path": scope.path} if scope else None

    return {"Parent": Function((), lambda: up(1), "role"), "Up": Function(("int",), up, "role")}


def _is_true(value: str) -> bool:
    return value.strip().lower() in ("true", "1")
