"""The files of one repository: read once, what cannot be read is a finding."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from server.api.errors import CoreError
from server.lint.report import Report
from server.template.documents import Place, read
from server.template.model import TaskClass
from server.template.taskclass import read_task_class
from server.workflow.jit import MAX_BYTES
from server.workflow.templates import WorkflowTemplate, read_template

_Read = TypeVar("_Read")


class Workflow(NamedTuple):
    """A workflow template: as a document and as roles."""

    place: Place
    template: WorkflowTemplate


class Task(NamedTuple):
    """A task template: as a document and as a class."""

    place: Place
    task_class: TaskClass


class Sources:
    """A folder with ``workflows/``, ``tasks/`` and perhaps ``jit/``.

    Attributes:
        name: of the repository.
    """

    def __init__(self, folder: Path, report: Report, name: str) -> None:
        self.folder = folder
        self.name = name
        self._report = report
        self.workflows = _names(folder / "workflows", "*.yaml")
        self.tasks = _names(folder / "tasks", "*.yaml")
        self.commands = _names(folder / "jit", "*")
        self.workflow = cache(self._workflow)
        self.task = cache(self._task)
        self.command = cache(self._command)

    def _workflow(self, name: str) -> Workflow | None:
        """Return a workflow template, None if there is none or it is broken."""

        def work(place: Place) -> Workflow:
            return Workflow(place, read_template(place))

        return self._read("workflows", name, work) if name in self.workflows else None

    def _task(self, name: str) -> Task | None:
        """Return a task template, None if there is none or it is broken."""

        def work(place: Place) -> Task:
            return Task(place, read_task_class(place, name, f"{self.name}/tasks/{name}"))

        return self._read("tasks", name, work) if name in self.tasks else None

    def _command(self, name: str) -> str | None:
        """Return the text of a DPL command, None if there is none."""
        if name not in self.commands:
            return None
        path = self.folder / "jit" / name
        try:
            if not path.resolve(strict=True).is_relative_to(self.folder.resolve()) or path.stat().st_size > MAX_BYTES:
                self._report.add(
                    "bad-file", f"leads out of its repository or has more than {MAX_BYTES} bytes", f"jit/{name}"
                )
                return None
            return path.read_text(encoding="utf-8")
        except OSError as error:
            self._report.add("bad-file", f"cannot be read: {error.strerror or error}", f"jit/{name}")
            return None
        except UnicodeDecodeError as error:
            self._report.add("bad-file", f"is not UTF-8: {error.reason} at byte {error.start}", f"jit/{name}")
            return None

    def _read(self, kind: str, name: str, work: Callable[[Place], _Read]) -> _Read | None:
        file = f"{kind}/{name}.yaml"
        try:
            place = read(self.folder / kind / f"{name}.yaml", self.folder)
        except CoreError as error:
            add_error(self._report, error, "bad-file", file)
            return None
        except RecursionError:
            self._report.add("bad-file", "is nested too deeply", file)
            return None
        try:
            made = work(place)
        except CoreError as error:
            add_error(self._report, error, _rule(error), file)
            return None
        for remark in place.remarks:
            self._report.remark(remark)
        return made


def add_error(report: Report, error: CoreError, rule: str, file: str = "") -> None:
    """Add an error of the reader or the loader, whose message begins with its place."""
    where = error.where
    file, role = where.get("file", file), where.get("role", "")
    line, column = int(where.get("line", "0") or 0), int(where.get("column", "0") or 0)
    message = error.message.removeprefix(f"{file}:{line}:{column}: ").removeprefix(f"role {role}: ")
    about = LOAD if rule == "missing-task" else ""
    report.add(rule, message, file, line, column, role=role, hint=error.hint, about=about)


LOAD = "load"
"""What a missing task template is about: told once, whether the role was loaded or only looked at."""


def _rule(error: CoreError) -> str:
    return "file-name" if "but the file is called" in error.message else "bad-template"


def _names(folder: Path, pattern: str) -> tuple[str, ...]:
    suffix = pattern.removeprefix("*")
    return tuple(sorted(path.name.removesuffix(suffix) for path in folder.glob(pattern) if path.is_file()))
