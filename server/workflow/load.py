"""Load a workflow: from an expression like ``readout-demo`` to a resolved tree with its task classes.

Pure but for reading files of the repository and asking the configuration; runs in the loader's process (worker.py).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from server.api.errors import CoreError, Reason
from server.template.access import service_objects
from server.template.documents import PUBLIC, Place, mapping, read, text
from server.template.errors import ExpressionError
from server.template.model import LoadedRole, LoadedWorkflow, RoleKind, TaskClass, TemplateInfo
from server.template.scope import Function
from server.template.services import Services
from server.template.taskclass import load_task_class
from server.workflow.repos import LOCAL, RepositorySet
from server.workflow.roles import read_root
from server.workflow.variables import Scope

Generate = Callable[[str, str], str]
"""(function name, argument) to the name of a generated workflow template: the just-in-time path."""


def load_workflow(
    expression: str,
    *,
    user_vars: Mapping[str, str],
    defaults: Mapping[str, str],
    vars: Mapping[str, str],
    repositories: RepositorySet,
    services: Services,
    generate: Generate | None = None,
) -> LoadedWorkflow:
    """Load and resolve a workflow (workflows-config.md 3).

    Args:
        expression: ``[<repo>/workflows/]<name>[@<revision>]``.
        user_vars, defaults, vars: the environment's layers.
        generate: answers ``dpl.*``; None: it fails, saying that there is no generator.

    Raises:
        CoreError: names file, line, column, role, expression and what was expected.
    """
    repo, name = split(expression, repositories)
    library = _Library(Path(repo), repo, repositories, services, generate)
    place = library.document(name)
    info = _info(place, expression, name, repo, repositories.hashes[repo])
    root = read_root(place, library, Scope("", "", None, defaults, vars, user_vars))
    if root is None:
        root = LoadedRole(name=name, kind=RoleKind.AGGREGATOR)
    return LoadedWorkflow(template=info, root=root, classes=library.classes)


def split(expression: str, repositories: RepositorySet) -> tuple[str, str]:
    """Return repository and template name (workflows-config.md 8.4).

    Raises:
        CoreError: malformed, or of a repository that is not known.
    """
    body, _, revision = expression.partition("@")
    if "://" in expression:
        raise CoreError(Reason.BAD_REQUEST, f"template {expression!r}: write it without a scheme")
    if revision and revision != LOCAL:
        raise CoreError(
            Reason.REPOSITORY, f"template {expression!r}: a local repository has no revision {revision!r}",
            hint=f"leave it out or write @{LOCAL}",
        )  # fmt: skip
    repo, found, name = body.rpartition("/workflows/")
    if found and "/workflows/" in repo:
        raise CoreError(Reason.BAD_REQUEST, f"template {expression!r} names several repositories")
    repo = repo if found else repositories.default
    if not repo:
        raise CoreError(
            Reason.REPOSITORY, "there is no default repository", hint="aliecs repo add /path/of/a/repository"
        )
    if repo not in repositories.hashes:
        known = ", ".join(sorted(repositories.hashes)) or "none"
        raise CoreError(
            Reason.REPOSITORY, f"workflow public info parsing failed: Workflow comes from an unknown repo {repo}",
            hint=f"known are {known}",
        )  # fmt: skip
    return repo, name.removesuffix(".yaml")


@dataclass(slots=True)
class _Library:
    """One repository while a workflow of it is loaded."""

    folder: Path
    repo: str
    repositories: RepositorySet
    services: Services
    generate: Generate | None
    classes: dict[str, TaskClass] = field(default_factory=dict)
    _functions: Mapping[str, Any] | None = None

    @property
    def functions(self) -> Mapping[str, Any]:
        if self._functions is None:
            self._functions = {**service_objects(self.services), **self._generators()}
        return self._functions

    def document(self, name: str) -> Place:
        """Return a workflow template by name.

        Raises:
            CoreError: not there, naming the ones that sound like it, or broken.
        """
        path = self.folder / "workflows" / f"{name}.yaml"
        if not name or "/" in name or not path.is_file():
            there = [one.stem for one in sorted((self.folder / "workflows").glob("*.yaml"))]
            near = difflib.get_close_matches(name, there, 3) or there[:5]
            raise CoreError(
                Reason.TEMPLATE_NOT_FOUND, f"no workflow template {name!r} in {self.repo}",
                hint=f"there are {', '.join(near)}" if near else "the repository has no templates",
            )  # fmt: skip
        return read(path, self.folder)

    def task_class(self, load: str) -> str:
        repo, _, name = load.rpartition("/tasks/") if "/" in load else (self.repo, "", load)
        repo = repo or self.repo
        if repo not in self.repositories.hashes:
            raise CoreError(Reason.REPOSITORY, f"task template {load!r} comes from an unknown repo {repo}")
        identifier = f"{repo}/tasks/{name}@{self.repositories.hashes[repo]}"
        if identifier not in self.classes:
            folder = Path(repo)
            path = folder / "tasks" / f"{name}.yaml"
            if not path.is_file():
                there = [one.stem for one in sorted((folder / "tasks").glob("*.yaml"))]
                near = difflib.get_close_matches(name, there, 3) or there[:5]
                hint = f"there are {', '.join(near)}" if near else "the repository has no task templates"
                raise CoreError(Reason.TEMPLATE_NOT_FOUND, f"no task template {name!r} in {repo}", hint=hint)
            self.classes[identifier] = load_task_class(path, folder, identifier)
        return identifier

    def include(self, expression: str) -> tuple[Place, _Library]:
        if "/" not in expression:
            return self.document(expression.partition("@")[0].removesuffix(".yaml")), self
        repo, name = split(expression, self.repositories)
        other = _Library(Path(repo), repo, self.repositories, self.services, self.generate, self.classes)
        return other.document(name), other

    def _generators(self) -> dict[str, object]:
        """Return ``dpl.*`` and its older flat names, and what the ODC plugin adds when it is not loaded (core.md 6.1)."""
        names = ("Generate", "GenerateFromUri", "GenerateFromUriOrFallbackToTemplate")
        dpl = {name: Function(("string",), partial(self._generate, f"dpl.{name}")) for name in names}
        return {
            "dpl": dpl,
            "GenerateDplSubworkflow": dpl["Generate"],
            "GenerateDplSubworkflowFromUri": dpl["GenerateFromUri"],
            "odc": {"GenerateEPNTopologyFullname": Function((), lambda: "")},
        }

    def _generate(self, function: str, argument: str) -> str:
        if self.generate is None:
            raise ExpressionError(f"{function}: the generator of DPL workflows is not installed")
        return self.generate(function, argument)


def _info(place: Place, expression: str, name: str, repo: str, commit: str) -> TemplateInfo:
    keys = mapping(place, place.root, "a workflow template")
    node, description = keys.get("name"), keys.get("description")
    found = text(place, node, "name")
    if found != name:
        place.fail(node or place.root, f"the root is called {found!r}, but the file {name!r}: they must be the same")
    shown = isinstance(description, yaml.ScalarNode) and description.tag == PUBLIC
    return TemplateInfo(
        expression=expression,
        name=name,
        description=text(place, description, "description") if shown else "",
        public=node is not None and node.tag == PUBLIC,
        repo=repo,
        revision=LOCAL,
        hash=commit,
    )
