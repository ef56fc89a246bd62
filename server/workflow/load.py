"""Load a workflow: from an expression like ``readout-demo`` to a resolved tree with its task classes.

Reads files of repositories and asks the configuration, nothing else; runs in the loader's process (worker.py), and in
any test. How roles are resolved: roles.py.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from server.api.errors import CoreError, Reason
from server.template.access import service_objects
from server.template.documents import Place, read
from server.template.functions import UTILITIES
from server.template.model import LoadedRole, LoadedWorkflow, TaskClass, TemplateInfo
from server.template.scope import Function
from server.template.services import Services
from server.template.taskclass import read_task_class
from server.workflow.findings import Findings
from server.workflow.generated import GeneratedTemplates
from server.workflow.jit import Generate, generator_objects
from server.workflow.repos import Fetch, RepositorySet, Source, Wanted, split, unknown_repository
from server.workflow.roles import resolve
from server.workflow.templates import WorkflowTemplate, read_template
from server.workflow.variables import Lineage

MAX_NAME = 200
"""Bytes of the name of a template."""
STANDING_OBJECTS: Mapping[str, object] = {"odc": {"GenerateEPNTopologyFullname": Function((), lambda: "")}}
"""What expressions may name of services that are not loaded (workflows-config.md 6.4)."""


def load_workflow(
    expression: str,
    *,
    user_vars: Mapping[str, str],
    defaults: Mapping[str, str],
    vars: Mapping[str, str],
    repositories: RepositorySet,
    services: Services,
    fetch: Fetch | None = None,
    generate: Generate | None = None,
    generated: GeneratedTemplates | None = None,
    objects: Mapping[str, object] = STANDING_OBJECTS,
    with_classes: bool = True,
    findings: Findings | None = None,
) -> LoadedWorkflow:
    """Load and resolve a workflow (workflows-config.md 3.1).

    Args:
        expression: ``[<repo>/workflows/]<name>[.yaml][@<revision>]``.
        user_vars, defaults, vars: the environment's layers.
        repositories: those that may be used without asking.
        fetch: gives all other repositories and revisions; None: there are none.
        generate: makes a workflow template of a DPL command; None: ``dpl.*`` fails, saying that there is no generator.
        generated: where its templates are, if not in the repository; they count as templates of every repository.
        objects: object functions of integrated services.
        with_classes: read the task classes too; without, the workflow names them only.
        findings: receives remarks and, if it has a list for them, all errors instead of raising the first.

    Raises:
        CoreError: names file, line, column, role, expression and what was expected.
    """
    repo, name, revision = split(expression, repositories.default.rstrip("/"))
    plugins = {**UTILITIES, **service_objects(services)}
    shared = _Shared(repositories, fetch, plugins, objects, generate, generated)
    library = _Library(shared.source(Wanted(repo=repo, revision=revision)), shared)
    template = library.template(name)
    root = template.root
    findings = Findings() if findings is None else findings
    if root.name.value != name:
        line, column = max(root.name.line, 1), max(root.name.column, 1)
        wrong = CoreError(
            Reason.TEMPLATE_BROKEN,
            f"{template.file}:{line}:{column}: the name of the template, {root.name.value!r}, is not that of its file",
            hint=f"call it {name}", file=template.file, line=str(line), column=str(column), role=root.name.value,
        )  # fmt: skip
        findings.fail(wrong)
    findings.remark(*template.remarks)
    tree = resolve(template, library, Lineage("", "", None, defaults, vars, user_vars), findings)
    info = TemplateInfo(
        expression=expression, name=name, description=template.description, public=template.public, repo=repo,
        revision=library.source.revision, hash=library.source.hash,
    )  # fmt: skip
    classes = _classes(tree, library, findings) if with_classes else {}
    return LoadedWorkflow(template=info, root=tree, classes=classes, warnings=tuple(map(str, findings.remarks)))


@dataclass(frozen=True)
class _Shared:
    """What all repositories of one load have in common; every file is read once per load, every revision fetched once."""

    repositories: RepositorySet
    fetch: Fetch | None
    objects: Mapping[str, object]
    plugins: Mapping[str, object]
    generate: Generate | None
    generated: GeneratedTemplates | None
    templates: dict[tuple[str, str], WorkflowTemplate] = field(default_factory=dict)
    sources: dict[tuple[str, str], Source] = field(default_factory=dict)
    """By repository, and both by revision as it was asked for and by hash."""

    def source(self, wanted: Wanted) -> Source:
        """Return the files of a revision; raises CoreError."""
        key = wanted.repo, wanted.revision
        if key not in self.sources:
            found = self.sources[key] = self._at_hand(wanted) or self._fetched(wanted)
            self.sources[found.repo, found.hash] = found
        return self.sources[key]

    def _at_hand(self, wanted: Wanted) -> Source | None:
        source = self.repositories.source(wanted.repo)
        return source if source and wanted.revision in ("", source.revision, source.hash) else None

    def _fetched(self, wanted: Wanted) -> Source:
        if self.fetch is not None:
            return self.fetch(wanted)
        if wanted.repo not in self.repositories.hashes:
            raise unknown_repository(wanted.repo, list(self.repositories.hashes))
        raise CoreError(
            Reason.REPOSITORY, f"repository {wanted.repo} has no revision {wanted.revision!r} here",
            hint="leave the revision out",
        )  # fmt: skip


@dataclass(frozen=True)
class _Library:
    """One revision of one repository while a workflow is loaded."""

    source: Source
    shared: _Shared

    @property
    def folder(self) -> Path:
        return Path(self.source.folder)

    @cached_property
    def plain_objects(self) -> Mapping[str, object]:
        return {**self.shared.objects, **self.shared.plugins}

    @cached_property
    def objects(self) -> Mapping[str, object]:
        generators = generator_objects(self.folder, self.shared.generate, self.plain_objects)
        return {**self.plain_objects, **generators}

    def template(self, name: str) -> WorkflowTemplate:
        """Return a workflow template by name; raises CoreError."""
        key = self.source.folder, name
        if key not in self.shared.templates:
            self.shared.templates[key] = read_template(self._read("workflows", "workflow template", name))
        return self.shared.templates[key]

    def include(self, expression: str) -> tuple[WorkflowTemplate, _Library]:
        """Return another template: of this revision, unless a revision or another repository is named."""
        is_here = "/" not in expression.partition("@")[0]
        default = self.source.repo if is_here else self.shared.repositories.default.rstrip("/")
        repo, name, revision = split(expression, default)
        library = self
        if repo != self.source.repo or revision not in ("", self.source.revision, self.source.hash):
            library = _Library(self.shared.source(Wanted(repo=repo, revision=revision)), self.shared)
        return library.template(name), library

    def task_class(self, load: str) -> str:
        """Return the identifier; a revision in ``load`` stays, and gets ours behind it (workflows-config.md 2.5)."""
        path = load if "/" in load else f"{self.source.repo}/tasks/{load}"
        return f"{path}@{self.source.hash}"

    def read_class(self, identifier: str, findings: Findings) -> TaskClass:
        """Read the task class of an identifier; raises CoreError."""
        path, _, commit = identifier.rpartition("@")
        repo, _, name = path.rpartition("/tasks/")
        if "@" in name:
            raise CoreError(
                Reason.TEMPLATE_BROKEN, f"task template {path!r} is named with a revision",
                hint="leave it out: tasks of this repository have the revision of the workflow, others the default one",
            )  # fmt: skip
        # The hash is that of the repository whose workflow names the class; another repository has one of its own.
        source = self.shared.sources.get((repo, commit))
        source = source or self.shared.source(Wanted(repo=repo, may_add=True))
        place = _Library(source, self.shared)._read("tasks", "task template", name)
        task_class = read_task_class(place, name, f"{path}@{source.hash}")
        findings.remark(*place.remarks)
        return task_class

    def _read(self, kind: str, what: str, name: str) -> Place:
        is_name = 0 < len(name.encode("utf-8", "replace")) <= MAX_NAME and "/" not in name and "\0" not in name
        path = self.folder / kind / (f"{name}.yaml" if is_name else "")
        if is_name and self.shared.generated and (made := self.shared.generated.folder_of(name)) and not path.is_file():
            return read(made / kind / f"{name}.yaml", made)
        if not is_name or not path.is_file():
            there = [one.stem for one in sorted((self.folder / kind).glob("*.yaml"))]
            near = difflib.get_close_matches(name[:MAX_NAME], there, 3) or there[:5]
            raise CoreError(
                Reason.TEMPLATE_NOT_FOUND, f"no {what} {name[:MAX_NAME]!r} in {self.source.repo}",
                hint=f"there are {', '.join(near)}" if near else f"{self.folder / kind} has none",
            )  # fmt: skip
        return read(path, self.folder)


def _classes(root: LoadedRole, library: _Library, findings: Findings) -> dict[str, TaskClass]:
    """Read the classes of all tasks that are left in the tree."""
    classes: dict[str, TaskClass] = {}
    pending = [root]
    while pending:
        role = pending.pop()
        pending.extend(reversed(role.roles))
        if role.load and role.load not in classes:
            try:
                classes[role.load] = library.read_class(role.load, findings)
            except CoreError as error:
                where = findings.loads[role.load]
                place = f"{where['file']}:{where['line']}:{where['column']}: role {where['role']}"
                own = {key: value for key, value in error.where.items() if key != "role"}
                message = f"{place}: {error.message}" if "line" not in own else f"{error.message} (loaded by {place})"
                placed = CoreError(error.reason, message, hint=error.hint, code=error.code, **{**where, **own})
                findings.fail(placed, error)
    return classes
