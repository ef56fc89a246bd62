"""From an error to a gRPC status: one place, one form, an ErrorInfo on every status (design 1b)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import any_pb2, message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from occ.errors import AliecsError
from server.api.errors import DOMAIN, CoreError, Reason

log = logging.getLogger(__name__)

MAX_MESSAGE, MAX_VALUE = 6000, 600
"""Bytes that an error's message, and each thing that it is about, may take in the metadata, of which clients accept 8 KiB
unless told otherwise."""
_PLAIN, _OTHER = 7 / 3, 13 / 3
"""Bytes in the metadata for each byte of a message: it is there twice, as it is with what is not ASCII in three signs, and
once more in base 64."""

_T = TypeVar("_T")


async def answer(context: grpc.aio.ServicerContext[Any, Any], work: Awaitable[_T]) -> _T:
    """Return the result of the work, or end the call with the status of its error.

    What is no AliecsError is a defect of ours: the client learns that there was one, the log learns which.
    """
    try:
        return await work
    except AliecsError as error:
        await refuse(context, error)
    except Exception:
        log.exception("a call failed unexpectedly")
        message_text = "internal error of the core; its log says more"
        await refuse(context, CoreError(Reason.INTERNAL, message_text))


async def refuse(
    context: grpc.aio.ServicerContext[Any, Any], error: AliecsError, *details: message.Message
) -> NoReturn:
    """End the call with the status of an error; further details come before the ErrorInfo."""
    known = error if isinstance(error, CoreError) else CoreError(Reason.CONFIGURATION, error.message, hint=error.hint)
    metadata = {key: _short(value, MAX_VALUE) for key, value in known.where.items()}
    if known.hint:
        metadata.setdefault("hint", known.hint)
    info = error_details_pb2.ErrorInfo(reason=known.reason.value, domain=DOMAIN, metadata=metadata)
    packed = []
    for detail in (*details, info):
        box = any_pb2.Any()
        box.Pack(detail)
        packed.append(box)
    text = _short(known.message, MAX_MESSAGE)
    status = status_pb2.Status(code=code_pb2.Code.Value(known.code), message=text, details=packed)
    await context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort_with_status does not return")


def _short(text: str, most: int) -> str:
    """Return a text, of a longer one the beginning and how much was left out."""
    if len(text) * _OTHER * 4 <= most:
        return text
    taken = 0.0
    for at, letter in enumerate(text):
        taken += _PLAIN if letter.isascii() and letter.isprintable() else _OTHER * len(letter.encode(errors="replace"))
        if taken > most:
            return f"{text[:at]} ... and {len(text) - at} more characters"
    return text
