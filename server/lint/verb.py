"""The console's verb ``lint``: looks at a repository of templates. Registered by entry point; the work: repository.py."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from occ.errors import AliecsError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from server.lint.report import Report

HELP = "find errors and traps in a repository of workflow and task templates"
CLEAN, FOUND, UNUSABLE = 0, 1, 2
"""Exit codes: nothing to complain about, findings, could not look."""


class Add(Protocol):
    """How a verb is announced to the console."""

    def __call__(self, name: str, help: str, run: Callable[[list[str]], int]) -> None: ...


def register(add: Add) -> None:
    """Announce the verb."""
    add("lint", HELP, run)


def run(argv: list[str]) -> int:
    """Look at what the rest of a command line names; returns the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        report = look(arguments)
    except AliecsError as error:
        sys.stderr.write(f"aliecs lint: {error}\n")
        return UNUSABLE
    # Deferred: the console lists its verbs without any of this.
    from server.lint.rules import Severity
    from server.lint.show import to_json, to_text

    sys.stdout.write(to_json(report) if arguments.json else to_text(report, with_infos=arguments.info))
    counts = report.counts()
    bad = counts[Severity.ERROR] or (arguments.strict and counts[Severity.WARNING])
    return FOUND if bad else CLEAN


def look(arguments: argparse.Namespace) -> Report:
    """Return what was found.

    Raises:
        AliecsError: the path, a file of variables or the configuration cannot be used.
    """
    from server.lint.inputs import read_inputs
    from server.lint.repository import Linter
    from server.lint.revision import written_out

    path, revision = split_revision(arguments.path)
    folder, workflow, task = (path.resolve(), "", "") if revision else target(path)
    inputs = read_inputs(
        arguments.variables, defaults=arguments.defaults, vars=arguments.vars, configuration=arguments.config
    )
    chosen = [workflow] if workflow else arguments.workflow or ([] if task else None)
    with written_out(folder, revision) if revision else nullcontext(folder) as files:
        linter = Linter(files, inputs, chosen, name=str(folder))
        if task:
            linter.look_at_task(task)
        return linter.run()


def split_revision(text: str) -> tuple[Path, str]:
    """Return a path and the revision behind its last ``@``, "" for none; a path that exists has none."""
    path, at, revision = text.rpartition("@")
    return (Path(path), revision) if at and path and not Path(text).exists() else (Path(text), "")


def target(path: Path) -> tuple[Path, str, str]:
    """Return repository, workflow and task that a path names; "" for what it does not.

    Raises:
        ConfigError: it is neither a repository nor a template of one.
    """
    path = path.resolve()
    if (path / "workflows").is_dir() or (path / "tasks").is_dir():
        return path, "", ""
    kind, folder = path.parent.name, path.parent.parent
    name = path.name.removesuffix(".yaml")
    if kind in ("workflows", "tasks") and (path.parent / f"{name}.yaml").is_file():
        return folder, name if kind == "workflows" else "", name if kind == "tasks" else ""
    raise ConfigError(
        f"{path} is neither a repository nor a template", hint="a repository has the folders workflows/ and tasks/"
    )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the verb's own arguments."""
    parser = argparse.ArgumentParser(
        prog="aliecs lint", description=HELP,
        epilog="Exit codes: 0 no errors, 1 errors (with --strict warnings too), 2 could not look. Rules: docs/lint.md.",
    )  # fmt: skip
    parser.add_argument(
        "path", metavar="PATH", help="a repository, PATH@REVISION of one in git, or one workflow or task template"
    )
    parser.add_argument(
        "-e", dest="variables", action="append", default=[], metavar="K=V", help="a user's variable; repeatable"
    )
    parser.add_argument(
        "--defaults", type=Path, metavar="FILE", help="YAML or JSON of defaults, as the configuration gives them"
    )
    parser.add_argument("--vars", type=Path, metavar="FILE", help="the same for vars")
    parser.add_argument(
        "--config", default="", metavar="URI", help="take defaults, vars, inventory and components from here"
    )
    parser.add_argument(
        "--workflow", action="append", default=[], metavar="NAME", help="only this template and its tasks; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    parser.add_argument("--info", action="store_true", help="show what is only good to know, too")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    return parser
