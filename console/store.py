"""The console's only truth: the live picture of a core, built from batches. No I/O, no gRPC, no clock.

Plain reads, ``apply`` and nothing else; a recording or another transport feeds it the same way. Not for several threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from server.api.model import (
    Batch,
    Core,
    Environment,
    Event,
    Fault,
    Host,
    Kind,
    Part,
    Removal,
    Role,
    Service,
    Task,
    Thing,
)

EVENTS_KEPT = 2000
FAULTS_KEPT = 50
"""Of environments that are gone, so that a failed creation can still be explained."""

Key = tuple[Kind, str]


class Link(Enum):
    """State of the way to the core."""

    CONNECTING = "connecting"
    LIVE = "live"
    LOST = "lost"


@dataclass(slots=True)
class _Things:
    """One picture; a snapshot is built beside the shown one and replaces it when it is complete."""

    core: Core | None = None
    environments: dict[str, Environment] = field(default_factory=dict)
    roles: dict[str, dict[str, Role]] = field(default_factory=dict)
    """By environment and path."""
    tasks: dict[str, Task] = field(default_factory=dict)
    members: dict[str, dict[str, None]] = field(default_factory=dict)
    """Ids of the tasks of an environment, in the order in which they came."""
    hosts: dict[str, Host] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    revisions: dict[Key, int] = field(default_factory=dict)


class Store:
    """What is known of one core.

    Attributes:
        epoch, seq: where to resume.
        link: written by the session.
        problem: why the link is not LIVE, "" if it is.
        changed_ms: the core's time of the last batch, 0 before the first.
        events, events_total: the last events, and how many there were; the last one has the serial number total - 1.
        version: rises with every batch and change of the link; for "has anything happened?".
    """

    def __init__(self) -> None:
        self.epoch = ""
        self.seq = 0
        self.link = Link.CONNECTING
        self.problem = ""
        self.changed_ms = 0
        self.version = 0
        self.is_complete = False
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.events_total = 0
        self._things = _Things()
        self._coming: _Things | None = None
        self._past_faults: dict[str, Fault] = {}
        self._past_environments: dict[str, Environment] = {}

    # ---- reads -------------------------------------------------------------------------------

    @property
    def resume_point(self) -> tuple[str, int]:
        """Epoch and seq to go on from; ("", 0) asks for a snapshot, also when one was cut short."""
        return ("", 0) if self._coming is not None else (self.epoch, self.seq)

    @property
    def core(self) -> Core | None:
        return self._things.core

    @property
    def hosts(self) -> Mapping[str, Host]:
        return self._things.hosts

    @property
    def services(self) -> Mapping[str, Service]:
        return self._things.services

    def environment(self, environment_id: str) -> Environment | None:
        return self._things.environments.get(environment_id)

    def last_seen(self, environment_id: str) -> Environment | None:
        """Return the environment as it is, or as it last was before it went."""
        return self._things.environments.get(environment_id) or self._past_environments.get(environment_id)

    def environments(self) -> list[Environment]:
        """Return all, oldest first."""
        return sorted(self._things.environments.values(), key=lambda it: (it.created_ms, it.id))

    def task(self, task_id: str) -> Task | None:
        return self._things.tasks.get(task_id)

    def tasks(self, environment_id: str | None = None) -> list[Task]:
        """Return the tasks of one environment, or all."""
        tasks = self._things.tasks
        if environment_id is None:
            return list(tasks.values())
        return [tasks[task_id] for task_id in self._things.members.get(environment_id, ())]

    def roles(self, environment_id: str) -> list[Role]:
        """Return the roles of one environment in pre-order."""
        return sorted(self._things.roles.get(environment_id, {}).values(), key=lambda it: it.order)

    def fault(self, environment_id: str) -> Fault | None:
        """Return the first fault of an environment, also if the environment is gone."""
        return self._things.faults.get(environment_id) or self._past_faults.get(environment_id)

    def last_fault(self) -> Fault | None:
        """Return the first fault of the environment that went last, None if it had none."""
        if not self._past_environments:
            return None
        return self._past_faults.get(next(reversed(self._past_environments)))

    def ended(self) -> list[tuple[Environment, Fault | None]]:
        """Return environments that are gone as they last were, the last one first, each with its first fault."""
        past = reversed(self._past_environments.values())
        return [(environment, self._past_faults.get(environment.id)) for environment in past]

    # ---- writes ------------------------------------------------------------------------------

    def apply(self, batch: Batch) -> set[Key]:
        """Take in a batch; return what changed and is shown, by kind and id.

        The parts of a snapshot show nothing until its last one, then everything. A change with a revision that is
        not above the known one is passed over, so that a batch may come twice.
        """
        self.version += 1
        self.epoch, self.seq, self.changed_ms = batch.epoch, batch.seq, batch.timestamp_ms
        if batch.part is Part.BEGIN:
            self._coming = _Things()
        target = self._coming if batch.part is not Part.NONE and self._coming is not None else self._things
        changed: set[Key] = set()
        for change in batch.changes:
            value = change.value
            if isinstance(value, Removal):
                self._remove(target, value, changed)
            elif isinstance(value, Core):
                target.core = value
            elif isinstance(value, Environment | Role | Task | Host | Service | Fault):
                key = key_of(value)
                if change.revision and change.revision <= target.revisions.get(key, 0):
                    continue
                target.revisions[key] = change.revision
                _WRITERS[type(value)](target, value)
                changed.add(key)
            else:
                self.events.append(value)
                self.events_total += 1
        if target is self._things:
            return changed
        if batch.part is Part.END:
            return self._show(target)
        return set()

    def clear(self) -> set[Key]:
        """Forget everything but the link, as before the first batch; return what was shown."""
        shown = set(self._things.revisions)
        self.epoch, self.seq, self.changed_ms, self.is_complete = "", 0, 0, False
        self.version += 1
        self._things, self._coming = _Things(), None
        for past in (self.events, self._past_faults, self._past_environments):
            past.clear()
        return shown

    def set_link(self, link: Link, problem: str = "") -> None:
        """Note the state of the link; for the session only."""
        self.link, self.problem = link, problem
        self.version += 1

    def _show(self, picture: _Things) -> set[Key]:
        before = set(self._things.revisions)
        for environment_id in self._things.environments.keys() - picture.environments.keys():
            self._keep(self._things, environment_id)
        self._things, self._coming, self.is_complete = picture, None, True
        return before | set(picture.revisions)

    def _remove(self, target: _Things, removal: Removal, changed: set[Key]) -> None:
        kind, name = removal.kind, removal.id
        target.revisions.pop((kind, name), None)
        changed.add((kind, name))
        if kind is Kind.ENVIRONMENT:
            self._keep(target, name)
            target.environments.pop(name, None)
            for path in target.roles.pop(name, {}):
                target.revisions.pop((Kind.ROLE, f"{name}/{path}"), None)
            target.faults.pop(name, None)
            target.revisions.pop((Kind.FAULT, name), None)
        elif kind is Kind.ROLE:
            environment_id, _, path = name.partition("/")
            target.roles.get(environment_id, {}).pop(path, None)
        elif kind is Kind.TASK:
            task = target.tasks.pop(name, None)
            if task is not None:
                target.members.get(task.environment_id, {}).pop(name, None)
        elif kind is Kind.HOST:
            target.hosts.pop(name, None)
        elif kind is Kind.SERVICE:
            target.services.pop(name, None)
        elif kind is Kind.FAULT:
            target.faults.pop(name, None)

    def _keep(self, picture: _Things, environment_id: str) -> None:
        """Remember how an environment ended."""
        environment = picture.environments.get(environment_id)
        fault = picture.faults.get(environment_id)
        if environment is not None:
            self._past_environments[environment_id] = environment
        if fault is not None:
            self._past_faults[environment_id] = fault
        for past in (self._past_faults, self._past_environments):
            while len(past) > FAULTS_KEPT:
                past.pop(next(iter(past)))


def key_of(thing: Environment | Role | Task | Host | Service | Fault) -> Key:
    """Return the kind and id of a thing, as a Removal names it."""
    match thing:
        case Task():
            return (Kind.TASK, thing.task_id)
        case Role():
            return (Kind.ROLE, f"{thing.environment_id}/{thing.path}")
        case Environment():
            return (Kind.ENVIRONMENT, thing.id)
        case Host():
            return (Kind.HOST, thing.name)
        case Service():
            return (Kind.SERVICE, thing.id)
        case Fault():
            return (Kind.FAULT, thing.environment_id)


def worst_first(tasks: Iterable[Task], rank: Mapping[str, int]) -> list[Task]:
    """Return tasks sorted by rank of their state, critical ones before others, then by host and path."""
    last = len(rank)
    return sorted(tasks, key=lambda it: (rank.get(it.state, last), not it.critical, it.host, it.path, it.task_id))


def _put_environment(target: _Things, value: Environment) -> None:
    target.environments[value.id] = value


def _put_role(target: _Things, value: Role) -> None:
    target.roles.setdefault(value.environment_id, {})[value.path] = value


def _put_task(target: _Things, value: Task) -> None:
    known = target.tasks.get(value.task_id)
    if known is not None and known.environment_id != value.environment_id:
        target.members.get(known.environment_id, {}).pop(value.task_id, None)
    target.tasks[value.task_id] = value
    target.members.setdefault(value.environment_id, {})[value.task_id] = None


def _put_host(target: _Things, value: Host) -> None:
    target.hosts[value.name] = value


def _put_service(target: _Things, value: Service) -> None:
    target.services[value.id] = value


def _put_fault(target: _Things, value: Fault) -> None:
    target.faults[value.environment_id] = value


_WRITERS: dict[type[Thing], Callable[[_Things, object], None]] = {
    Environment: _put_environment,  # type: ignore[dict-item]  # each is called with its own type only
    Role: _put_role,  # type: ignore[dict-item]
    Task: _put_task,  # type: ignore[dict-item]
    Host: _put_host,  # type: ignore[dict-item]
    Service: _put_service,  # type: ignore[dict-item]
    Fault: _put_fault,  # type: ignore[dict-item]
}
