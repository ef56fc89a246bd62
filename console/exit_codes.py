"""Exit codes of the console and which error gives which (clients.md 5.12)."""

from __future__ import annotations

from server.api.errors import (
    AliecsError,
    ConfigError,
    CoreError,
    DeadlineError,
    LinkError,
    Reason,
    RefusedError,
    TaskError,
)

OK = 0
UNCLASSIFIED = 1
USAGE = 2
UNREACHABLE = 3
OUTCOME_UNKNOWN = 4
NOT_FOUND = 5
NOT_NOW = 6
FAILED = 7
"""A transition or deployment failed, the environment is in ERROR."""
PARTIAL = 8
REFUSED = 9
NOT_MET = 10
"""The condition of an ``expect`` or ``wait``."""
INCOMPATIBLE = 11
RESOURCES = 12
INTERRUPTED = 130
TERMINATED = 143

KINDS: dict[int, str] = {
    OK: "done",
    UNCLASSIFIED: "unclassified",
    USAGE: "usage",
    UNREACHABLE: "no core",
    OUTCOME_UNKNOWN: "outcome unknown",
    NOT_FOUND: "not found",
    NOT_NOW: "not in this state",
    FAILED: "failed, in ERROR",
    PARTIAL: "partial",
    REFUSED: "refused",
    NOT_MET: "condition not met",
    INCOMPATIBLE: "the core lacks it",
    RESOURCES: "resources missing",
    INTERRUPTED: "interrupted",
    TERMINATED: "terminated",
}
"""What each code means, in a few words."""


class ExitError(AliecsError):
    """An error of the console itself that knows its exit code."""

    def __init__(self, code: int, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


def usage(message: str, *, hint: str = "") -> ExitError:
    """Return the error for words that mean nothing."""
    return ExitError(USAGE, message, hint=hint)


_BY_CODE = {
    "INVALID_ARGUMENT": USAGE,
    "UNAVAILABLE": UNREACHABLE,
    "DEADLINE_EXCEEDED": OUTCOME_UNKNOWN,
    "NOT_FOUND": NOT_FOUND,
    "FAILED_PRECONDITION": NOT_NOW,
    "ABORTED": FAILED,
    "PERMISSION_DENIED": REFUSED,
    "UNAUTHENTICATED": REFUSED,
    "UNIMPLEMENTED": INCOMPATIBLE,
    "RESOURCE_EXHAUSTED": RESOURCES,
    "CANCELLED": INTERRUPTED,
}

_BY_REASON = {
    Reason.TEMPLATE_NOT_FOUND: NOT_FOUND,
    Reason.HOST_UNKNOWN: NOT_FOUND,
    Reason.TEMPLATE_BROKEN: USAGE,
    Reason.VARIABLE_MISSING: USAGE,
    Reason.DETECTOR_IN_USE: NOT_NOW,
    Reason.DEPLOYMENT_FAILED: FAILED,
    Reason.TRANSITION_FAILED: FAILED,
    Reason.TEARDOWN_FAILED: FAILED,
    Reason.KILL_FAILED: PARTIAL,
    Reason.RESOURCES_MISSING: RESOURCES,
    Reason.DEADLINE: OUTCOME_UNKNOWN,
}
"""Where AliECS's code (INTERNAL for all failed creations) says less than the reason does."""


def exit_code(error: BaseException) -> int:
    """Return the exit code that fits an error."""
    match error:
        case ExitError():
            return error.code
        case CoreError():
            return _BY_REASON.get(error.reason) or _BY_CODE.get(error.code, UNCLASSIFIED)
        case LinkError():
            return UNREACHABLE
        case DeadlineError():
            return OUTCOME_UNKNOWN
        case RefusedError():
            return REFUSED
        case ConfigError():
            return USAGE
        case TaskError():
            return FAILED
        case KeyboardInterrupt():
            return INTERRUPTED
        case _:
            return UNCLASSIFIED


def explain(error: BaseException) -> str:
    """Return the error as the lines a person reads: what, where, what to do."""
    if not isinstance(error, AliecsError):
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    lines = [error.message]
    if isinstance(error, CoreError):
        told = {
            key: value for key, value in error.where.items() if key in ("task", "host") or value not in error.message
        }
        where = ", ".join(f"{key} {value}" for key, value in told.items())
        if where:
            lines.append(f"  where: {where}")
    if error.hint:
        lines.append(f"  next:  {error.hint}")
    return "\n".join(lines)
