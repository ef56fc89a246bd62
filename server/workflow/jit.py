"""``dpl.*``: names of workflow templates that are generated while a workflow loads (workflows-config.md 7.2).

What runs the command and writes the templates is given from outside, generator.py; without it these functions fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from server.template.errors import ExpressionError
from server.template.render import render_in
from server.template.scope import Function, NilArgument, Scope


@dataclass(frozen=True, slots=True)
class DplCommand:
    """A command that can write itself down as a workflow template.

    Attributes:
        text: rendered.
        name: of its file below ``jit/``; "" if the template itself holds it.
        variables: that it was rendered with.
        repository: folder of the repository that it belongs to.
    """

    text: str
    name: str
    variables: Mapping[str, str]
    repository: Path

    @property
    def shown(self) -> str:
        """Name it for people."""
        name = f"DPL command {self.name}" if self.name else "DPL command"
        detector = self.variables.get("detector", "")
        return f"{name} (detector {detector})" if detector else name


Generate = Callable[[DplCommand], str]
"""From a command to the name of a workflow template; raises ExpressionError."""


def generator_objects(folder: Path, generate: Generate | None, objects: Mapping[str, object]) -> dict[str, object]:
    """Return the namespace ``dpl`` and its older flat names.

    Args:
        folder: of the repository, whose ``jit/`` holds commands.
        generate: None: none is installed.
        objects: what a command text may call.
    """

    def run(function: str, command: str, name: str, scope: Scope) -> str:
        asked = DplCommand(command, name, scope.variables, folder)
        try:
            rendered = render_in(command, Scope(scope.variables, objects))
        except ExpressionError as error:
            raise ExpressionError(f"the {asked.shown} cannot be rendered: {error}", missing=error.missing) from error
        if generate is None:
            raise ExpressionError(f"{function} needs the just-in-time generator, which is not installed")
        return generate(replace(asked, text=rendered))

    def from_command(scope: Scope, command: str) -> str:
        _refuse_none(command)
        return run("dpl.Generate", command, "", scope)

    def from_uri(scope: Scope, name: str) -> str:
        _refuse_none(name)
        command = _command(folder, name)
        if command is None:
            raise ExpressionError(f"there is no DPL command jit/{name} in {folder}")
        return run("dpl.GenerateFromUri", command, name, scope)

    def or_template(scope: Scope, name: str) -> str:
        _refuse_none(name)
        command = _command(folder, name)
        return name if command is None else run("dpl.GenerateFromUriOrFallbackToTemplate", command, name, scope)

    functions = {
        "Generate": from_command,
        "GenerateFromUri": from_uri,
        "GenerateFromUriOrFallbackToTemplate": or_template,
    }
    dpl = {
        name: Function(("string",), function, nil=NilArgument.EMPTY, scoped=True)
        for name, function in functions.items()
    }
    flat = {"GenerateDplSubworkflow": dpl["Generate"], "GenerateDplSubworkflowFromUri": dpl["GenerateFromUri"]}
    return {"dpl": dpl, **flat}


def _refuse_none(argument: str) -> None:
    if argument == "none":
        raise ExpressionError("dplCommand is 'none'")


def _command(folder: Path, name: str) -> str | None:
    """Return the text of a command file, None if it cannot be read; nothing outside of ``jit/`` is."""
    jit = (folder / "jit").resolve()
    try:
        path = (jit / name).resolve(strict=True)
        if not path.is_relative_to(jit) or not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


MAX_BYTES = 1024 * 1024
"""Of a command file."""
