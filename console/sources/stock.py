"""From the replies of a stock core to the things of the live picture. Plain functions: what was seen before and what
follows from it is in sightings.py.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce

from occ.states import TaskState, aggregate
from server.api.model import (
    Core,
    Environment,
    Fault,
    Host,
    Move,
    Role,
    Service,
    Task,
    TransitionProgress,
    User,
    Variables,
)
from server.api.outline import RoleOutline
from server.api.replies import EnvironmentInfo, FrameworkInfo, ServiceInfo, TaskSummary
from server.api.states import OPERATOR_EVENTS, EnvironmentEvent, Status, refusal, status_product

ASKED = (*OPERATOR_EVENTS, EnvironmentEvent.DESTROY)
ADVISORY = "advisory: seen by polling"

_TASK_STATE = {"DEPLOYED": "STANDBY", "CONFIGURED": "CONFIGURED", "RUNNING": "RUNNING"}
"""In which the tasks of an environment should be."""

_OF_THE_CORE = frozenset(
    {
        "environment_id", "last_request_user", "enter_state_time_ms", "run_start_time_ms", "run_start_completion_time_ms",
        "run_end_time_ms", "run_end_completion_time_ms", "trg_start_time_ms", "trg_end_time_ms",
    }
)  # fmt: skip
"""Variables that a core keeps among those of the user (core.md 2.6)."""


def core(info: FrameworkInfo, active_detectors: tuple[str, ...]) -> Core:
    return Core(
        instance=info.instance,
        version=info.version,
        framework_id=info.framework_id,
        detectors=info.detectors,
        active_detectors=active_detectors,
        state=info.state,
    )


def service(info: ServiceInfo) -> Service:
    return Service(
        id=info.id,
        name=info.name,
        enabled=info.enabled,
        endpoint=info.endpoint,
        connection_state=info.connection_state,
    )


def environment(
    info: EnvironmentInfo,
    tasks: Iterable[TaskSummary],
    *,
    owner: User,
    public: bool,
    state_since_ms: int,
    transition_since_ms: int,
) -> Environment:
    """Return an environment.

    Args:
        tasks: those of it.
        owner: not told by a stock core.
        state_since_ms: when the state was first seen, for a core that does not tell.
        transition_since_ms: when the transition was first seen.
    """
    last_user = requester(info)
    states = Counter(task.state for task in tasks)
    running = transition(info)
    return Environment(
        id=info.id,
        template=info.template,
        description=info.description,
        state=info.state,
        created_ms=info.created_ms,
        state_since_ms=_milliseconds(info, "enter_state_time_ms") or state_since_ms,
        run_number=info.run_number,
        run_start_ms=_milliseconds(info, "run_start_time_ms") if info.run_number else 0,
        transition=TransitionProgress(event=running, started_ms=transition_since_ms, user=last_user.name)
        if running
        else None,
        detectors=info.detectors,
        hosts=info.hosts,
        flps=info.flps,
        tasks_total=info.tasks_total,
        tasks_active=info.tasks_active,
        tasks_ok=states[_TASK_STATE.get(info.state, "")],
        tasks_error=states["ERROR"],
        owner=owner,
        last_user=last_user,
        run_type=_variable(info, "run_type"),
        public=public,
        user_vars={key: value for key, value in info.user_vars.items() if key not in _OF_THE_CORE},
        moves=tuple(Move(event.value, refusal(event, info.state, running)) for event in ASKED),
        last_run_number=info.run_number or _number(info.vars.get("last_run_number", "")),
    )


def transition(info: EnvironmentInfo) -> str:
    """Return the transition in progress, "" if none.

    A stock core goes on naming one that was cancelled (core.md 1.8): out of ERROR only DESTROY leads.
    """
    return "" if info.state == "ERROR" and info.transition != "DESTROY" else info.transition


def requester(info: EnvironmentInfo) -> User:
    """Return who asked last for something; nobody if the core does not tell."""
    try:
        told = json.loads(info.user_vars.get("last_request_user", "{}"))
        return User(name=str(told.get("name", "")), external_id=told.get("externalId"), id=told.get("id"))
    except (ValueError, AttributeError):
        return User()


def task(summary: TaskSummary, *, environment_id: str, path: str, state_since_ms: int) -> Task:
    return Task(
        task_id=summary.task_id,
        name=summary.short_name,
        class_name=summary.class_name,
        environment_id=environment_id,
        path=path,
        host=summary.host,
        state=summary.state,
        status=summary.status,
        critical=summary.critical,
        pid=summary.pid or 0,
        locked=summary.locked,
        claimable=summary.claimable,
        state_since_ms=state_since_ms,
        sandbox_stdout=summary.sandbox_stdout,
    )


def host(name: str, *, tasks: int) -> Host:
    """Return a host on which tasks are or were; a stock core tells of no others."""
    return Host(name=name, tasks=tasks)


def role(outline: RoleOutline, *, environment_id: str, order: int, parent: str, critical: bool) -> Role:
    state = TaskState.parse(outline.state)
    if state is TaskState.UNKNOWN and not outline.task_id:
        state = TaskState.INVARIANT  # which prints as UNKNOWN on the wire (core.md 3.3)
    kind = "task" if outline.task_id else "aggregator"
    if outline.is_leaf and not outline.task_id:
        kind = "call" if state is TaskState.INVARIANT else ""  # before DEPLOY a task looks the same
    return Role(
        environment_id=environment_id,
        path=outline.path,
        parent=parent,
        name=outline.name,
        kind=kind,
        state=state.value,
        status=outline.status,
        critical=critical,
        task_id=outline.task_id,
        order=order,
        parent_order=outline.parent if outline.parent >= 0 else None,
    )


def variables(info: EnvironmentInfo) -> Variables:
    return Variables(environment_id=info.id, defaults=info.defaults, vars=info.vars, user_vars=info.user_vars)


def combined(children: Sequence[Role]) -> tuple[str, str]:
    """Return state and status that a role with these children has (core.md 3.6)."""
    seen = {(child.state, child.status) for child in children if child.kind == "aggregator" or child.critical}
    state = aggregate(TaskState.parse(one) for one, _ in seen)
    status = reduce(
        status_product, (Status.__members__.get(one, Status.UNDEFINED) for _, one in seen), Status.INVARIANT
    )
    return state.value, status.value


def task_fault(summary: TaskSummary, *, environment_id: str, at_ms: int, path: str, during: str) -> Fault:
    """Return the fault that a critical task in ERROR is taken for."""
    return Fault(
        environment_id=environment_id,
        at_ms=at_ms,
        what=f"critical task {summary.short_name} is in {summary.state}",
        role=path,
        task_id=summary.task_id,
        task=summary.short_name,
        host=summary.host,
        during=during,
        hint=f"{ADVISORY}, others may have failed before; aliecs task show {summary.task_id} tells its log",
    )


def unexplained_fault(environment_id: str, *, at_ms: int, during: str) -> Fault:
    """Return the fault of an environment in ERROR none of whose critical tasks is."""
    return Fault(
        environment_id=environment_id,
        at_ms=at_ms,
        what="the environment went to ERROR, and no critical task shows why",
        during=during,
        hint=f"{ADVISORY}, this core does not tell the reason; its log does",
    )


def _variable(info: EnvironmentInfo, name: str) -> str:
    """Return the value that counts: the user's before the variables before the defaults."""
    return info.user_vars.get(name) or info.vars.get(name) or info.defaults.get(name, "")


def _milliseconds(info: EnvironmentInfo, name: str) -> int:
    return _number(info.user_vars.get(name, ""))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
