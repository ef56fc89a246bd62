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
from server.workflow.repos import LOCAL, RepositorySet
from server.workflow.roles import resolve
from server.workflow.templates import WorkflowTemplate, read_template
from server.workflow.variables import Lineage

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
        generate: makes a workflow template of a DPL command; None: ``dpl.*`` fails, saying that there is no generator.
        generated: where its templates are, if not in the repository; they count as templates of every repository.
        objects: object functions of integrated services.
        with_classes: read the task classes too; without, the workflow names them only.
        findings: receives remarks and, if it has a list for them, all errors instead of raising the first.

    Raises:
        CoreError: names file, line, column, role, expression and what was expected.
    """
    repo, name = split(expression, repositories)
    every = {**UTILITIES, **service_objects(services)}
    library = _Library(repo, _Shared(repositories, every, objects, generate, generated))
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
        revision=LOCAL, hash=repositories.hashes[repo],
    )  # fmt: skip
    classes = _classes(tree, library, findings) if with_classes else {}
    return LoadedWorkflow(template=info, root=tree, classes=classes, warnings=tuple(map(str, findings.remarks)))


def split(expression: str, repositories: RepositorySet) -> tuple[str, str]:
    """Return repository and template name (workflows-config.md 8.4).

    Raises:
        CoreError: malformed, or of a repository that is not known.
    """
    if "://" in expression:
        raise CoreError(Reason.BAD_REQUEST, f"template {expression!r}: write it without a scheme")
    body, _, revision = expression.partition("@")
    if "@" in revision or body.count("/workflows/") > 1:
        raise CoreError(
            Reason.BAD_REQUEST, f"template {expression!r}: expected [<repository>/workflows/]<name>[@<revision>]"
        )
    repo, _, name = body.rpartition("/workflows/")
    repo = repo.rstrip("/") or repositories.default.rstrip("/")
    if not repo:
        raise CoreError(
            Reason.REPOSITORY, "there is no default repository", hint="aliecs repo add /path/of/a/repository"
        )
    _check_known(repo, repositories)
    if revision not in ("", LOCAL, repositories.hashes[repo]):
        raise CoreError(
            Reason.REPOSITORY, f"template {expression!r}: a local repository has no revision {revision!r}",
            hint=f"leave it out or write @{LOCAL}",
        )  # fmt: skip
    return repo, name.removesuffix(".yaml")


def _check_known(repo: str, repositories: RepositorySet) -> None:
    if repo not in repositories.hashes:
        near = difflib.get_close_matches(repo, repositories.hashes, 3) or sorted(repositories.hashes)[:5]
        raise CoreError(
            Reason.REPOSITORY, f"workflow public info parsing failed: Workflow comes from an unknown repo {repo}",
            hint=f"known are {', '.join(near) or 'none'}",
        )  # fmt: skip


@dataclass(frozen=True)
class _Shared:
    """What all repositories of one load have in common; every file is read once per load."""

    repositories: RepositorySet
    objects: Mapping[str, object]
    plugins: Mapping[str, object]
    generate: Generate | None
    generated: GeneratedTemplates | None
    templates: dict[tuple[str, str], WorkflowTemplate] = field(default_factory=dict)


@dataclass(frozen=True)
class _Library:
    """One repository while a workflow is loaded."""

    repo: str
    shared: _Shared

    @cached_property
    def folder(self) -> Path:
        return self.shared.repositories.folder(self.repo)

    @cached_property
    def plain_objects(self) -> Mapping[str, object]:
        return {**self.shared.objects, **self.shared.plugins}

    @cached_property
    def objects(self) -> Mapping[str, object]:
        generators = generator_objects(self.folder, self.shared.generate, self.plain_objects)
        return {**self.plain_objects, **generators}

    def template(self, name: str) -> WorkflowTemplate:
        """Return a workflow template by name; raises CoreError."""
        key = self.repo, name
        if key not in self.shared.templates:
            self.shared.templates[key] = read_template(self._read("workflows", "workflow template", name))
        return self.shared.templates[key]

    def include(self, expression: str) -> tuple[WorkflowTemplate, _Library]:
        if "/" not in expression:  # of this repository, whatever revision it names: it has but one
            return self.template(expression.partition("@")[0].removesuffix(".yaml")), self
        repo, name = split(expression, self.shared.repositories)
        library = self if repo == self.repo else _Library(repo, self.shared)
        return library.template(name), library

    def task_class(self, load: str) -> str:
        """Return the identifier; a revision in ``load`` stays, and gets ours behind it (workflows-config.md 2.5)."""
        path = load if "/" in load else f"{self.repo}/tasks/{load}"
        return f"{path}@{self.shared.repositories.hashes[self.repo]}"

    def read_class(self, identifier: str, findings: Findings) -> TaskClass:
        """Read the task class of an identifier; raises CoreError."""
        path = identifier.rpartition("@")[0]
        repo, _, name = path.rpartition("/tasks/")
        _check_known(repo, self.shared.repositories)
        library = self if repo == self.repo else _Library(repo, self.shared)
        place = library._read("tasks", "task template", name)
        task_class = read_task_class(place, name, identifier)
        findings.remark(*place.remarks)
        return task_class

    def _read(self, kind: str, what: str, name: str) -> Place:
        path = self.folder / kind / f"{name}.yaml"
        if self.shared.generated and (made := self.shared.generated.folder_of(name)) and not path.is_file():
            return read(made / kind / f"{name}.yaml", made)
        if not name or "/" in name or "\0" in name or not path.is_file():
            there = [one.stem for one in sorted((self.folder / kind).glob("*.yaml"))]
            near = difflib.get_close_matches(name, there, 3) or there[:5]
            raise CoreError(
                Reason.TEMPLATE_NOT_FOUND, f"no {what} {name!r} in {self.repo}",
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
