"""From a failed call to an error that a person can act on: what its ErrorInfo says, else what its code means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from server.api import o2control_pb2
from server.api.errors import DOMAIN, CoreError, DeadlineError, LinkError, Reason

if TYPE_CHECKING:
    from google.protobuf import any_pb2

REASONS = {
    grpc.StatusCode.INVALID_ARGUMENT: Reason.BAD_REQUEST,
    grpc.StatusCode.NOT_FOUND: Reason.ENVIRONMENT_NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION: Reason.ILLEGAL_TRANSITION,
    grpc.StatusCode.ABORTED: Reason.TRANSITION_FAILED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.RESOURCES_MISSING,
    grpc.StatusCode.UNIMPLEMENTED: Reason.RESERVED,
}
"""For a core that sends no ErrorInfo."""

REASONS_OF_METHODS = {
    ("NewEnvironment", "INTERNAL"): Reason.DEPLOYMENT_FAILED,
    ("DestroyEnvironment", "INTERNAL"): Reason.TEARDOWN_FAILED,
    ("CleanupTasks", "INTERNAL"): Reason.KILL_FAILED,
    ("GetTask", "NOT_FOUND"): Reason.TASK_NOT_FOUND,
}
"""As well, where the method says more (core.md 1.7)."""

REASONS_OF_TEXTS = {
    "is already in use": Reason.DETECTOR_IN_USE,
    "cannot load workflow template": Reason.TEMPLATE_BROKEN,
    "workflow public info parsing failed": Reason.TEMPLATE_NOT_FOUND,
}
"""Why a creation failed, by words of AliECS's message (core.md 2.9)."""


def failure(
    endpoint: str, method: str, error: grpc.aio.AioRpcError, *, is_write: bool
) -> CoreError | DeadlineError | LinkError:
    """Return the error to raise for a call that was sent and failed.

    Args:
        is_write: the method changes something, so a lost answer means that the outcome is unknown.
    """
    told = read_error(error)
    if told is not None:
        return told
    code = error.code()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineError(
            f"{method}: no answer from {endpoint} in time, the outcome is unknown",
            hint="the core goes on: look with env ls, or wait with env wait",
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        if is_write:
            return DeadlineError(
                f"{method}: the link to {endpoint} broke after the request was sent, the outcome is unknown",
                hint="look with env ls before asking again",
            )
        return unreachable(endpoint, "the link broke")
    text = error.details() or code.name
    reason = REASONS_OF_METHODS.get((method, code.name)) or REASONS.get(code, Reason.INTERNAL)
    if reason is Reason.DEPLOYMENT_FAILED:
        reason = next((one for words, one in REASONS_OF_TEXTS.items() if words in text), reason)
    return CoreError(reason, text, code=code.name, environment=_failed_environment(error))


def unreachable(endpoint: str, why: str) -> LinkError:
    """Return the error for a core that cannot be reached; nothing was sent, or only a question."""
    return LinkError(
        f"no core at {endpoint}: {why}", hint="is aliecs-server running? --endpoint HOST:PORT names another"
    )


def read_error(error: grpc.aio.AioRpcError) -> CoreError | None:
    """Return what the ErrorInfo of a failed call says, None if it carries none of ours."""
    details = _details(error)
    if not details:
        return None
    from google.rpc import error_details_pb2  # only a failed call needs it: every one-shot command would pay for it

    info = error_details_pb2.ErrorInfo()
    for detail in details:
        if detail.Unpack(info) and info.domain == DOMAIN:
            where = dict(info.metadata)
            hint = where.pop("hint", "")
            reason = Reason(info.reason) if info.reason in Reason.__members__ else Reason.INTERNAL
            return CoreError(reason, error.details() or "", hint=hint, code=error.code().name, **where)
    return None


def _failed_environment(error: grpc.aio.AioRpcError) -> str:
    """Return the id of the environment whose creation failed, "" if none is told."""
    info = o2control_pb2.EnvironmentInfo()
    return next((info.id for detail in _details(error) if detail.Unpack(info)), "")


def _details(error: grpc.aio.AioRpcError) -> Sequence[any_pb2.Any]:
    raw = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
    if not raw:
        return ()
    from google.rpc import status_pb2  # as in read_error

    details: Sequence[any_pb2.Any] = status_pb2.Status.FromString(
        raw[0] if isinstance(raw[0], bytes) else raw[0].encode()
    ).details
    return details
