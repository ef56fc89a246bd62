"""What master and agent check in a call before they look at it, and the words in which they refuse it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from mesos.terms import Json

SCHEDULER_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "SUBSCRIBE": ("subscribe",),
    "TEARDOWN": (),
    "ACCEPT": ("accept",),
    "DECLINE": ("decline",),
    "REVIVE": (),
    "SUPPRESS": (),
    "KILL": ("kill",),
    "SHUTDOWN": ("shutdown",),
    "ACKNOWLEDGE": ("acknowledge",),
    "RECONCILE": ("reconcile",),
    "MESSAGE": ("message",),
    "REQUEST": ("request",),
    "ACCEPT_INVERSE_OFFERS": ("accept_inverse_offers",),
    "DECLINE_INVERSE_OFFERS": ("decline_inverse_offers",),
    "ACKNOWLEDGE_OPERATION_STATUS": ("acknowledge_operation_status",),
    "RECONCILE_OPERATIONS": ("reconcile_operations",),
}
EXECUTOR_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "SUBSCRIBE": ("subscribe",),
    "UPDATE": ("update",),
    "MESSAGE": ("message",),
    "HEARTBEAT": (),
}
SCHEDULER_REQUIRED = {
    "subscribe": ("framework_info", "framework_info.user", "framework_info.name"),
    "kill": ("task_id",),
    "shutdown": ("executor_id",),
    "acknowledge": ("agent_id", "task_id", "uuid"),
    "message": ("agent_id", "executor_id", "data"),
}
EXECUTOR_REQUIRED = {"update": ("status", "status.task_id", "status.state"), "message": ("data",)}


class BadCall(Exception):
    """A call that is refused, with the status and the text of the answer."""

    def __init__(self, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def check_scheduler_call(call: Json) -> None:
    """Raise BadCall unless ``call`` is one that a master would look at."""
    _check_form(call, SCHEDULER_REQUIRED)
    _check_members(call, SCHEDULER_MEMBERS, "scheduler::Call")
    kind = call["type"]
    if kind == "SUBSCRIBE":
        if call.get("framework_id") != call["subscribe"]["framework_info"].get("id"):
            raise BadCall(
                "Failed to validate scheduler::Call: 'framework_id' differs from 'subscribe.framework_info.id'"
            )
    elif "framework_id" not in call:
        raise BadCall("Failed to validate scheduler::Call: Expecting 'framework_id' to be present")
    if kind == "ACKNOWLEDGE" and not _is_uuid(call["acknowledge"]["uuid"]):
        raise BadCall("Failed to validate scheduler::Call: Not a valid UUID")


def check_executor_call(call: Json) -> None:
    """Raise BadCall unless ``call`` is one that an agent would look at."""
    missing = [name for name in ("executor_id", "framework_id") if name not in call]
    if missing:
        raise BadCall(f"Failed to convert JSON into Call protobuf: Missing required fields: {', '.join(missing)}")
    _check_form(call, EXECUTOR_REQUIRED)
    _check_members(call, EXECUTOR_MEMBERS, "Executor::Call")
    if call["type"] == "UPDATE":
        _check_update(call)


def _check_update(call: Json) -> None:
    status = call["update"]["status"]
    executor, framework = call["executor_id"]["value"], call["framework_id"]["value"]
    problem = None
    if "uuid" not in status:
        problem = "Expecting 'uuid' to be present"
    elif not _is_uuid(status["uuid"]):
        problem = "Not a valid UUID"
    elif status.get("executor_id", call["executor_id"]) != call["executor_id"]:
        other = status["executor_id"]["value"]
        problem = f"ExecutorID in Call: {executor} does not match ExecutorID in TaskStatus: {other}"
    elif status.get("source") != "SOURCE_EXECUTOR":
        problem = (
            f"Received Call from executor {executor} of framework {framework} with invalid source,"
            " expecting 'SOURCE_EXECUTOR'"
        )
    elif status["state"] == "TASK_STAGING":
        problem = f"Received TASK_STAGING from executor {executor} of framework {framework} which is not allowed"
    if problem is not None:
        raise BadCall(f"Failed to validate Executor::Call: {problem}")


def _check_form(call: Json, required: Mapping[str, tuple[str, ...]]) -> None:
    for name in ("framework_id", "executor_id"):
        if not isinstance(call.get(name, {"value": ""}), dict):
            raise BadCall(f"Failed to convert JSON into Call protobuf: Not expecting a JSON string for field '{name}'")
    missing = []
    for member, paths in required.items():
        if isinstance(call.get(member), dict):
            missing += [f"{member}.{path}" for path in paths if _at(call[member], path) is _ABSENT]
    # Of a message that is missing, its own fields are not missed as well.
    missing = [path for path in missing if path.rpartition(".")[0] not in missing]
    if missing:
        raise BadCall(f"Failed to convert JSON into Call protobuf: Missing required fields: {', '.join(missing)}")
    data = call.get("message", {}).get("data", "")
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error as error:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
        wrong = next((letter for letter in data if letter not in alphabet), "=")
        raise BadCall(
            "Failed to convert JSON into Call protobuf: Failed to base64 decode bytes field 'data':"
            f" Invalid character '{wrong}'"
        ) from error


def _check_members(call: Json, members: Mapping[str, tuple[str, ...]], name: str) -> None:
    # A name that is no type is dropped in the conversion, so what is missed is the type.
    absent = "type" if call.get("type") not in members else ""
    absent = absent or next((member for member in members[call["type"]] if member not in call), "")
    if absent:
        raise BadCall(f"Failed to validate {name}: Expecting '{absent}' to be present")


_ABSENT = object()


def _at(message: Json, path: str) -> object:
    found: object = message
    for name in path.split("."):
        found = found.get(name, _ABSENT) if isinstance(found, dict) else _ABSENT
    return found


def _is_uuid(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except binascii.Error:
        return False
