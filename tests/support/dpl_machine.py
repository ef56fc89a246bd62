"""A machine with the generator of DPL workflows installed, and a repository with commands for it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import dpl_program
import pytest
from golden_workflows import RecordedServices

from occ.errors import ConfigError
from server.template.errors import ExpressionError
from server.template.model import LoadedWorkflow
from server.workflow.findings import Findings
from server.workflow.generator import GenerationSettings, Generator
from server.workflow.jit import DplCommand
from server.workflow.load import load_workflow
from server.workflow.repos import RepositorySet


class Payloads(RecordedServices):
    """Services with component payloads."""

    def __init__(self) -> None:
        super().__init__({}, {})
        self.payloads: dict[str, str] = {}
        self.asked: list[tuple[str, Mapping[str, str] | None]] = []

    def get_component(self, path: str, variables: Mapping[str, str]) -> str:
        self.asked.append((path, dict(variables)))
        return self._payload(path)

    def get_component_raw(self, path: str) -> str:
        self.asked.append((path, None))
        return self._payload(path)

    def _payload(self, path: str) -> str:
        if path not in self.payloads:
            raise ConfigError(f"no payload at configuration path o2/components/{path}")
        return self.payloads[path]


class Machine:
    """A machine with the generator installed, and a repository."""

    def __init__(self, folder: Path) -> None:
        self.services = Payloads()
        self.profile = dpl_program.install(folder)
        self.runs = folder / "runs"
        self.repository = folder / "repository"
        for kind in ("workflows", "tasks", "jit"):
            (self.repository / kind).mkdir(parents=True)
        self.generated = folder / "state" / "generated"
        self.timeout_s = 60.0
        self.enabled = True

    def processes(self) -> list[str]:
        """Return the command lines of all processes that run in a folder of this machine."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and (entry / "cwd").readlink().is_relative_to(self.generated):
                    found.append((entry / "cmdline").read_text())
        return found

    @property
    def settings(self) -> GenerationSettings:
        return GenerationSettings(
            folder=str(self.generated), timeout_s=self.timeout_s, profile=str(self.profile), enabled=self.enabled
        )

    def generate(self, text: str, name: str = "its", **variables: str) -> str:
        return Generator(self.settings, self.services)(DplCommand(text, name, variables, self.repository))

    def refused(self, text: str, **variables: str) -> ExpressionError:
        with pytest.raises(ExpressionError) as caught:
            self.generate(text, **variables)
        assert self.left() == []
        return caught.value

    def left(self) -> list[str]:
        """Return what stands in the store of templates besides locks."""
        return sorted(one.name for one in self.generated.glob("*") if one.suffix != ".lock")

    def counted(self) -> int:
        return len(self.runs.read_text().splitlines())

    def load(self, template: str, **user_vars: str) -> LoadedWorkflow:
        (self.repository / "workflows" / "w.yaml").write_text(template)
        generator = Generator(self.settings, self.services)

        def load(findings: Findings) -> LoadedWorkflow:
            return load_workflow(
                "w",
                user_vars=user_vars,
                defaults={},
                vars={},
                repositories=RepositorySet(hashes={str(self.repository): "abc"}, default=str(self.repository)),
                services=self.services,
                generate=generator,
                generated=generator.templates,
                findings=findings,
            )

        return generator.load(load, Findings)
