"""What a failed call looks like on the wire: the reason, the gRPC status of each, and the exit code of a console.

Every error status of the core carries one ``google.rpc.ErrorInfo``: its reason is a member of Reason, its
domain DOMAIN, its metadata the keys of WHERE that are known.
"""

from __future__ import annotations

from enum import StrEnum

from occ.errors import AliecsError, ConfigError, DeadlineError, LinkError, RefusedError, TaskError

__all__ = [
    "DOMAIN",
    "WHERE",
    "AliecsError",
    "ConfigError",
    "CoreError",
    "DeadlineError",
    "LinkError",
    "Reason",
    "RefusedError",
    "TaskError",
]

DOMAIN = "aliecs"
"""Domain of our ErrorInfo details."""

WHERE = ("environment", "transition", "state", "role", "task", "host", "file", "line", "column", "hint")
"""Metadata keys of an ErrorInfo, each optional: where it went wrong and what to do."""


class Reason(StrEnum):
    """Why a call failed, for programs. The value is the text of ``ErrorInfo.reason``."""

    BAD_ID = "BAD_ID"
    BAD_REQUEST = "BAD_REQUEST"
    ENVIRONMENT_NOT_FOUND = "ENVIRONMENT_NOT_FOUND"
    TASK_NOT_FOUND = "TASK_NOT_FOUND"
    SUBSCRIPTION_NOT_FOUND = "SUBSCRIPTION_NOT_FOUND"
    TEMPLATE_NOT_FOUND = "TEMPLATE_NOT_FOUND"
    TEMPLATE_BROKEN = "TEMPLATE_BROKEN"
    VARIABLE_MISSING = "VARIABLE_MISSING"
    REPOSITORY = "REPOSITORY"
    HOST_UNKNOWN = "HOST_UNKNOWN"
    DETECTOR_IN_USE = "DETECTOR_IN_USE"
    ILLEGAL_TRANSITION = "ILLEGAL_TRANSITION"
    TRANSITION_RUNNING = "TRANSITION_RUNNING"
    DEPLOYMENT_FAILED = "DEPLOYMENT_FAILED"
    TRANSITION_FAILED = "TRANSITION_FAILED"
    TEARDOWN_FAILED = "TEARDOWN_FAILED"
    KILL_FAILED = "KILL_FAILED"
    TASK_IN_USE = "TASK_IN_USE"
    TASK_ENDED = "TASK_ENDED"
    EXECUTOR_AWAY = "EXECUTOR_AWAY"
    OUTPUT_MISSING = "OUTPUT_MISSING"
    RESOURCES_MISSING = "RESOURCES_MISSING"
    CONFIGURATION = "CONFIGURATION"
    DEADLINE = "DEADLINE"
    RESERVED = "RESERVED"
    INTERNAL = "INTERNAL"


class CoreError(AliecsError):
    """An error of the core that knows its reason and where it happened.

    Raised on both sides of the door: by the core, mapped to a status in server/service.py, and by
    server/api/client.py, read from the status of a reply.
    """

    def __init__(self, reason: Reason, message: str, *, hint: str = "", code: str = "", **where: str) -> None:
        """Args:
        reason: for programs.
        message: for people; becomes the details of the gRPC status.
        hint: what to do.
        code: gRPC status name ("NOT_FOUND"); "" means the usual one of the reason.
        where: keys of WHERE.
        """
        super().__init__(message, hint=hint)
        self.reason = reason
        self.code = code or USUAL_CODE[reason]
        self.where = {key: value for key, value in where.items() if value}


USUAL_CODE: dict[Reason, str] = {
    Reason.BAD_ID: "INVALID_ARGUMENT",
    Reason.BAD_REQUEST: "INVALID_ARGUMENT",
    Reason.ENVIRONMENT_NOT_FOUND: "NOT_FOUND",
    Reason.TASK_NOT_FOUND: "NOT_FOUND",
    Reason.SUBSCRIPTION_NOT_FOUND: "NOT_FOUND",
    Reason.TEMPLATE_NOT_FOUND: "INTERNAL",
    Reason.TEMPLATE_BROKEN: "INTERNAL",
    Reason.VARIABLE_MISSING: "INTERNAL",
    Reason.REPOSITORY: "UNKNOWN",
    Reason.HOST_UNKNOWN: "INTERNAL",
    Reason.DETECTOR_IN_USE: "INTERNAL",
    Reason.ILLEGAL_TRANSITION: "FAILED_PRECONDITION",
    Reason.TRANSITION_RUNNING: "FAILED_PRECONDITION",
    Reason.DEPLOYMENT_FAILED: "INTERNAL",
    Reason.TRANSITION_FAILED: "ABORTED",
    Reason.TEARDOWN_FAILED: "INTERNAL",
    Reason.KILL_FAILED: "INTERNAL",
    Reason.TASK_IN_USE: "FAILED_PRECONDITION",
    Reason.TASK_ENDED: "FAILED_PRECONDITION",
    Reason.EXECUTOR_AWAY: "FAILED_PRECONDITION",
    Reason.OUTPUT_MISSING: "NOT_FOUND",
    Reason.RESOURCES_MISSING: "INTERNAL",
    Reason.CONFIGURATION: "UNKNOWN",
    Reason.DEADLINE: "DEADLINE_EXCEEDED",
    Reason.RESERVED: "UNIMPLEMENTED",
    Reason.INTERNAL: "INTERNAL",
}
"""gRPC status name by reason; creation failures are INTERNAL as in AliECS (core.md 1.7)."""
