"""Which names each role of a template sees, found without evaluating anything (workflows-config.md 3.2).

So roles that are off now are looked at too, which loading cannot do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from server.lint.expressions import Analysis, analyse
from server.lint.missing import Missing
from server.lint.report import Report
from server.lint.rules import RULES, Severity
from server.lint.sources import Sources
from server.template.places import locate
from server.template.render import OPEN
from server.workflow.roles import MAX_DEPTH
from server.workflow.templates import Body, RoleTemplate, Section, Text, WorkflowTemplate

MAX_VISITS = 20_000
"""Roles looked at for one template, its includes followed."""


class Names(NamedTuple):
    """Names that a role sees, by layer."""

    defaults: frozenset[str]
    vars: frozenset[str]
    user: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.defaults | self.vars | self.user


def texts(role: RoleTemplate) -> Iterator[tuple[str, Text]]:
    """Yield every text of a role that is rendered, with the key that it stands under."""
    yield "enabled", role.enabled
    for section, values in (("defaults", role.defaults), ("vars", role.vars)):
        for key, text in values.values:
            yield f"{section}.{key}", text
    yield from _behind(role)
    if role.iteration:
        for key in ("begin", "end", "range"):
            if text := getattr(role.iteration, key):
                yield f"for.{key}", text


def _behind(role: RoleTemplate) -> Iterator[tuple[str, Text]]:
    """Yield what is rendered once all variables of a role are known."""
    yield "name", role.name
    if role.action:
        for key, text in (
            ("load", role.action.load), ("func", role.action.func), ("return", role.action.return_var),
            ("trigger", role.action.trigger), ("await", role.action.await_), ("timeout", role.action.timeout),
        ):  # fmt: skip
            yield key, text
    if role.body is Body.INCLUDE:
        yield "include", role.include
    for key, pairs in (("constraints", role.constraints), ("bind", role.bind), ("connect", role.connect)):
        for _, text in pairs:
            yield key, text


class ScopeCheck:
    """Looks at the names in all roles of one template.

    Args:
        objects: functions and namespaces of expressions.
        missing: what loading has found to be missing, which is not told again.
        severity: of a name that is not there.
    """

    def __init__(
        self, report: Report, sources: Sources, objects: Mapping[str, object], missing: Missing, severity: Severity
    ) -> None:
        self._report = report
        self._sources = sources
        self._objects = objects
        self._missing = missing
        self._severity = severity
        self._visits = 0

    def check(self, template: WorkflowTemplate, given: Names) -> None:
        """Look at a template and at what it includes by name."""
        self._role(template, template.root, given, "", 0)

    def _role(
        self, template: WorkflowTemplate, role: RoleTemplate, above: Names, parent: str, depth: int, name: str = ""
    ) -> None:  # fmt: skip
        """Look at a role; ``name`` is that of the include role whose place it takes."""
        self._visits += 1
        if depth > MAX_DEPTH or self._visits > MAX_VISITS:
            return
        path = f"{parent}.{name or role.name.value}" if parent else name or role.name.value
        own = frozenset(key for key, _ in role.defaults.values)
        local = frozenset({role.iteration.variable}) if role.iteration else frozenset[str]()

        def look(text: Text, known: frozenset[str], hint: str = "") -> Analysis:
            return self._text(template, text, known, path, hint)

        if role.iteration:
            for bound in filter(None, (role.iteration.begin, role.iteration.end, role.iteration.range)):
                hint = "for does not see the defaults of its own role: put it a role above"
                self._text(template, bound, above.all, path, hint, own)
        look(role.enabled, above.all | local, "enabled does not see the defaults and vars of its own role")
        self._section(template, role.defaults, above.all | local, path, "defaults")
        defaults = own if role.defaults.cut else above.defaults | own
        seen = defaults | above.vars | above.user | local
        self._section(template, role.vars, seen, path, "vars")
        own_vars = frozenset(key for key, _ in role.vars.values) | local
        below = Names(defaults, own_vars if role.vars.cut else above.vars | own_vars, above.user)
        for key, text in _behind(role):
            if key == "name" and name:
                continue
            found = look(text, below.all)
            if key == "include":
                self._include(template, role, text, found, below, path, depth)
        for child in role.roles:
            self._role(template, child, below, path, depth + 1)

    def _section(
        self, template: WorkflowTemplate, section: Section, known: frozenset[str], path: str, what: str
    ) -> None:
        siblings = frozenset(key for key, _ in section.values)
        for _, text in section.values:
            hint = f"{what} of one role do not see each other: put it a role above" + (
                ", or use vars, which see the defaults" if what == "defaults" else ""
            )
            self._text(template, text, known, path, hint, siblings)

    def _include(
        self,
        template: WorkflowTemplate,
        role: RoleTemplate,
        text: Text,
        found: Analysis,
        below: Names,
        path: str,
        depth: int,
    ) -> None:
        names = [text.value.partition("@")[0].removesuffix(".yaml")] if OPEN not in text.value else []
        for literal in found.literals:
            if not literal.function.startswith("dpl.GenerateFromUri") or literal.argument in self._sources.commands:
                continue
            if literal.function.endswith("OrFallbackToTemplate"):
                names.append(literal.argument)
                continue
            self._add("missing-command", template, text, literal.offset, f"there is no jit/{literal.argument}", path)
        for name in names:
            if "/" in name or not name:
                continue
            if name not in self._sources.workflows:
                self._add("missing-template", template, text, 0, f"there is no workflow template {name!r}", path)
            elif included := self._sources.workflow(name):
                inner = Names(below.defaults, below.vars, below.user)
                root = included.template.root
                # The included root takes the place of the include role, under that role's name.
                above = path.rpartition(".")[0]
                self._role(included.template, root, inner, above, depth + 1, role.name.value)

    def _text(
        self, template: WorkflowTemplate, text: Text, known: frozenset[str], path: str, hint: str = "",
        siblings: frozenset[str] | None = None,
    ) -> Analysis:  # fmt: skip
        """Look at one text; the hint is of use for names that are among the siblings (None: for every name)."""
        if OPEN not in text.value:
            return Analysis()
        found = analyse(text.value, self._objects)
        for fault in found.faults:
            self._add(fault.rule, template, text, fault.offset, fault.message, path, is_sure=True)
        for use in found.uses:
            if use.name in known or use.name in self._missing:
                continue
            rule = "tolerated-name" if use.tolerated else "undefined-name"
            says = "counts as empty text" if use.tolerated else "would fail"
            if siblings is not None and use.name not in siblings:
                hint = ""
            message = f"nothing defines {use.name}, which {says}"
            self._add(rule, template, text, use.offset, message, path, hint=hint, about=use.name)
        return found

    def _add(
        self, rule: str, template: WorkflowTemplate, text: Text, offset: int, message: str, path: str, *,
        is_sure: bool = False, hint: str = "", about: str = "",
    ) -> None:  # fmt: skip
        """Add a finding; what depends on the role being on is no error here: loading tells those."""
        line, column = locate(template.source, text.line, text.column, text.value, offset)
        for same in _TOLD.get(rule, ()):
            if self._report.has(same, template.file, line, column):
                return
        severity = RULES[rule].severity
        if not is_sure and severity is not Severity.INFO:
            severity = self._severity
        self._report.add(
            rule, message, template.file, line, column, role=path, hint=hint, severity=severity, about=about
        )


_TOLD = {
    "undefined-name": ("enabled-fails",),
    "missing-template": ("missing-template",),
    "missing-command": ("missing-command",),
    "bad-expression": ("bad-expression", "enabled-fails"),
    "unknown-function": ("enabled-fails", "bad-expression"),
}
"""Rules by which loading has told the same thing already, with more certainty."""
