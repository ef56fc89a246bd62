"""What is gathered while a workflow is resolved: remarks, and errors if all of them are wanted. Who resolves: roles.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from server.api.errors import CoreError
from server.template.remarks import Remark
from server.workflow.templates import RoleTemplate, WorkflowTemplate

MAX_REMARKS = 1000
UNKNOWN = "\ue000"
"""Stands for a value that failed while errors are gathered: what depends on it is neither right nor wrong."""


class Origin(NamedTuple):
    """Where a resolved role stands."""

    template: WorkflowTemplate
    role: RoleTemplate


@dataclass(slots=True)
class Findings:
    """What is gathered while a workflow is resolved."""

    errors: list[CoreError] | None = None
    """A list to gather errors in; None: the first one is raised."""
    disabled: list[str] | None = None
    """A list to gather the paths of roles in that are not enabled; what is below them is not looked at."""
    remarks: dict[Remark, None] = field(default_factory=dict)
    loads: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Identifier of a task class to where it is first named: file, line, column, role."""
    origins: dict[str, list[Origin]] = field(default_factory=dict)
    """Path of a role to what it was made of, a list because siblings may have one name; only while errors are gathered."""
    roles: int = 0
    characters: int = 0
    """Of all rendered texts."""

    def remark(self, *remarks: Remark) -> None:
        for remark in remarks if len(self.remarks) < MAX_REMARKS else ():
            self.remarks[remark] = None

    def disable(self, path: str) -> None:
        if self.disabled is not None:
            self.disabled.append(path)

    def fail(self, error: CoreError, cause: Exception | None = None) -> None:
        """Raise an error, or keep it and go on."""
        if self.errors is None:
            raise error from cause
        error.__cause__ = cause
        self.errors.append(error)


def placed(error: CoreError, where: Mapping[str, str]) -> CoreError:
    """Return the error of something that a role names, with the place of the role if it has none of its own."""
    if "role" in error.where:
        return error
    place = f"{where['file']}:{where['line']}:{where['column']}: role {where['role']}"
    own = error.where if "line" in error.where else {}
    return CoreError(error.reason, f"{place}: {error.message}", hint=error.hint, code=error.code, **{**where, **own})
