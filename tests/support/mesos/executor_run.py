"""One run of an executor as its agent knows it, and the tasks that it has or waits for."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from mesos.clock import Timer
from mesos.container import Container
from mesos.resources import Resources
from mesos.streams import EventStream
from mesos.terms import LOOPBACK, TERMINAL, Json, new_uuid, value


class Phase(Enum):
    REGISTERING = "started, not yet subscribed"
    RUNNING = "subscribed at least once"
    TERMINATING = "told to shut down, or killed"
    TERMINATED = "over"


@dataclass(slots=True)
class LaunchedTask:
    """A task of an executor, and the latest state that the executor gave it."""

    info: Json
    state: str = "TASK_STAGING"

    @property
    def id(self) -> str:
        return str(self.info["task_id"]["value"])

    @property
    def is_over(self) -> bool:
        return self.state in TERMINAL


@dataclass(slots=True)
class ExecutorRun:
    """A container with an executor in it: a custom one, or that of Mesos for one command."""

    framework: Json
    info: Json | None
    """ExecutorInfo; None for a command."""
    id: str
    container: Container
    phase: Phase = Phase.REGISTERING
    stream: EventStream | None = None
    queued: dict[str, LaunchedTask] = field(default_factory=dict)
    launched: dict[str, LaunchedTask] = field(default_factory=dict)
    timer: Timer | None = None
    heartbeat: Timer | None = None
    end_reason: tuple[str, str] = ("Executor terminated", "REASON_EXECUTOR_TERMINATED")
    wait_status: int | None = None
    is_disowned: bool = False
    """Its framework is gone, so nobody wants to hear of its tasks."""

    @property
    def framework_id(self) -> str:
        return str(self.framework["id"]["value"])

    @property
    def is_checkpointed(self) -> bool:
        return bool(self.framework.get("checkpoint"))

    @property
    def is_subscribed(self) -> bool:
        return self.stream is not None and self.stream.is_open

    @property
    def live_tasks(self) -> list[LaunchedTask]:
        return [task for task in (*self.launched.values(), *self.queued.values()) if not task.is_over]

    @property
    def container_status(self) -> Json:
        return {
            "container_id": value(self.container.id),
            "network_infos": [{"ip_addresses": [{"protocol": "IPv4", "ip_address": LOOPBACK}]}],
            "executor_pid": self.container.pid,
        }

    def deliver_queued(self) -> None:
        """Hand over what waited for the executor."""
        assert self.stream is not None
        while self.queued:
            task_id, task = next(iter(self.queued.items()))
            self.launched[task_id] = self.queued.pop(task_id)
            self.stream.send({"type": "LAUNCH", "launch": {"task": task.info}})

    def still(self) -> None:
        """Let no timer of this run go off any more."""
        for timer in (self.timer, self.heartbeat):
            if timer is not None:
                timer.cancel()
        self.timer = self.heartbeat = None


CAPABILITIES = (
    "MULTI_ROLE", "HIERARCHICAL_ROLE", "RESERVATION_REFINEMENT", "RESOURCE_PROVIDER", "RESIZE_VOLUME",
    "AGENT_OPERATION_FEEDBACK", "AGENT_DRAINING", "TASK_RESOURCE_LIMITS",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class VirtualAgent:
    """An agent as a test asks for it.

    Args:
        hostname: that offers give; all agents listen on loopback, each on its own port.
        attributes: ``machine_id`` and others, as text.
        resources: in the syntax of the agent's option.
        capabilities: older agents have fewer; without the last they refuse limits.
    """

    hostname: str = LOOPBACK
    attributes: dict[str, str] = field(default_factory=dict)
    resources: str = "cpus:4;mem:4096;disk:252899;ports:[31000-32000]"
    capabilities: tuple[str, ...] = CAPABILITIES

    @property
    def total(self) -> Resources:
        return Resources.parse(self.resources)


def run_folder(work_dir: Path, agent_id: str, framework_id: str, executor_id: str) -> Path:
    """Return the folder of an executor, where Mesos puts it."""
    return work_dir / "slaves" / agent_id / "frameworks" / framework_id / "executors" / executor_id


def executor_environment(run: ExecutorRun, agent_id: str, address: str, durations: dict[str, str]) -> dict[str, str]:
    """Return the variables of an executor; nothing is inherited from the agent (6.5)."""
    sandbox = str(run.container.sandbox)
    environment = {
        "LIBPROCESS_IP": LOOPBACK,
        "LIBPROCESS_PORT": "0",
        "MESOS_AGENT_ENDPOINT": address,
        "MESOS_CHECKPOINT": "1" if run.is_checkpointed else "0",
        "MESOS_DIRECTORY": sandbox,
        "MESOS_EXECUTOR_ID": run.id,
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": durations["grace"],
        "MESOS_FRAMEWORK_ID": run.framework_id,
        "MESOS_HTTP_COMMAND_EXECUTOR": "0",
        "MESOS_SANDBOX": sandbox,
        "MESOS_SLAVE_ID": agent_id,
        "MESOS_SLAVE_PID": f"slave(1)@{address}",
    }
    if run.is_checkpointed:
        environment["MESOS_RECOVERY_TIMEOUT"] = durations["recovery"]
        environment["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = durations["backoff"]
    if run.info is None:
        environment["MESOS_ALLOCATION_ROLE"] = "*"
    return environment


def task_update(task: LaunchedTask, state: str, source: str, *, executor_id: str, agent_id: str) -> Json:
    """Return a status that an agent or Mesos' own executor makes."""
    return {
        "task_id": value(task.id),
        "state": state,
        "source": source,
        "agent_id": value(agent_id),
        "executor_id": value(executor_id),
        "timestamp": time.time(),
        "uuid": new_uuid(),
    }
