"""A repository of workflow and task templates in a folder of a test, and what is loaded from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from golden_workflows import RecordedServices

from server.api.errors import CoreError
from server.template.model import LoadedRole, LoadedWorkflow
from server.workflow.jit import Generate
from server.workflow.load import load_workflow
from server.workflow.repos import RepositorySet

TASK = """
name: {name}
control: {{mode: basic}}
wants: {{cpu: 0.1, memory: 10}}
command: {{value: "true"}}
"""


class Repository:
    """A local repository in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for kind in ("workflows", "tasks", "jit"):
            (folder / kind).mkdir()
        for name in ("x", "y"):
            self.task(name)

    @property
    def repositories(self) -> RepositorySet:
        return RepositorySet(hashes={str(self.folder): "abc"}, default=str(self.folder))

    def task(self, name: str, text: str = "") -> None:
        (self.folder / "tasks" / f"{name}.yaml").write_text(text or TASK.format(name=name))

    def workflow(self, text: str, name: str = "w") -> None:
        (self.folder / "workflows" / f"{name}.yaml").write_text(text)

    def load(
        self, text: str = "", expression: str = "w", *, user_vars: Mapping[str, str] | None = None,
        generate: Generate | None = None,
    ) -> LoadedWorkflow:  # fmt: skip
        if text:
            self.workflow(text)
        return load_workflow(
            expression,
            user_vars=user_vars or {},
            defaults={"from_store": "d"},
            vars={},
            repositories=self.repositories,
            services=RecordedServices({"flp001": "ITS"}, {}),
            generate=generate,
        )

    def refused(self, text: str = "", expression: str = "w", **given: Mapping[str, str]) -> CoreError:
        with pytest.raises(CoreError) as caught:
            self.load(text, expression, user_vars=given.get("user_vars"))
        return caught.value


def paths(role: LoadedRole, above: str = "") -> list[str]:
    path = f"{above}.{role.name}" if above else role.name
    return [path, *(one for child in role.roles for one in paths(child, path))]
