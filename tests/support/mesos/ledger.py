"""What the master remembers: frameworks, their offers and tasks, and the agents it has heard of."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mesos.clock import Clock, Timer
from mesos.resources import Resources
from mesos.streams import EventStream
from mesos.terms import TERMINAL, Json, value

if TYPE_CHECKING:
    from mesos.agent import Agent


@dataclass(slots=True)
class Task:
    """A task that the master knows: until it is over and that is acknowledged."""

    id: str
    agent_id: str
    executor_id: str | None
    """None for a plain command."""
    resources: Resources
    state: str = "TASK_STAGING"
    container: Json | None = None
    uuid: str = ""
    """Of the latest update that was forwarded."""
    has_resources: bool = True

    @property
    def is_over(self) -> bool:
        return self.state in TERMINAL


@dataclass(frozen=True, slots=True)
class Filter:
    """A refusal: nothing of this agent that is a part of ``resources``, until then."""

    agent_id: str
    resources: Resources
    until_s: float


@dataclass(frozen=True, slots=True)
class Offer:
    """An outstanding offer. ``promised`` is what the scheduler reads; ``resources`` is what there is."""

    id: str
    framework_id: str
    agent_id: str
    resources: Resources
    promised: Resources


@dataclass(slots=True)
class Framework:
    """A framework that is known, connected or not."""

    id: str
    info: Json
    stream: EventStream | None = None
    filters: list[Filter] = field(default_factory=list)
    suppressed: bool = False
    tasks: dict[str, Task] = field(default_factory=dict)
    failover: Timer | None = None
    heartbeat: Timer | None = None

    @property
    def is_connected(self) -> bool:
        return self.stream is not None and self.stream.is_open

    @property
    def role(self) -> str:
        roles = self.info.get("roles") or [self.info.get("role", "*")]
        return str(roles[0])

    def can(self, capability: str) -> bool:
        return {"type": capability} in self.info.get("capabilities", [])

    def send(self, event: Json) -> None:
        """Say ``event`` to the scheduler; it is lost where none is connected."""
        if self.stream is not None:
            self.stream.send(event)

    def refuses(self, agent_id: str, resources: Resources, clock: Clock) -> bool:
        self.filters = [refusal for refusal in self.filters if refusal.until_s > clock.now()]
        return any(refusal.agent_id == agent_id and refusal.resources.contains(resources) for refusal in self.filters)


@dataclass(slots=True)
class AgentRecord:
    """An agent as the master sees it."""

    agent: Agent
    free: Resources
    """Neither used nor offered."""
    executors: dict[tuple[str, str], Json] = field(default_factory=dict)
    """ExecutorInfo as the scheduler wrote it, by framework and executor."""
    is_active: bool = True
    removal: Timer | None = None
    overcommitment: Resources = field(default_factory=Resources)
    """Promised with the next offer, though it is not there."""

    @property
    def id(self) -> str:
        return self.agent.id


@dataclass(slots=True)
class Ledger:
    """All that one master knows."""

    frameworks: dict[str, Framework] = field(default_factory=dict)
    completed: set[str] = field(default_factory=set)
    """Frameworks that were torn down or did not come back in time."""
    agents: dict[str, AgentRecord] = field(default_factory=dict)
    unreachable: set[str] = field(default_factory=set)

    def return_task(self, record: AgentRecord, task: Task) -> None:
        """Give back what a task used, once."""
        if task.has_resources:
            task.has_resources = False
            record.free += task.resources


def master_status(task_id: str, state: str, message: str, reason: str, **more: Json | None) -> Json:
    """Return a status that the master itself makes; it has no uuid, so nobody acknowledges it."""
    return {
        "task_id": value(task_id),
        "state": state,
        "message": message,
        "source": "SOURCE_MASTER",
        "reason": reason,
        "timestamp": time.time(),
        **{name: part for name, part in more.items() if part is not None},
    }


def task_status(task: Task, message: str, reason: str) -> Json:
    """Return what a master says of a task that it knows."""
    executor_id = value(task.executor_id) if task.executor_id is not None else None
    return master_status(
        task.id,
        task.state,
        message,
        reason,
        agent_id=value(task.agent_id),
        executor_id=executor_id,
        container_status=task.container,
    )
