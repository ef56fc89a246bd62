"""What a fake core answers about its environments, tasks and failures, as messages of o2control.Control."""

from __future__ import annotations

import json
from collections.abc import Iterable

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from server.api import o2control_pb2 as pb
from server.api.errors import DOMAIN, CoreError
from server.api.model import Environment, Task


def environment_info(one: Environment, tasks: Iterable[Task] = ()) -> pb.EnvironmentInfo:
    user_vars = dict(one.user_vars) | {
        "last_request_user": json.dumps({"name": one.last_user.name or one.owner.name}),
        "enter_state_time_ms": str(one.state_since_ms),
    }
    return pb.EnvironmentInfo(
        id=one.id, createdWhen=one.created_ms, state=one.state, rootRole=one.template, currentRunNumber=one.run_number,
        includedDetectors=one.detectors, numberOfHosts=one.hosts, numberOfTasks=one.tasks_total,
        numberOfActiveTasks=one.tasks_active, currentTransition=one.transition.event if one.transition else "",
        userVars=user_vars, tasks=map(short_task, tasks),
    )  # fmt: skip


def short_task(task: Task) -> pb.ShortTaskInfo:
    return pb.ShortTaskInfo(
        name=f"{task.class_name}#{task.task_id}", taskId=task.task_id, className=task.class_name, state=task.state,
        status=task.status, pid=str(task.pid), critical=task.critical, locked=task.locked,
        deploymentInfo=pb.TaskDeploymentInfo(hostname=task.host),
    )  # fmt: skip


def error_status(error: CoreError, *others: Message) -> grpc.Status:
    """Return the error as the real core answers it: a status with an ErrorInfo, and other details."""
    metadata = error.where | ({"hint": error.hint} if error.hint else {})
    info = error_details_pb2.ErrorInfo(reason=error.reason.value, domain=DOMAIN, metadata=metadata)
    boxes = [any_pb2.Any() for _ in (info, *others)]
    for box, detail in zip(boxes, (info, *others), strict=True):
        box.Pack(detail)
    status = status_pb2.Status(code=code_pb2.Code.Value(error.code), message=error.message, details=boxes)
    return rpc_status.to_status(status)
