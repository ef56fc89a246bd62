"""The console's only truth: the live picture of a core, built from batches. No I/O, no gRPC, no clock.

Plain reads, ``apply`` and nothing else; a recording or another transport feeds it the same way. Not for several threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from typing import Any

from console.past import Ended, Rates
from console.role_tree import RoleCounts, RoleTree
from server.api.model import (
    Batch,
    Change,
    Core,
    Environment,
    Event,
    Fault,
    History,
    Host,
    Kind,
    Part,
    Removal,
    Role,
    Service,
    Task,
    Thing,
    Variables,
)

EVENTS_KEPT = 2000

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
    roles: dict[str, RoleTree] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    members: dict[str, dict[str, None]] = field(default_factory=dict)
    """Ids of the tasks of an environment, in the order in which they came."""
    hosts: dict[str, Host] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    variables: dict[str, Variables] = field(default_factory=dict)
    history: dict[str, History] = field(default_factory=dict)
    revisions: dict[Key, int] = field(default_factory=dict)


class Store:
    """What is known of one core.

    Attributes:
        epoch, seq: where to resume.
        link: written by the session.
        problem: why the link is not LIVE, "" if it is.
        changed_ms: the core's time of the last batch, 0 before the first.
        events, events_total: the last events, and how many there were; the last one has the serial number total - 1.
        event_revision: of the newest event of this epoch, 0 if that is not known.
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
        self.event_revision = 0
        self._ended = Ended()
        self._rates = Rates()

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
        return self._things.environments.get(environment_id) or self._ended.environment(environment_id)

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
        return self.role_tree(environment_id).roles()

    def role(self, environment_id: str, order: int) -> Role | None:
        return self.role_tree(environment_id).get(order)

    def children(self, environment_id: str, order: int | None = None) -> list[Role]:
        """Return the roles right below one, in order; for None the root."""
        return self.role_tree(environment_id).children(order)

    def counts(self, environment_id: str, order: int | None = None) -> RoleCounts:
        """Return how many tasks are at and below a role, by state; for None those of the whole environment."""
        return self.role_tree(environment_id).counts(order)

    def tasks_below(self, environment_id: str, order: int | None = None) -> list[Task]:
        """Return the tasks at and below a role in pre-order; for None those of the whole tree."""
        tasks = self._things.tasks
        below = self.role_tree(environment_id).tasks(order)
        return [task for role in below if (task := tasks.get(role.task_id)) is not None]

    def role_tree(self, environment_id: str) -> RoleTree:
        """Return the roles of an environment; another object after a new snapshot."""
        return self._things.roles.get(environment_id) or _NO_ROLES

    def fault(self, environment_id: str) -> Fault | None:
        """Return the first fault of an environment, also if the environment is gone."""
        return self._things.faults.get(environment_id) or self._ended.fault(environment_id)

    def variables(self, environment_id: str) -> Variables | None:
        return self._things.variables.get(environment_id)

    def history(self, environment_id: str) -> History | None:
        """Return the finished transitions of an environment."""
        return self._things.history.get(environment_id)

    def rates(self, environment_id: str) -> Sequence[tuple[float, float]]:
        """Return (Unix seconds, bytes per second) of the last ten minutes, oldest first; between two points it was steady."""
        return self._rates.of(environment_id)

    def last_fault(self) -> Fault | None:
        """Return the first fault of the environment that went last, None if it had none."""
        return next((fault for _, fault in self._ended.newest_first()), None)

    def ended(self) -> list[tuple[Environment, Fault | None]]:
        """Return environments that are gone as they last were, the last one first, each with its first fault."""
        return self._ended.newest_first()

    # ---- writes ------------------------------------------------------------------------------

    def apply(self, batch: Batch) -> set[Key]:
        """Take in a batch; return what changed and is shown, by kind and id.

        The parts of a snapshot show nothing until its last one, then everything. A change with a revision that is
        not above the known one is passed over, so that a batch may come twice; so is an event that is known already.
        """
        if batch.epoch != self.epoch:
            self.event_revision = 0
        self.version += 1
        self.epoch, self.seq, self.changed_ms = batch.epoch, batch.seq, batch.timestamp_ms
        if batch.part is Part.BEGIN:
            self._coming = _Things()
        target = self._coming if batch.part is not Part.NONE and self._coming is not None else self._things
        revisions = target.revisions
        changed: set[Key] = set()
        events: list[Change] = []
        for change in batch.changes:
            value = change.value
            known_as = _THINGS.get(type(value))
            if known_as is not None:
                kind, identify, put = known_as
                name = identify(value)
                key = (kind, name)
                if change.revision and change.revision <= revisions.get(key, 0):
                    continue
                revisions[key] = change.revision
                put(target, name, value)
                changed.add(key)
            elif isinstance(value, Removal):
                self._remove(target, value, changed)
            elif isinstance(value, Core):
                target.core = value
            else:
                events.append(change)
        self._log(events)
        if target is self._things:
            self._follow(name for kind, name in changed if kind is Kind.ENVIRONMENT)
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
        self._ended, self._rates, self.event_revision = Ended(), Rates(), 0
        self.events.clear()
        return shown

    def recall_rates(self, rates: Mapping[str, Sequence[tuple[float, float]]]) -> None:
        """Replace the rates of all environments by those that somebody remembers."""
        self._rates = Rates(rates)

    def _log(self, events: list[Change]) -> None:
        for change in events:
            if not change.revision or change.revision > self.event_revision:
                self.events.append(change.value)  # type: ignore[arg-type]  # whoever calls has looked
                self.events_total += 1
        if events:
            self.event_revision = max(self.event_revision, events[-1].revision)

    def _follow(self, environment_ids: Iterable[str]) -> None:
        """Note the rates of environments that changed; those that are gone have none."""
        for environment_id in environment_ids:
            environment = self._things.environments.get(environment_id)
            if environment is None:
                self._rates.forget(environment_id)
            else:
                self._ended.forget(environment_id)
                self._rates.add(environment_id, self.changed_ms / 1000, environment.bytes_per_s)

    def set_link(self, link: Link, problem: str = "") -> None:
        """Note the state of the link; for the session only."""
        self.link, self.problem = link, problem
        self.version += 1

    def _show(self, picture: _Things) -> set[Key]:
        before = set(self._things.revisions)
        for environment_id in self._things.environments.keys() - picture.environments.keys():
            self._keep(self._things, environment_id)
        was_there = self._things.environments.keys()
        self._things, self._coming, self.is_complete = picture, None, True
        self._follow(was_there | picture.environments.keys())
        return before | set(picture.revisions)

    def _remove(self, target: _Things, removal: Removal, changed: set[Key]) -> None:
        kind, name = removal.kind, removal.id
        target.revisions.pop((kind, name), None)
        changed.add((kind, name))
        if kind is Kind.ENVIRONMENT:
            self._keep(target, name)
            target.environments.pop(name, None)
            for role in target.roles.pop(name, _NO_ROLES).roles():
                target.revisions.pop((Kind.ROLE, f"{name}/{role.order}"), None)
            for gone_with_it, things in (
                (Kind.FAULT, target.faults), (Kind.VARIABLES, target.variables), (Kind.HISTORY, target.history)
            ):  # fmt: skip
                things.pop(name, None)
                target.revisions.pop((gone_with_it, name), None)
        elif kind is Kind.ROLE:
            environment_id, _, order = name.partition("/")
            if environment_id in target.roles and order.isdecimal():
                target.roles[environment_id].remove(int(order))
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
        if environment is not None:
            self._ended.keep(environment, picture.faults.get(environment_id))


def key_of(thing: Thing) -> Key:
    """Return the kind and id of a thing, as a Removal names it; KeyError for the core itself, which has none."""
    kind, identify, _ = _THINGS[type(thing)]
    return kind, identify(thing)


def worst_first(tasks: Iterable[Task], rank: Mapping[str, int]) -> list[Task]:
    """Return tasks sorted by rank of their state, critical ones before others, then by host and path."""
    last = len(rank)
    return sorted(tasks, key=lambda it: (rank.get(it.state, last), not it.critical, it.host, it.path, it.task_id))


def _put_role(target: _Things, name: str, value: Role) -> None:
    tree = target.roles.get(value.environment_id)
    if tree is None:
        tree = target.roles[value.environment_id] = RoleTree()
    tree.put(value)


def _put_task(target: _Things, name: str, value: Task) -> None:
    known = target.tasks.get(name)
    target.tasks[name] = value
    if known is None or known.environment_id != value.environment_id:
        if known is not None:
            target.members.get(known.environment_id, {}).pop(name, None)
        target.members.setdefault(value.environment_id, {})[name] = None


def _into(attribute: str) -> Callable[[_Things, str, Any], None]:
    """Return what puts a value under its name into a dictionary of the picture."""

    def put(target: _Things, name: str, value: Any) -> None:
        getattr(target, attribute)[name] = value

    return put


_NO_ROLES = RoleTree()
_OF_ENVIRONMENT = attrgetter("environment_id")

_THINGS: dict[type, tuple[Kind, Callable[[Any], str], Callable[[_Things, str, Any], None]]] = {
    Task: (Kind.TASK, attrgetter("task_id"), _put_task),
    Role: (Kind.ROLE, lambda role: f"{role.environment_id}/{role.order}", _put_role),
    Environment: (Kind.ENVIRONMENT, attrgetter("id"), _into("environments")),
    Host: (Kind.HOST, attrgetter("name"), _into("hosts")),
    Service: (Kind.SERVICE, attrgetter("id"), _into("services")),
    Fault: (Kind.FAULT, _OF_ENVIRONMENT, _into("faults")),
    Variables: (Kind.VARIABLES, _OF_ENVIRONMENT, _into("variables")),
    History: (Kind.HISTORY, _OF_ENVIRONMENT, _into("history")),
}
"""What has a place in the picture: its kind, its name within the kind, and how it is put there."""
