"""What core and Mesos say to each other, in the JSON of Mesos's v1 API: pure conversions (occ-executor-mesos.md 3.1, 4.5, 6).

Only unreserved resources count, and only attributes of type text (4.5, 4.6).
"""

from __future__ import annotations

import base64
import math
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from executor.api import executor_pb2
from executor.api.convert import command_to_pb, report_from_pb
from executor.api.messages import Launch, TaskReport, TaskReports, TaskSpec
from executor.api.options import ExecutorOptions
from occ.errors import LinkError
from server.deploy.host import Held
from server.deploy.ranges import Ranges, normalise

CAPABILITIES = ("MULTI_ROLE", "PARTITION_AWARE")

LOST_STATES = frozenset(("TASK_LOST", "TASK_DROPPED", "TASK_GONE", "TASK_GONE_BY_OPERATOR", "TASK_UNREACHABLE"))
"""States after which a task will not be heard of again, or is not to be waited for."""
END_STATES = frozenset(("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR")) | LOST_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorSettings:
    """What the core asks of every agent that is to run an executor.

    Attributes:
        path: of the program on the agents, or in the image, absolute.
        image: of Docker, that executors run in with the network of their host; "" for none.
        cpus, memory_mb: of the executor itself; every task takes as much again beside what it wants (4.5).
    """

    path: str
    cpus: float = 0.01
    memory_mb: float = 64.0
    options: ExecutorOptions = field(default_factory=ExecutorOptions)
    image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MesosOffer:
    """What an agent has free, as the master offered it."""

    offer_id: str
    agent_id: str
    hostname: str
    address: str
    """That others reach the host by."""
    port: int
    """Of the agent's HTTP."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    cpus: float = 0.0
    memory_mb: float = 0.0
    ports: Ranges = ()
    executor_ids: tuple[str, ...] = ()
    takes_limits: bool = False
    """Mesos 1.10 and later."""


def framework_info(
    *, user: str, name: str, failover_timeout_s: float, checkpoint: bool, roles: Sequence[str], principal: str,
    hostname: str, framework_id: str, labels: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:  # fmt: skip
    """Return the FrameworkInfo; with an id it is a framework that comes back."""
    info: dict[str, Any] = {
        "user": user,
        "name": name,
        "failover_timeout": failover_timeout_s,
        "checkpoint": checkpoint,
        "roles": list(roles) or ["*"],
        "capabilities": [{"type": one} for one in CAPABILITIES],
    }
    optional = {"principal": principal, "hostname": hostname}
    info |= {key: value for key, value in optional.items() if value}
    if labels:
        info["labels"] = {"labels": [{"key": key, "value": value} for key, value in labels]}
    if framework_id:
        info["id"] = {"value": framework_id}
    return info


def executor_info(
    executor_id: str, settings: ExecutorSettings, *, host: str, instance: str, attributes: Mapping[str, str]
) -> dict[str, Any]:
    """Return the ExecutorInfo of an agent. It must not change while the executor lives: it is made once."""
    environment = {"ALIECS_HOST": host, "ALIECS_INSTANCE": instance, **settings.options.variables()}
    if libraries := attributes.get("executor_env_LD_LIBRARY_PATH"):
        environment["LD_LIBRARY_PATH"] = libraries
    command: dict[str, Any] = {
        "shell": False,
        "environment": {"variables": [{"name": name, "value": value} for name, value in environment.items()]},
    }
    info = {
        "type": "CUSTOM",
        "executor_id": {"value": executor_id},
        "name": "AliECS executor",
        "command": command,
        "resources": _resources(settings.cpus, settings.memory_mb, ()),
    }
    if settings.image:
        entrypoint = {"key": "entrypoint", "value": settings.path}
        docker = {"image": settings.image, "network": "HOST", "parameters": [entrypoint]}
        info["container"] = {"type": "DOCKER", "docker": docker}
    else:
        command |= {"value": settings.path, "arguments": [settings.path]}
    return info


def task_info(
    spec: TaskSpec, command_id: str, *, agent_id: str, executor: Mapping[str, Any], held: Held, takes_limits: bool
) -> dict[str, Any]:
    """Return the TaskInfo; its data is our own Launch of this one task.

    Args:
        held: all that the task takes, with its share of the executor.
        takes_limits: whether the agent lets tasks have more than that, up to limits of their own. Agents that do not
            refuse tasks with limits.
    """
    launch = command_to_pb(Launch(command_id=command_id, tasks=(spec,))).SerializeToString()
    labels = {"environmentId": spec.environment_id, "detector": spec.detector}
    limits = {"cpus": _limit(spec.cpu_limit, held.cpus), "mem": _limit(spec.memory_limit_mb, held.memory_mb)}
    return {
        "name": f"{spec.class_name}#{spec.task_id}",
        "task_id": {"value": spec.task_id},
        "agent_id": {"value": agent_id},
        "executor": executor,
        "labels": {"labels": [{"key": key, "value": value} for key, value in labels.items() if value]},
        "resources": _resources(held.cpus, held.memory_mb, held.ports),
        "data": base64.b64encode(launch).decode(),
        **({"limits": limits} if takes_limits else {}),
    }


def _limit(limit: float, held: float) -> dict[str, Any]:
    """Return a limit as Mesos wants it: no lower than what is held; without one the task would be held to just that."""
    return {"value": round(max(limit, held), 3) if limit > 0 else "Infinity"}


def _resources(cpus: float, memory_mb: float, ports: Iterable[int]) -> list[dict[str, Any]]:
    """Return resources; what is 0 is left out, as Mesos wants it."""
    scalars = [
        {"name": name, "type": "SCALAR", "scalar": {"value": round(value, 3)}}
        for name, value in (("cpus", cpus), ("mem", memory_mb))
        if value > 0
    ]
    ranges = normalise((port, port) for port in ports)
    if not ranges:
        return scalars
    texts = [{"begin": low, "end": high} for low, high in ranges]
    return [*scalars, {"name": "ports", "type": "RANGES", "ranges": {"range": texts}}]


# ---- from Mesos ------------------------------------------------------------------------------


def offer_from(message: Mapping[str, Any]) -> MesosOffer:
    """Return the offer in an OFFERS event."""
    address = message.get("url", {}).get("address", {})
    hostname = message.get("hostname", "")
    resources = [one for one in message.get("resources", ()) if _is_unreserved(one)]
    attributes: dict[str, str] = {}
    for one in message.get("attributes", ()):
        if one.get("type") == "TEXT":
            attributes.setdefault(one["name"], one.get("text", {}).get("value", ""))
    return MesosOffer(
        offer_id=message["id"]["value"],
        agent_id=message["agent_id"]["value"],
        hostname=hostname,
        address=address.get("ip") or address.get("hostname") or hostname,
        port=int(address.get("port", 5051)),
        attributes=attributes,
        cpus=_scalar(resources, "cpus"),
        memory_mb=math.floor(_scalar(resources, "mem")),
        ports=normalise(
            (int(one["begin"]), int(one["end"]))
            for resource in resources
            if resource["name"] == "ports"
            for one in resource.get("ranges", {}).get("range", ())
        ),
        executor_ids=tuple(one["value"] for one in message.get("executor_ids", ())),
        takes_limits="TASK_RESOURCE_LIMITS" in message.get("agent_capabilities", ()),
    )


def _is_unreserved(resource: Mapping[str, Any]) -> bool:
    return resource.get("role", "*") == "*" and not resource.get("reservations") and "reservation" not in resource


def _scalar(resources: Sequence[Mapping[str, Any]], name: str) -> float:
    return sum(float(one.get("scalar", {}).get("value", 0.0)) for one in resources if one["name"] == name)


def how_executor_ended(status: int) -> str:
    """Say how an executor ended, of the raw status of wait(), which is -1 where the agent has none."""
    if status < 0:
        return "was not started, or ended unseen"
    if number := status & 0x7F:
        name = signal.Signals(number).name if number in set(signal.Signals) else "unknown"
        return f"was killed by signal {number} ({name})"
    return f"ended with exit code {status >> 8 & 0xFF}"


def how_task_ended(status: Mapping[str, Any]) -> str:
    """Say why Mesos counts a task as ended."""
    words = [status["state"], status.get("message", "").split("\n", 1)[0]]
    reason = status.get("reason", "")
    return ": ".join(word for word in words if word) + (f" ({reason})" if reason else "")


def report_in(status: Mapping[str, Any]) -> TaskReport | None:
    """Return what the executor itself says in an update, None if it is not from ours."""
    if status.get("source") != "SOURCE_EXECUTOR" or not status.get("data"):
        return None
    try:
        report = report_from_pb(executor_pb2.Report.FromString(base64.b64decode(status["data"])))
    except (DecodeError, ValueError, LinkError):
        return None
    if isinstance(report, TaskReports):
        return next((one for one in report.tasks if one.task_id == status["task_id"]["value"]), None)
    return None
