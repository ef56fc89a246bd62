"""OCC as JSON, the form that FairMQ's plugin OCClite speaks (occ-executor-mesos.md 1.8): messages to text and back.

The methods are called by their bare names, ``GetState`` and not ``/occ_pb.Occ/GetState``. Enumerations are numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from occ.api import occ_pb2


def encode_transition(request: occ_pb2.TransitionRequest) -> bytes:
    """Source and event always stand there, all values are strings: the original dies of anything else."""
    message: dict[str, Any] = {"srcState": request.srcState, "transitionEvent": request.transitionEvent}
    if request.arguments:
        message["arguments"] = [{"key": entry.key, "value": entry.value} for entry in request.arguments]
    return encode(message)


def encode_empty(request: object) -> bytes:
    """An empty payload would not be understood."""
    return b"{}"


def decode_state(payload: bytes) -> occ_pb2.GetStateReply:
    """Read a GetStateReply; ValueError if it is none."""
    message = _object(payload)
    return occ_pb2.GetStateReply(state=_text(message, "state"), pid=_number(message, "pid"))


def decode_outcome(payload: bytes) -> occ_pb2.TransitionReply:
    """Read a TransitionReply; ValueError if it is none."""
    message = _object(payload)
    return occ_pb2.TransitionReply(
        trigger=_number(message, "trigger"),  # type: ignore[arg-type]
        state=_text(message, "state"),
        transitionEvent=_text(message, "transitionEvent"),
        ok=message.get("ok") is True,
    )


def decode_state_change(payload: bytes) -> occ_pb2.StateStreamReply:
    """Read a StateStreamReply, which OCClite does not send; ValueError if it is none."""
    message = _object(payload)
    return occ_pb2.StateStreamReply(type=_number(message, "type"), state=_text(message, "state"))  # type: ignore[arg-type]


def decode_event(payload: bytes) -> occ_pb2.EventStreamReply:
    """Read an EventStreamReply; ValueError if it is none."""
    event = _object(payload).get("event", {})
    if not isinstance(event, dict):
        raise ValueError(f"event is {event!r}, expected an object")
    return occ_pb2.EventStreamReply(event=occ_pb2.DeviceEvent(type=_number(event, "type")))  # type: ignore[arg-type]


def decode_transition(payload: bytes) -> tuple[str, str, list[tuple[str, str]]]:
    """Read a TransitionRequest: source, event, arguments. An argument without key is left out, a missing value is "".

    Raises:
        ValueError: it is none, or something in it is no string.
    """
    message = _object(payload)
    arguments = []
    entries = message.get("arguments") or []
    if not isinstance(entries, list):
        raise ValueError(f"arguments is {entries!r}, expected a list")
    for entry in entries:
        if not isinstance(entry, dict):
            raise ValueError(f"argument is {entry!r}, expected an object")
        if "key" in entry:
            arguments.append((_text(entry, "key"), _text(entry, "value", "")))
    return _text(message, "srcState"), _text(message, "transitionEvent"), arguments


def encode(message: Mapping[str, Any]) -> bytes:
    """Print without blanks, keys in their order."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def _object(payload: bytes) -> dict[str, Any]:
    message = json.loads(payload)
    if not isinstance(message, dict):
        raise ValueError(f"message is {message!r}, expected an object")
    return message


def _text(message: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = message.get(key, default)
    if not isinstance(value, str):
        raise ValueError(f"{key} is {value!r}, expected a string")
    return value


def _number(message: Mapping[str, Any], key: str) -> int:
    value = message.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}, expected a number")
    return value
