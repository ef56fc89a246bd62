"""The things of the live picture, made from the records of the core. Where they are shown: picture.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from occ.states import TaskState
from server.api import model
from server.api.quick import quickly
from server.api.states import OPERATOR_EVENTS, EnvironmentEvent, EnvironmentState, Status, refusal
from server.deploy.backend import HostInfo
from server.environment import instructions as do
from server.environment.deployment import deployed_tasks
from server.environment.detectors import json_strings
from server.environment.environment import Environment
from server.environment.runner import EnvironmentRunner
from server.environment.tree import Role
from server.environment.turn import to_user
from server.integration.base import Plugin
from server.task.roster import Roster
from server.task.task import Task
from server.template.model import Traits

SINK_BYTES, SINK_RATE = "data.sink.bytes", "data.sink.rate"
"""Metrics that say how much data arrived whole; their sums are an environment's bytes and rate (design 1b)."""

_role, _task, _metric = quickly(model.Role), quickly(model.Task), quickly(model.Metric)

_WANTED = {
    EnvironmentState.DEPLOYED: TaskState.STANDBY,
    EnvironmentState.CONFIGURED: TaskState.CONFIGURED,
    EnvironmentState.RUNNING: TaskState.RUNNING,
}


def environment_view(runner: EnvironmentRunner, flow: tuple[float, float]) -> model.Environment:
    """Return an environment as clients see it; costs the same however many tasks it has.

    Args:
        flow: what ``data_flow`` said last.
    """
    environment = runner.environment
    tree = environment.tree
    template = environment.created.workflow.template
    stack = tree.stack(tree.root)
    wanted = _WANTED.get(environment.state)
    moved, rate = flow
    started = stack.get("run_start_time_ms", "")
    return model.Environment(
        id=environment.id,
        template=environment.template_name,
        description=template.description,
        state=environment.state.value,
        created_ms=environment.created.created_ms,
        state_since_ms=environment.state_since_ms,
        run_number=environment.run_number,
        run_start_ms=int(started) if environment.run_number and started.isdecimal() else 0,
        transition=_progress(runner),
        detectors=environment.created.detectors,
        hosts=len(environment.hosts),
        flps=len(json_strings(stack.get("hosts", ""))),
        tasks_total=len(environment.tasks),
        tasks_active=tree.task_statuses[Status.ACTIVE],
        tasks_ok=tree.task_states[wanted] if wanted else 0,
        tasks_error=tree.task_states[TaskState.ERROR],
        bytes_moved=moved,
        bytes_per_s=rate if environment.state is EnvironmentState.RUNNING else 0.0,
        owner=to_user(environment.created.requester),
        last_user=to_user(environment.requester),
        run_type=stack.get("run_type", ""),
        public=template.public,
        user_vars=environment.created.user_vars,
        moves=_moves(environment.state, environment.busy_with),
        last_run_number=environment.last_run_number,
    )


def with_flow(shown: model.Environment, flow: tuple[float, float]) -> model.Environment:
    """Return an environment as it is shown, with other numbers of its data."""
    moved, rate = flow
    is_running = shown.state == EnvironmentState.RUNNING.value
    return replace(shown, bytes_moved=moved, bytes_per_s=rate if is_running else 0.0)


def data_flow(environment: Environment, roster: Roster) -> tuple[float, float]:
    """Return how many bytes the tasks of an environment have moved, and how many they move per second now."""
    moved = rate = 0.0
    for task_id in environment.tasks:
        task = roster.get(task_id)
        if task is not None and task.metrics:
            moved += task.metrics[SINK_BYTES].value if SINK_BYTES in task.metrics else 0.0
            rate += task.metrics[SINK_RATE].value if SINK_RATE in task.metrics else 0.0
    return moved, rate


@lru_cache
def _moves(state: EnvironmentState, busy_with: str) -> tuple[model.Move, ...]:
    asked = (*OPERATOR_EVENTS, EnvironmentEvent.DESTROY)
    return tuple([model.Move(event.value, refusal(event, state, busy_with)) for event in asked])


def _progress(runner: EnvironmentRunner) -> model.TransitionProgress | None:
    environment = runner.environment
    progress = environment.progress
    if progress is None:
        return None
    tasks = (0, 0)
    if environment.cursor and environment.cursor.is_deploying:
        tasks = deployed_tasks(environment)
    elif any(isinstance(asked, do.Command) for asked in environment.outstanding.values()):
        tasks = runner.progress
    return model.TransitionProgress(
        event=progress.event.value,
        step=environment.step,
        started_ms=progress.started_ms,
        tasks_done=tasks[0],
        tasks_total=tasks[1],
        user=progress.user,
        waiting_for=_waiting_for(runner),
        steps=progress.steps(tasks),
        usual_ms=runner.usual_ms,
        budget_ms=progress.budget_ms,
    )


def variables_view(environment: Environment) -> model.Variables:
    """Return the variables of an environment and its root role (core.md 1.8)."""
    defaults, variables, user_vars = environment.tree.layers()
    return model.Variables(environment_id=environment.id, defaults=defaults, vars=variables, user_vars=user_vars)


def history_view(environment: Environment) -> model.History:
    """Return the finished transitions of an environment."""
    return model.History(environment_id=environment.id, transitions=environment.history)


def _waiting_for(runner: EnvironmentRunner) -> str:
    environment = runner.environment
    for asked in environment.outstanding.values():
        match asked:
            case do.Command():
                return f"{asked.event} of {len(asked.task_ids)} tasks"
            case do.RunCall():
                return f"call {asked.func}"
            case do.Acquire():
                return f"placement of {len(asked.roles)} tasks"
            case do.NewRunNumber():
                return "a run number"
            case do.Kill():
                return f"the end of {len(asked.task_ids)} tasks"
            case do.TriggerHooks():
                return f"{len(asked.task_ids)} hook tasks"
    if environment.cursor and environment.cursor.is_deploying:
        up, wanted = deployed_tasks(environment)
        return f"{wanted - up} tasks to come up"
    return ""


def role_views(runner: EnvironmentRunner, roles: Iterable[Role]) -> Iterable[model.Role]:
    """Yield roles as clients see them."""
    environment = runner.environment
    for role in roles:
        traits = role.loaded.traits
        yield _role(
            environment_id=environment.id,
            path=role.path,
            parent=role.parent.path if role.parent else "",
            name=role.name,
            kind=role.kind.value,
            state=role.state.value,
            status=role.status.value,
            critical=role.critical,
            task_id=environment.task_of_role.get(role.order, ""),
            order=role.order,
            parent_order=role.parent.order if role.parent else None,
            traits=traits_view(traits) if traits else None,
        )


@lru_cache
def traits_view(traits: Traits) -> model.Traits:
    """Return the traits of a leaf as clients see them."""
    return model.Traits(traits.trigger, traits.await_, traits.timeout, traits.critical)


def task_view(task: Task, stdout_url: str) -> model.Task:
    """Return a task as clients see it."""
    return _task(
        task_id=task.task_id,
        name=task.class_name,
        class_name=task.class_id,
        environment_id=task.environment_id,
        path=task.role_path,
        host=task.host,
        state=task.state.value,
        status=task.status.value,
        critical=task.critical,
        pid=task.pid,
        locked=task.locked,
        claimable=task.claimable,
        error=task.error,
        exit_code=task.exit_code,
        signal=task.signal,
        state_since_ms=task.state_since_ms,
        metrics=tuple([_metric(name, metric.value, metric.unit) for name, metric in task.metrics.items()]),
        sandbox_stdout=stdout_url,
        mode=task.mode.value,
        limits=task.limits,
    )


def host_view(host: HostInfo, tasks: int, drain: model.Drain | None) -> model.Host:
    """Return a host as clients see it."""
    return model.Host(
        name=host.name,
        address=host.address,
        detector=host.detector,
        executor_id=host.executor_id,
        executor_state=host.state.value,
        tasks=tasks,
        attributes=dict(host.attributes),
        version=host.version,
        drain=drain,
        cpus=host.cpus,
        memory_mb=host.memory_mb,
        free_cpus=host.free_cpus,
        free_memory_mb=host.free_memory_mb,
    )


def service_view(plugin: Plugin) -> model.Service:
    """Return an integrated service as clients see it."""
    return model.Service(
        id=plugin.id, name=plugin.name, enabled=True, endpoint=plugin.endpoint, connection_state=plugin.connection_state
    )
