"""From role templates to resolved roles: stages, iterators, includes (workflows-config.md 3).

How templates are written: templates.py. Where includes and task classes come from: load.py. Expressions: server/template.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from server.api.errors import CoreError, Reason
from server.template.errors import ExpressionError
from server.template.gojson import JsonError, string_list, to_integer
from server.template.model import LoadedRole, RoleKind, Traits
from server.template.places import locate
from server.template.remarks import Remark
from server.template.render import OPEN, render_in
from server.template.scope import Function, Scope
from server.workflow.findings import UNKNOWN, Findings, Origin, placed
from server.workflow.templates import Body, Iteration, RoleTemplate, Section, Text, WorkflowTemplate
from server.workflow.variables import Lineage, RoleObject, inherit, seen_above

MAX_DEPTH = 50
"""Roles in one another, includes counted; beyond it a template includes itself."""
MAX_ROLES = 100_000
"""In one workflow."""
MAX_CHARACTERS = 100_000_000
"""Of all rendered texts of one workflow; production has some for each role."""


class Library(Protocol):
    """One repository, as the roles of its templates see it."""

    @property
    def objects(self) -> Mapping[str, object]:
        """All that expressions may call."""

    @property
    def plain_objects(self) -> Mapping[str, object]:
        """The same without the generators: what a ``range`` may call."""

    def include(self, expression: str) -> tuple[WorkflowTemplate, Library]:
        """Return another template and the library of its repository; raises CoreError."""

    def task_class(self, load: str) -> str:
        """Return the identifier of a task class; raises CoreError."""


def resolve(template: WorkflowTemplate, library: Library, environment: Lineage, findings: Findings) -> LoadedRole:
    """Resolve a workflow. A root that is disabled, or has nothing in it, is an empty tree with ``enabled`` false.

    Args:
        environment: the layers above the root.

    Raises:
        CoreError: TEMPLATE_BROKEN or VARIABLE_MISSING with file, line, column and role, or what ``library`` raises.
    """
    resolver = _Resolver(template, library, findings, 0)
    return resolver.aggregator(template.root, environment, {})


@dataclass(slots=True)
class _Own:
    """What a role has once its stages 0 to 4 are done."""

    name: str
    path: str
    lineage: Lineage
    stack: Mapping[str, str]
    defaults: Mapping[str, str]
    vars: Mapping[str, str]
    objects: Mapping[str, object]
    enabled: bool = True
    _scope: Scope | None = None

    @property
    def scope(self) -> Scope:
        """What stages 4 and 5 see."""
        if self._scope is None:
            self._scope = Scope(self.stack, {**self.objects, "This": _this(self.name, self.path)})
        return self._scope


@dataclass(frozen=True, slots=True)
class _Resolver:
    """Resolves the roles of one template."""

    template: WorkflowTemplate
    library: Library
    findings: Findings
    depth: int

    # ---- kinds of roles ------------------------------------------------------------------------

    def aggregator(
        self, role: RoleTemplate, parent: Lineage, local: Mapping[str, str], *, include: _Own | None = None
    ) -> LoadedRole:
        """Resolve a root or a role with ``roles``.

        Args:
            include: the include role that this root takes the place of; ``parent`` has its layers already.
        """
        own = self._stages(role, parent, local, name=include.name if include else None)
        children: list[LoadedRole] = []
        survives = False
        for child in role.roles if own.enabled else ():
            found, keeps = self._child(child, own.lineage)
            children += found
            survives = survives or keeps
        if not (own.enabled and survives):
            return self._loaded(role, own, RoleKind.AGGREGATOR, enabled=False)
        loaded = self._loaded(role, own, RoleKind.AGGREGATOR, roles=tuple(children))
        return _below(loaded, include) if include else loaded

    def _child(self, role: RoleTemplate, parent: Lineage) -> tuple[list[LoadedRole], bool]:
        """Return the roles that one entry of ``roles`` gives, and whether it keeps its parent alive."""
        if role.iteration is None:
            one = self._one(role, parent, {})
            return ([one], True) if one else ([], False)
        copies = [
            one
            for value in self._values(role, role.iteration, parent)
            if (one := self._one(role, parent, {role.iteration.variable: value}))
        ]
        # The iterator lives by its text as it is written, so a templated one removes it; an empty iterator lives.
        return (copies, True) if _is_true(role.enabled.value) else ([], False)

    def _one(self, role: RoleTemplate, parent: Lineage, local: Mapping[str, str]) -> LoadedRole | None:
        self.findings.roles += 1
        if self.depth >= MAX_DEPTH or self.findings.roles > MAX_ROLES:
            what = f"deeper than {MAX_DEPTH}" if self.depth >= MAX_DEPTH else f"beyond {MAX_ROLES} roles"
            raise self._broken(
                role.name,
                parent.child_path(role.name.value),
                f"the workflow grows {what}: does a template include itself?",
            )
        inside = _Resolver(self.template, self.library, self.findings, self.depth + 1)
        loaded = inside._enter(role, parent, local)
        if loaded and self.findings.errors is not None:
            origins = self.findings.origins.setdefault(parent.child_path(loaded.name), [])
            origins.append(Origin(self.template, role))
        return loaded

    def _enter(self, role: RoleTemplate, parent: Lineage, local: Mapping[str, str]) -> LoadedRole | None:
        if role.body is Body.ROLES:
            loaded = self.aggregator(role, parent, local)
            if not loaded.enabled:
                self.findings.disable(parent.child_path(loaded.name))
            return loaded if loaded.enabled else None
        own = self._stages(role, parent, local)
        if not own.enabled:
            self.findings.disable(own.path)
            return None
        return self._include(role, own) if role.body is Body.INCLUDE else self._action(role, own)

    def _action(self, role: RoleTemplate, own: _Own) -> LoadedRole | None:
        """Resolve a task or call role."""
        assert role.action is not None
        action = role.action
        hooked = bool(action.trigger.value)  # defaults go by what is written, whatever it is rendered to
        trigger = self._own_text(action.trigger, own)
        await_ = self._own_text(action.await_, own) if hooked and action.await_.value else trigger
        timeout = self._own_text(action.timeout, own) if action.timeout.value else "30s" if hooked else "0s"
        traits = Traits(trigger=trigger, await_=await_, timeout=timeout, critical=action.critical)
        if role.body is Body.CALL:
            return self._loaded(
                role, own, RoleKind.CALL, traits=traits, func=self._own_text(action.func, own),
                return_var=self._own_text(action.return_var, own),
            )  # fmt: skip
        load = self._own_text(action.load, own)
        if UNKNOWN in load:
            return None
        if not load:
            place = action.load if action.load.line else role.name
            self.findings.fail(self._broken(place, own.path, "a task role needs load"))
            return None
        where = self._where(action.load, own.path)
        try:
            identifier = self.library.task_class(load)
        except CoreError as error:
            self.findings.fail(placed(error, where), error)
            return None
        self.findings.loads.setdefault(identifier, where)
        return self._loaded(role, own, RoleKind.TASK, traits=traits, load=identifier)

    def _include(self, role: RoleTemplate, own: _Own) -> LoadedRole | None:
        """Replace an include role by the root that it names, in its repository (workflows-config.md 2.7)."""
        expression = self._own_text(role.include, own)
        opaque = self._loaded(role, own, RoleKind.AGGREGATOR)  # its constraints and channels are rendered, and lost
        if UNKNOWN in expression:
            return msgspec.structs.replace(opaque, include=expression)
        try:
            template, library = self.library.include(expression)
        except CoreError as error:
            self.findings.fail(placed(error, self._where(role.include, own.path)), error)
            return msgspec.structs.replace(opaque, include=expression)
        self.findings.remark(*template.remarks)
        # The included root has the include role's layers above it, and the same parent.
        above = own.lineage.parent
        assert above is not None
        parent = Lineage(
            above.name, above.path, above.parent, own.lineage.defaults, own.lineage.vars, own.lineage.user_vars
        )
        loaded = _Resolver(template, library, self.findings, self.depth).aggregator(
            template.root, parent, {}, include=own
        )
        if not loaded.enabled:
            self.findings.disable(own.path)
            return None
        return msgspec.structs.replace(loaded, include=expression)

    # ---- stages --------------------------------------------------------------------------------

    def _stages(
        self, role: RoleTemplate, parent: Lineage, local: Mapping[str, str], *, name: str | None = None
    ) -> _Own:
        """Evaluate what all kinds have in common, stages 0 to 4 (workflows-config.md 3.2).

        Every stage sees only what the stages before it have made; values of one section never see each other.
        """
        # The name of an include role was rendered with it, and is looked at again with the root that took its place.
        written = role.name if name is None else Text(name, role.name.line, role.name.column)
        raw = written.value
        path = parent.child_path(raw)
        objects = parent.objects(self.library.objects)
        above = seen_above(parent, local, cut_defaults=role.defaults.cut, cut_vars=role.vars.cut)
        scope = Scope(above, objects)
        if not self._enabled(role, scope, path):
            defaults, variables = _raw(role.defaults), {**_raw(role.vars), **local}
            return _Own(raw, path, parent, above, defaults, variables, objects, enabled=False)
        defaults = self._section(role.defaults, scope, path)
        flat_defaults = inherit(parent.defaults, defaults, cut=role.defaults.cut)
        if flat_defaults is not parent.defaults and role.vars.values:
            scope = Scope({**flat_defaults, **parent.vars, **parent.user_vars, **local}, objects)
        variables = {**self._section(role.vars, scope, path), **local}
        flat_vars = inherit(parent.vars, variables, cut=role.vars.cut)
        lineage = Lineage(raw, path, parent, flat_defaults, flat_vars, parent.user_vars)
        stack = {**lineage.stack, **local} if local else lineage.stack
        own = _Own(raw, path, lineage, stack, defaults, variables, objects)
        if OPEN not in raw:
            return own
        name = self._render(written, own.scope, path)
        path = parent.child_path(name)
        return _Own(name, path, lineage.renamed(name, path), stack, defaults, variables, objects)

    def _enabled(self, role: RoleTemplate, scope: Scope, path: str) -> bool:
        """An ``enabled`` that cannot be evaluated disables the role (workflows-config.md 3.3)."""
        try:
            said = render_in(role.enabled.value, scope)
            if said.strip().lower() not in _WORDS and UNKNOWN not in said:
                message = f"role {path} is disabled, its enabled is {said[:100]!r}: only true and 1 enable"
                place = self.template.file, role.enabled.line, role.enabled.column
                self.findings.remark(Remark("enabled-word", *place, message, path))
            return _is_true(said)
        except ExpressionError as error:
            line, column = self._place(role.enabled, error)
            message = f"role {path} is disabled, its enabled fails: {error.message}"
            self.findings.remark(Remark("enabled-fails", self.template.file, line, column, message, path))
            return False

    def _section(self, section: Section, scope: Scope, path: str) -> dict[str, str]:
        return {key: self._render(text, scope, path) for key, text in section.values}

    def _loaded(
        self, role: RoleTemplate, own: _Own, kind: RoleKind, *, traits: Traits | None = None, load: str = "",
        func: str = "", return_var: str = "", roles: tuple[LoadedRole, ...] = (), enabled: bool = True,
    ) -> LoadedRole:  # fmt: skip
        """Evaluate stage 5 and make the role; a disabled one keeps its channels and constraints unevaluated."""

        def rendered(text: Text) -> str:
            return self._own_text(text, own) if own.enabled else text.value

        replace = msgspec.structs.replace
        return LoadedRole(
            name=own.name,
            kind=kind,
            defaults=dict(own.defaults),
            vars=dict(own.vars),
            cuts_defaults=role.defaults.cut,
            cuts_vars=role.vars.cut,
            constraints=tuple(replace(one, value=rendered(text)) for one, text in role.constraints),
            bind=tuple(replace(one, alias=rendered(text)) for one, text in role.bind),
            connect=tuple(replace(one, target=_bare(text.value, rendered(text))) for one, text in role.connect),
            traits=traits,
            load=load,
            func=func,
            return_var=return_var,
            roles=roles,
            enabled=enabled,
        )

    # ---- iterators -----------------------------------------------------------------------------

    def _values(self, role: RoleTemplate, iteration: Iteration, parent: Lineage) -> Iterator[str]:
        """Yield the values of an iterator, which sees what its parent sees (workflows-config.md 2.10)."""
        scope, path = Scope(parent.stack, self.library.plain_objects), parent.child_path(role.name.value)
        if iteration.range is not None:
            text = self._render(iteration.range, scope, path)
            if UNKNOWN in text:
                yield UNKNOWN
                return
            try:
                yield from string_list(text)
            except JsonError as error:
                problem = f"range must be a JSON list of strings, is {text[:200]!r}: {error}"
                broken = self._broken(iteration.range, path, problem, hint='write it like ["flp001","flp002"]')
                self.findings.fail(broken, error)
            return
        bounds: list[int] = []
        for bound in (iteration.begin, iteration.end):
            assert bound is not None
            text = self._render(bound, scope, path)
            number = to_integer(text)
            if UNKNOWN in text:
                yield UNKNOWN
                return
            if number is None:
                self.findings.fail(self._broken(bound, path, f"a bound must be a whole number, is {text[:200]!r}"))
                return
            bounds.append(number)
        yield from (str(number) for number in range(bounds[0], bounds[1] + 1))

    # ---- errors --------------------------------------------------------------------------------

    def _own_text(self, text: Text, own: _Own) -> str:
        """Render a text of stage 4 or 5."""
        return self._render(text, own.scope, own.path) if OPEN in text.value else text.value

    def _render(self, text: Text, scope: Scope, path: str) -> str:
        if OPEN not in text.value:
            return text.value
        try:
            rendered = render_in(text.value, scope)
            self.findings.characters += len(rendered)
            if self.findings.characters > MAX_CHARACTERS:
                raise self._broken(text, path, f"the texts of the workflow have more than {MAX_CHARACTERS} characters")
            return rendered
        except ExpressionError as error:
            reason = Reason.VARIABLE_MISSING if error.missing else Reason.TEMPLATE_BROKEN
            hint = f"give it: -e {error.missing}=…, or define it in the template" if error.missing else error.hint
            where = self._where(text, path, error)
            self.findings.fail(self._broken(text, path, error.message, hint=hint, reason=reason, where=where), error)
            return UNKNOWN

    def _broken(
        self, text: Text, path: str, problem: str, *, hint: str = "", reason: Reason = Reason.TEMPLATE_BROKEN,
        where: Mapping[str, str] | None = None,
    ) -> CoreError:  # fmt: skip
        where = where or self._where(text, path)
        place = f"{where['file']}:{where['line']}:{where['column']}"
        return CoreError(reason, f"{place}: role {path}: {problem}", hint=hint, **where)

    def _where(self, text: Text, path: str, error: ExpressionError | None = None) -> dict[str, str]:
        line, column = self._place(text, error) if error else (text.line, text.column)
        return {"file": self.template.file, "line": str(line), "column": str(column), "role": path}

    def _place(self, text: Text, error: ExpressionError) -> tuple[int, int]:
        """Return line and column of an error in an expression of a text."""
        return locate(self.template.source, text.line, text.column, text.value, error.offset_in(text.value))


def _below(loaded: LoadedRole, include: _Own) -> LoadedRole:
    """Put the layers of an include role beneath those of the root that took its place."""
    defaults = {} if loaded.cuts_defaults else include.defaults
    variables = {} if loaded.cuts_vars else include.vars
    return msgspec.structs.replace(
        loaded,
        defaults={**defaults, **loaded.defaults},
        vars={**variables, **loaded.vars},
        include_defaults=tuple(sorted(defaults.keys() - loaded.defaults.keys())),
        include_vars=tuple(sorted(variables.keys() - loaded.vars.keys())),
    )


def _this(name: str, path: str) -> Function:
    return Function((), lambda: RoleObject(name, path), "role")


def _bare(written: str, rendered: str) -> str:
    """Return a rendered text without the blanks around what was written; those of values stay."""
    start = len(written) - len(written.lstrip())
    return rendered[start : len(rendered) - (len(written) - len(written.rstrip()))] if written.strip() else ""


def _raw(section: Section) -> dict[str, str]:
    return {key: text.value for key, text in section.values}


def _is_true(text: str) -> bool:
    return text.strip().lower() in ("true", "1")


_WORDS = ("true", "1", "false", "0")
"""What ``enabled`` is meant to say."""
