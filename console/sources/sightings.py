"""What was seen of a stock core, reply by reply, and how the live picture changes by it. No I/O and no clock.

A reply says how things are; what has changed since, when, and what failed first, is found here by comparing. Work on
many tasks or roles yields now and then, so that whoever runs it can let the event loop turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from console.sources import stock
from console.sources.tree import Tree
from console.store import key_of
from server.api.model import (
    Change,
    Core,
    Environment,
    EnvironmentEvent,
    Event,
    Fault,
    Kind,
    OpStatus,
    Removal,
    Task,
    TaskEvent,
    Thing,
    User,
)
from server.api.outline import EnvironmentOutline
from server.api.replies import EnvironmentInfo, FrameworkInfo, ServiceInfo, TaskSummary

PIECES_AT_ONCE = 250

Key = tuple[Kind, str]


@dataclass(slots=True)
class _Seen:
    """One environment."""

    info: EnvironmentInfo
    owner: User
    public: bool = False
    state_since_ms: int = 0
    transition_since_ms: int = 0
    doing: str = ""
    """The last transition, or the last state but ERROR: during what a fault happens."""
    is_explained: bool = True
    """False from when it is seen in ERROR until its tasks are seen after that."""
    tasks: dict[str, TaskSummary] = field(default_factory=dict)
    tree: Tree | None = None
    fault: Fault | None = None


class Sightings:
    """The picture so far. Feed it replies, then ``conclude`` and take the changes."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._environment_of: dict[str, str] = {}
        """By task id; tasks without environment are not in it."""
        self._roster: Mapping[str, TaskSummary] = {}
        """Of the last reply to GetTasks."""
        self._tasks: dict[str, Task] = {}
        self._hosts: Counter[str] = Counter()
        """How many tasks are on each; one that has none any more stays."""
        self._moved_hosts: set[str] = set()
        self._services: set[str] = set()
        self._dirty: set[str] = set()
        self._core: Core | None = None
        self._things: dict[Key, Thing] = {}
        self._pending: dict[Key, Change] = {}
        self._events: list[Change] = []
        self._revision = 0
        self._has_begun = False

    # ---- replies -----------------------------------------------------------------------------

    def framework(self, info: FrameworkInfo, active_detectors: tuple[str, ...]) -> None:
        seen = stock.core(info, active_detectors)
        if seen != self._core:
            self._core = seen
            self._revision += 1
            self._pending[Kind.UNSPECIFIED, ""] = Change(seen, self._revision)

    def services(self, infos: Iterable[ServiceInfo]) -> None:
        known = {info.id: stock.service(info) for info in infos if info.enabled}
        for gone in self._services - known.keys():
            self._drop((Kind.SERVICE, gone))
        self._services = set(known)
        for service in known.values():
            self._put(service)

    def environments(self, infos: Iterable[EnvironmentInfo], at_ms: int) -> list[str]:
        """Take in the list of environments; return the ids of those whose tasks have to be looked at now."""
        listed = {info.id: info for info in infos}
        for environment_id in self._seen.keys() - listed.keys():
            self._forget(environment_id, at_ms)
        return [one for one, info in listed.items() if self._environment(info, at_ms)]

    def details(self, outline: EnvironmentOutline, at_ms: int) -> Iterator[None]:
        """Take in one listed environment with its tasks, and its roles if they were asked for."""
        seen = self._seen.get(outline.info.id)
        if seen is None:
            return  # gone while it was asked for
        self._environment(outline.info, at_ms)
        if outline.public is not None and outline.public != seen.public:
            seen.public = outline.public
            self._dirty.add(outline.info.id)
        yield from self._members(seen, outline.tasks, at_ms)
        if outline.roles and not (seen.tree and seen.tree.is_as_told(outline.roles)):
            yield from self._grow(seen, Tree(outline.info.id, outline.roles, seen.tasks))

    def roster(self, tasks: Mapping[str, TaskSummary], at_ms: int) -> Iterator[None]:
        """Take in the reply of GetTasks: states of known tasks, and all tasks that no environment has."""
        for gone in self._tasks.keys() - tasks.keys():
            if gone not in self._environment_of:
                self._lose(gone, "")
        by_environment: dict[str, list[TaskSummary]] = {}
        for task_id, task in tasks.items():
            owner = self._environment_of.get(task_id, "")
            # One that is locked belongs to an environment that is about to be seen.
            if (owner or not task.locked) and self._is_news(task, owner):
                by_environment.setdefault(owner, []).append(task)
        self._roster = tasks
        for owner, news in by_environment.items():
            yield from self._take_in(news, self._seen.get(owner), at_ms)

    def conclude(self, at_ms: int) -> None:
        """Draw the conclusions from what came: counts, faults, hosts."""
        dirty, self._dirty = self._dirty, set()
        for environment_id in dirty:
            seen = self._seen.get(environment_id)
            if seen is not None:
                self._judge(seen, at_ms)
                self._put(self._view(seen))
                self._put(stock.variables(seen.info))
        moved, self._moved_hosts = self._moved_hosts, set()
        for host in moved:
            self._put(stock.host(host, tasks=self._hosts[host]))
        self._has_begun = True

    # ---- changes -----------------------------------------------------------------------------

    def take(self) -> list[Change]:
        """Return what has changed since the last time, and forget that it has."""
        changes = [*self._pending.values(), *self._events]
        self._pending, self._events = {}, []
        return changes

    def everything(self) -> list[Change]:
        """Return the whole picture."""
        known: list[Thing] = [*([self._core] if self._core else ()), *self._things.values()]
        return [Change(thing, self._revision) for thing in known]

    def lacks_roles(self, environment_id: str) -> bool:
        """Tell whether the roles of an environment are not known, or are those of before its tasks were deployed."""
        seen = self._seen.get(environment_id)
        return seen is not None and (seen.tree is None or seen.tasks.keys() != seen.tree.task_ids)

    @property
    def environment_ids(self) -> list[str]:
        return list(self._seen)

    @property
    def is_moving(self) -> bool:
        """A transition is in progress somewhere."""
        return any(stock.transition(seen.info) for seen in self._seen.values())

    # ---- environments ------------------------------------------------------------------------

    def _environment(self, info: EnvironmentInfo, at_ms: int) -> bool:
        """Take in an environment; tell whether its tasks have to be looked at."""
        info = info._replace(tasks=(), services={})  # which come in one reply and not in the other
        seen = self._seen.get(info.id)
        if seen is None:
            is_new = self._has_begun
            seen = _Seen(info=info, owner=stock.requester(info) if is_new else User(), state_since_ms=at_ms)
            seen.transition_since_ms = at_ms
            seen.doing = stock.transition(info) or info.state
            seen.is_explained = info.state != "ERROR"
            self._seen[info.id] = seen
            self._dirty.add(info.id)
            if is_new:
                self._log(info, at_ms, "first seen")
            return True
        before, seen.info = seen.info, info
        if before == info:
            return not seen.is_explained
        self._dirty.add(info.id)
        now, earlier = stock.transition(info), stock.transition(before)
        if now != earlier:
            seen.transition_since_ms = at_ms
            if now:
                self._log(info, at_ms, "under way", transition=now, status=OpStatus.STARTED)
        if info.state != "ERROR":
            seen.doing = now or info.state
        if info.state != before.state:
            seen.state_since_ms = at_ms
            seen.is_explained = info.state != "ERROR"
            self._log(info, at_ms, f"was {before.state}", transition=earlier, status=_outcome(info, earlier))
        return not seen.is_explained or (before.state, before.tasks_total) != (info.state, info.tasks_total)

    def _forget(self, environment_id: str, at_ms: int) -> None:
        seen = self._seen.pop(environment_id)
        self._log(seen.info._replace(state="DONE"), at_ms, "gone")
        for task_id in list(seen.tasks):
            self._lose(task_id, environment_id)
        for order in range(len(seen.tree.roles) if seen.tree else 0):
            self._forget_thing((Kind.ROLE, f"{environment_id}/{order}"))
        self._forget_thing((Kind.FAULT, environment_id))
        self._forget_thing((Kind.VARIABLES, environment_id))
        self._drop((Kind.ENVIRONMENT, environment_id))
        self._dirty.add(environment_id)

    def _view(self, seen: _Seen) -> Environment:
        return stock.environment(
            seen.info, seen.tasks.values(), owner=seen.owner, public=seen.public,
            state_since_ms=seen.state_since_ms, transition_since_ms=seen.transition_since_ms,
        )  # fmt: skip

    def _judge(self, seen: _Seen, at_ms: int) -> None:
        """Say what failed first, as far as it can be seen."""
        environment_id, fault = seen.info.id, seen.fault
        failed = next((task for task in seen.tasks.values() if task.critical and task.state == "ERROR"), None)
        if fault is not None and fault.task_id:
            fault = replace(fault, role=fault.role or (seen.tree.path(fault.task_id) if seen.tree else ""))
        elif failed is not None:
            path = seen.tree.path(failed.task_id) if seen.tree else ""
            fault = stock.task_fault(failed, environment_id=environment_id, at_ms=at_ms, path=path, during=seen.doing)
        elif fault is None and seen.info.state == "ERROR" and seen.is_explained:
            fault = stock.unexplained_fault(environment_id, at_ms=at_ms, during=seen.doing)
        if failed is None and seen.info.state != "ERROR":
            fault = None
        if fault == seen.fault:
            return
        seen.fault = fault
        if fault is None:
            self._drop((Kind.FAULT, environment_id))
        else:
            self._put(fault)

    # ---- tasks -------------------------------------------------------------------------------

    def _is_news(self, task: TaskSummary, environment_id: str) -> bool:
        seen = self._seen.get(environment_id)
        before = seen.tasks.get(task.task_id) if seen else self._roster.get(task.task_id)
        if before is None or task.task_id not in self._tasks:
            return True
        return before is not task and before != task

    def _members(self, seen: _Seen, tasks: Mapping[str, TaskSummary], at_ms: int) -> Iterator[None]:
        """Take in all tasks of an environment."""
        for gone in seen.tasks.keys() - tasks.keys():
            self._lose(gone, seen.info.id)
        if not seen.is_explained:
            seen.is_explained = True
            self._dirty.add(seen.info.id)
        news = [task for task in tasks.values() if self._is_news(task, seen.info.id)]
        if news:
            yield from self._take_in(news, seen, at_ms)

    def _take_in(self, tasks: list[TaskSummary], seen: _Seen | None, at_ms: int) -> Iterator[None]:
        """Take in tasks that are new or have changed, of one environment or of none."""
        environment_id = seen.info.id if seen else ""
        for number, task in enumerate(tasks, 1):
            if seen is not None:
                seen.tasks[task.task_id] = task
                self._environment_of[task.task_id] = environment_id
            before = self._tasks.get(task.task_id)
            if before is not None and before.state == task.state:
                since_ms = before.state_since_ms
            else:
                since_ms = at_ms if self._has_begun else 0
            path = seen.tree.path(task.task_id) if seen and seen.tree else ""
            now = stock.task(task, environment_id=environment_id, path=path, state_since_ms=since_ms)
            self._tasks[task.task_id] = now
            self._put(now)
            self._move(before.host if before else "", now.host)
            if before is not None and now.state == "ERROR" != before.state:
                self._log_task(now, at_ms)
            if number % PIECES_AT_ONCE == 0:
                yield
        for number, role in enumerate(seen.tree.update(tasks) if seen and seen.tree else (), 1):
            self._put(role)
            if number % PIECES_AT_ONCE == 0:
                yield
        self._dirty.add(environment_id)

    def _grow(self, seen: _Seen, tree: Tree) -> Iterator[None]:
        """Show the roles of an environment as the core tells them now."""
        for number, role in enumerate(tree.grow(), 1):
            self._put(role)
            task = self._tasks.get(role.task_id)
            if task is not None and task.path != role.path:
                self._tasks[task.task_id] = replace(task, path=role.path)
                self._put(self._tasks[task.task_id])
            if number % PIECES_AT_ONCE == 0:
                yield
        for order in range(len(tree.roles), len(seen.tree.roles) if seen.tree else 0):
            self._drop((Kind.ROLE, f"{seen.info.id}/{order}"))
        seen.tree = tree

    def _lose(self, task_id: str, environment_id: str) -> None:
        self._environment_of.pop(task_id, None)
        if (seen := self._seen.get(environment_id)) is not None:
            seen.tasks.pop(task_id, None)
        task = self._tasks.pop(task_id, None)
        if task is not None:
            self._move(task.host, "")
            self._drop((Kind.TASK, task_id))
        self._dirty.add(environment_id)

    def _move(self, before: str, host: str) -> None:
        """Count a task on a host and no longer on the one before; "" for none."""
        if before == host:
            return
        for name, change in ((before, -1), (host, 1)):
            if name:
                self._hosts[name] += change
                self._moved_hosts.add(name)

    # ---- telling -----------------------------------------------------------------------------

    def _put(self, thing: Thing) -> None:
        key = key_of(thing)
        if self._things.get(key) == thing:
            return
        self._things[key] = thing
        self._revision += 1
        self._pending[key] = Change(thing, self._revision)

    def _drop(self, key: Key) -> None:
        if self._things.pop(key, None) is None:
            return
        self._revision += 1
        self._pending[key] = Change(Removal(*key), self._revision)

    def _forget_thing(self, key: Key) -> None:
        """Drop what goes with its environment, without a word."""
        self._things.pop(key, None)
        self._pending.pop(key, None)

    def _log(
        self, info: EnvironmentInfo, at_ms: int, message: str, *, transition: str = "", status: OpStatus = OpStatus.NULL
    ) -> None:
        self._add(
            EnvironmentEvent(
                at_ms=at_ms, environment_id=info.id, state=info.state, run_number=info.run_number, message=message,
                transition=transition, transition_status=status,
            )
        )  # fmt: skip

    def _log_task(self, task: Task, at_ms: int) -> None:
        self._add(
            TaskEvent(
                at_ms=at_ms, name=f"{task.name}#{task.task_id}", task_id=task.task_id, state=task.state, host=task.host,
                status=task.status, class_name=task.class_name, environment_id=task.environment_id, path=task.path,
            )
        )  # fmt: skip

    def _add(self, event: Event) -> None:
        self._revision += 1
        self._events.append(Change(event, self._revision))


def _outcome(info: EnvironmentInfo, transition: str) -> OpStatus:
    if not transition:
        return OpStatus.NULL
    return OpStatus.DONE_ERROR if info.state == "ERROR" else OpStatus.DONE_OK
