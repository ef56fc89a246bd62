"""From a failed call to an error that a person can act on: what its ErrorInfo says, else what its code means."""

from __future__ import annotations

import grpc
import grpc.aio

from server.api.errors import DOMAIN, CoreError, DeadlineError, LinkError, Reason

REASONS = {
    grpc.StatusCode.INVALID_ARGUMENT: Reason.BAD_REQUEST,
    grpc.StatusCode.NOT_FOUND: Reason.ENVIRONMENT_NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION: Reason.ILLEGAL_TRANSITION,
    grpc.StatusCode.ABORTED: Reason.TRANSITION_FAILED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.RESOURCES_MISSING,
    grpc.StatusCode.UNIMPLEMENTED: Reason.RESERVED,
}
"""For a core that sends no ErrorInfo."""


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
    return CoreError(REASONS.get(code, Reason.INTERNAL), error.details() or code.name, code=code.name)


def unreachable(endpoint: str, why: str) -> LinkError:
    """Return the error for a core that cannot be reached; nothing was sent, or only a question."""
    return LinkError(
        f"no core at {endpoint}: {why}", hint="is aliecs-server running? --endpoint HOST:PORT names another"
    )


def read_error(error: grpc.aio.AioRpcError) -> CoreError | None:
    """Return what the ErrorInfo of a failed call says, None if it carries none of ours."""
    details = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
    if not details:
        return None
    # Only a failed call needs these: importing them costs every one-shot command some milliseconds.
    from google.rpc import error_details_pb2, status_pb2

    raw = details[0]
    info = error_details_pb2.ErrorInfo()
    for detail in status_pb2.Status.FromString(raw if isinstance(raw, bytes) else raw.encode()).details:
        if detail.Unpack(info) and info.domain == DOMAIN:
            where = dict(info.metadata)
            hint = where.pop("hint", "")
            reason = Reason(info.reason) if info.reason in Reason.__members__ else Reason.INTERNAL
            return CoreError(reason, error.details() or "", hint=hint, code=error.code().name, **where)
    return None
