"""Looks at a repository of templates: every file by itself, then every workflow as it loads with the given inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from occ.errors import AliecsError, ConfigError
from server.api.errors import CoreError, Reason
from server.lint.commands import check_commands, check_placement
from server.lint.generated import check_command
from server.lint.inputs import ENGINE, Inputs
from server.lint.keys import check_keys
from server.lint.mentions import Mentions, check_offers
from server.lint.missing import Missing, Need
from server.lint.report import Report
from server.lint.roles import add_in, check_roles
from server.lint.rules import Severity
from server.lint.scopes import Names, ScopeCheck
from server.lint.sources import Sources, Workflow, add_error
from server.lint.tasks import check_task
from server.lint.tree import Layers, Tree, check_channels, check_leaves
from server.lint.variables import check_variables
from server.template.access import service_objects
from server.template.errors import ExpressionError
from server.template.functions import UTILITIES
from server.template.model import LoadedWorkflow
from server.template.scope import Function
from server.workflow.findings import UNKNOWN, Findings, Origin
from server.workflow.jit import generator_objects
from server.workflow.load import load_workflow
from server.workflow.repos import RepositorySet

_ROLE = Function((), lambda: None, "role")
RELATIVES: Mapping[str, object] = {
    "Parent": _ROLE,
    "This": _ROLE,
    "Up": Function(("int",), lambda levels: None, "role"),
}


class Linter:
    """Looks at one repository.

    Args:
        folder: with ``workflows/`` and ``tasks/``.
        workflows: names of the templates to look at, with the tasks that they load; None: everything there is.
        name: of the repository; "": its folder.
    """

    def __init__(self, folder: Path, inputs: Inputs, workflows: Sequence[str] | None = None, *, name: str = "") -> None:
        self.report = Report()
        self._inputs = inputs
        self._sources = Sources(folder, self.report, name or str(folder))
        self._workflows = self._sources.workflows if workflows is None else tuple(workflows)
        self._is_whole = workflows is None
        self._plugins = inputs.plugins()
        self._objects = {**UTILITIES, **service_objects(inputs.services), **self._plugins}
        self._user = {**ENGINE, **{name: value for name, value in inputs.user_vars.items() if ":" not in name}}
        self._vars = {**inputs.vars, "__fmq_cleanup_count": "0"}
        self._tasks: set[str] = set()
        self._loaded: set[str] = set()

    def run(self) -> Report:
        """Look at everything.

        Raises:
            ConfigError: a workflow that was asked for does not exist.
        """
        for name in self._workflows:
            if name not in self._sources.workflows:
                known = ", ".join(self._sources.workflows[:8]) or "none"
                raise ConfigError(
                    f"there is no workflow template {name!r} in {self._sources.name}", hint=f"there are {known}"
                )
        for name in self._inputs.user_vars:
            if ":" in name:
                self.report.add("colon-variable", f"variable {name!r} is not used: its name has a colon", "")
        commands = {**self._objects, **generator_objects(self._sources.folder, None, {})}
        mentions = Mentions(self._sources, {**commands, **RELATIVES}, everywhere=self._is_whole)
        for name in self._workflows:
            if found := self._sources.workflow(name):
                self._look_at(name, found, mentions, {**commands, **RELATIVES})
        if self._is_whole:
            self._tasks |= set(self._sources.tasks)
            for name in self._sources.commands:
                check_command(self.report, self._sources, name, self._objects)
        for name in sorted(self._tasks):
            self.look_at_task(name)
            if self._is_whole and name not in mentions.loads and name not in self._loaded:
                self.report.add(
                    "unused-task", "no workflow of the repository loads this task template", f"tasks/{name}.yaml", 1, 1
                )
        return self.report

    def look_at_task(self, name: str) -> None:
        """Look at one task template by itself."""
        if task := self._sources.task(name):
            check_keys(self.report, task.place, is_task=True)
            properties = {**self._objects, "ToPtree": Function(("string", "string"), lambda payload, syntax: payload)}
            check_task(self.report, task, properties)

    def _look_at(self, name: str, found: Workflow, mentions: Mentions, objects: Mapping[str, object]) -> None:
        check_keys(self.report, found.place, is_task=False)
        check_variables(self.report, found.place, objects)
        check_roles(self.report, self._sources, found.template)
        check_offers(self.report, self._sources, mentions, name)
        is_entry = found.template.public or name not in mentions.included
        root = found.template.root.name
        if root.value != name:
            severity = Severity.ERROR if is_entry else Severity.WARNING
            message = f"the name of the template, {root.value!r}, is not that of its file"
            hint = f"call it {name}" + ("" if is_entry else "; it can be included, but not be asked for by itself")
            add_in(self.report, "file-name", found.template, root, message, hint=hint, severity=severity)
        if is_entry and not found.template.public:
            add_in(
                self.report, "private-root", found.template, root,
                "nothing includes this template, and it is not offered to users", hint="tag its name !public to offer it",
            )  # fmt: skip
        missing = Missing()
        self._load(name, found, missing, is_entry=is_entry)
        given = Names(frozenset(self._inputs.defaults), frozenset(self._vars), frozenset(self._user))
        severity = Severity.WARNING if is_entry else Severity.INFO
        ScopeCheck(self.report, self._sources, objects, missing, severity).check(found.template, given)
        missing.tell(self.report)

    # ---- loading -------------------------------------------------------------------------------

    def _load(self, name: str, found: Workflow, missing: Missing, *, is_entry: bool) -> None:
        findings = Findings(errors=[])
        repo, folder = self._sources.name, str(self._sources.folder)
        repositories = RepositorySet(hashes={repo: "lint"}, default=repo, folders={repo: folder})
        try:
            workflow = load_workflow(
                name, user_vars=self._user, defaults=self._inputs.defaults, vars=self._vars,
                repositories=repositories, services=self._inputs.services,
                generate=lambda command: UNKNOWN + command.name, objects=self._plugins, findings=findings,
            )  # fmt: skip
        except CoreError as error:
            add_error(self.report, error, "bad-template", found.template.file)
            return
        except (AliecsError, RecursionError) as error:
            self.report.add("bad-template", str(error) or "nested too deeply", found.template.file)
            return
        for one in findings.errors or ():
            if one.hint != f"call it {name}":
                self._add(one, missing, is_entry or not self._is_whole)
        for remark in findings.remarks:
            # A part may lack names that who includes it gives.
            mild = remark.rule == "enabled-fails" and not (is_entry or not self._is_whole)
            self.report.remark(remark, Severity.INFO if mild else None)
        self._loaded |= {load.rpartition("@")[0].rpartition("/")[2] for load in findings.loads}
        self._tasks |= {task for task in self._loaded if task in self._sources.tasks}
        self._look_at_tree(workflow, found, findings, missing, is_entry)

    def _add(self, error: CoreError, missing: Missing, is_wanted: bool) -> None:
        """Add an error of loading; an included template may lack variables, unless it is asked for by itself."""
        cause = error.__cause__
        if isinstance(cause, ExpressionError) and cause.missing:
            where = error.where
            severity = Severity.ERROR if is_wanted else Severity.INFO
            place = where["file"], int(where["line"]), int(where["column"])
            missing.add(cause.missing, Need(cause.message, *place, where.get("role", ""), severity))
            return
        if isinstance(cause, ExpressionError):
            rule = "bad-expression"
        elif error.reason is Reason.TEMPLATE_NOT_FOUND:
            rule = "missing-task" if "no task template" in error.message else "missing-template"
        else:
            rule = "bad-template"
        add_error(self.report, error, rule)

    def _look_at_tree(
        self, workflow: LoadedWorkflow, found: Workflow, findings: Findings, missing: Missing, is_entry: bool
    ) -> None:
        layers = Layers(self._inputs.defaults, self._vars, self._user)
        root = Origin(found.template, found.template.root)
        tree = Tree(workflow, root, findings.origins, self._sources, layers)
        check_leaves(self.report, tree)
        check_channels(self.report, tree, is_part=not is_entry)
        check_commands(self.report, tree, self._objects, missing, Severity.ERROR if is_entry else Severity.INFO)
        if self._inputs.hosts is not None:
            check_placement(self.report, tree, self._inputs.hosts)
