"""Who names whom in a repository: templates, tasks, variables. Needed for what only the whole shows."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import yaml

from server.lint.expressions import analyse
from server.lint.hooks import CALLS
from server.lint.report import Report
from server.lint.roles import every_role
from server.lint.scopes import texts
from server.lint.sources import Sources
from server.lint.tasks import add_at, rendered_texts
from server.lint.variables import fields, public
from server.template.render import OPEN

_AT_RUN_TIME = ("pdp_", "fill_info_", "run_", "lhc_", "original_run_", "detectors", "hosts", "auto_stop_", "fmq_", *(
    f"{service}_" for service in CALLS
))  # fmt: skip
"""Beginnings of variables that the core or a service reads by itself."""
_OVERRIDE = "PrefixedOverride"


class Mentions:
    """What the templates of a repository name.

    Attributes:
        included: workflow templates that another one includes, or offers as a choice.
        loads: task templates that a workflow loads by name.
        names: variables in expressions.
        overridden: variables that ``PrefixedOverride`` looks up with any prefix.
        generators: variables whose value is the name of a workflow template or of a command.
    """

    def __init__(self, sources: Sources, objects: Mapping[str, object], *, everywhere: bool) -> None:
        """``everywhere``: tasks and commands are read too, without which it is not known which variables are unused."""
        self.included: set[str] = set()
        self.loads: set[str] = set()
        self.names: set[str] = set()
        self.overridden: set[str] = set()
        self.generators: set[str] = set()
        self._sources = sources
        self._everywhere = everywhere
        for name in sources.workflows:
            self._read_workflow(name, objects)
        for name in sources.tasks if everywhere else ():
            if task := sources.task(name):
                for _, text, _ in rendered_texts(task):
                    self._read_text(text, objects)
        for name in sources.commands if everywhere else ():
            self._read_text(sources.command(name) or "", objects)

    def _read_workflow(self, name: str, objects: Mapping[str, object]) -> None:
        found = self._sources.workflow(name)
        if found is None:
            return
        for role, _ in every_role(found.template):
            for key, text in texts(role):
                names = self._read_text(text.value, objects)
                if key == "include":
                    self.generators |= names
                    if OPEN not in text.value:
                        self._include(name, text.value.partition("@")[0].removesuffix(".yaml"))
            if role.action and role.action.load.value:
                self.loads.add(role.action.load.value)
        for _, specification in public(found.place):
            for choice in choices(specification):
                if choice.value in self._sources.workflows:
                    self._include(name, choice.value)

    def _include(self, by: str, name: str) -> None:
        if name != by:
            self.included.add(name)

    def _read_text(self, text: str, objects: Mapping[str, object]) -> set[str]:
        if OPEN not in text:
            return set()
        found = analyse(text, objects)
        names = {use.name for use in found.uses}
        self.names |= names
        self.overridden |= {one.argument for one in found.literals if one.function.endswith(_OVERRIDE)}
        self.included |= {one.argument for one in found.literals if one.function.endswith("OrFallbackToTemplate")}
        return names

    def is_named(self, variable: str) -> bool:
        """Tell whether an expression, the core or a service may read the variable."""
        known = self.names | self.overridden
        return (
            not self._everywhere
            or variable in known
            or variable.startswith(_AT_RUN_TIME)
            or any(variable.endswith(f"_{name}") for name in self.overridden)
        )

    def names_workflows(self, variable: str) -> bool:
        """Tell whether the values of the variable are names of workflow templates or commands."""
        return any(variable == name or variable.endswith(f"_{name}") for name in self.generators)


def choices(specification: yaml.MappingNode) -> list[yaml.ScalarNode]:
    """Return the values that a public variable offers."""
    values = fields(specification).get("values")
    return (
        [one for one in values.value if isinstance(one, yaml.ScalarNode)]
        if isinstance(values, yaml.SequenceNode)
        else []
    )


def check_offers(report: Report, sources: Sources, mentions: Mentions, name: str) -> None:
    """Report public variables of one workflow template that nobody reads, and choices that lead nowhere."""
    found = sources.workflow(name)
    if found is None:
        return
    known = {*sources.workflows, *sources.commands}
    for variable, specification in public(found.place):
        if not mentions.is_named(variable):
            message = f"no template of the repository names the public variable {variable}"
            add_at(report, "unused-variable", found.place, specification, message, about=variable)
        if not mentions.names_workflows(variable):
            continue
        for choice in choices(specification):
            if choice.value.strip().lower() in ("", "none") or choice.value in known:
                continue
            near = difflib.get_close_matches(choice.value, sorted(known), 3)
            message = (
                f"{variable} offers {choice.value!r}: there is neither such a workflow template nor a command in jit/"
            )
            add_at(
                report,
                "unknown-choice",
                found.place,
                choice,
                message,
                hint=f"near are {', '.join(near)}" if near else "",
            )
