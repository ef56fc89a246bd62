"""What importing a module loads, seen from outside: a deferred import hides from static contracts."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded_by(module: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); import {module}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True, timeout=120)
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("module", ["occ.states", "occ.errors", "server.api.states"])
def test_the_kernel_loads_the_standard_library_only(module: str) -> None:
    ours = {"occ", "server", "executor", "console"}
    assert loaded_by(module) - ours <= set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    "module", ["console.__main__", "console.commands", "console.script", "console.store", "console.repl.stream"]
)
def test_what_runs_without_a_screen_never_loads_one(module: str) -> None:
    assert not {"textual", "prompt_toolkit", "rich"} & loaded_by(module)


@pytest.mark.parametrize(
    "module", ["console.__main__", "console.store", "executor.agent", "server.environment.advance", "occ.machine"]
)
def test_what_decides_never_loads_grpc(module: str) -> None:
    assert "grpc" not in loaded_by(module)
