"""The task action of DEPLOY: place what has no task yet and wait until the workflow is active (core.md 2.7)."""

from __future__ import annotations

from occ.states import TaskState
from server.api.states import Status
from server.environment.environment import Environment, TaskEntry
from server.environment.instructions import Acquire
from server.environment.plan import Cursor
from server.environment.stimuli import Acquired
from server.environment.tree import Role
from server.environment.turn import Turn, describe_task
from server.template.duration import parse_duration
from server.template.model import RoleKind


def begin_deployment(turn: Turn, cursor: Cursor) -> None:
    """Ask for tasks, activate the calls, and start the clock."""
    environment = turn.environment
    tree = environment.tree
    for role in tree.leaves():
        if role.kind is RoleKind.CALL and role.traits.trigger:
            tree.update(role, status=Status.ACTIVE)
    roles = tuple(role.order for role in tree.task_roles() if role.order not in environment.task_of_role)
    if roles and not silent_calls(environment):
        cursor.awaited.add(turn.ask(Acquire(token=turn.token("acquire"), roles=roles, timeout_s=deploy_timeout(turn))))
    touch_deployment(turn)


def give_up_placing(turn: Turn, cursor: Cursor) -> None:
    """Wait no longer for tasks to be placed; those that come after all are ended by whoever brings them."""
    for token in cursor.awaited:
        turn.environment.outstanding.pop(token, None)
    cursor.awaited.clear()


def deploy_timeout(turn: Turn) -> float:
    """Return the seconds without news after which DEPLOY fails: variable ``deploy_timeout``, else the setting."""
    environment = turn.environment
    text = environment.tree.stack(environment.tree.root).get("deploy_timeout", "")
    return parse_duration(text) or environment.created.timings.deploy_s


def touch_deployment(turn: Turn) -> None:
    """Restart the clock: it measures the time without news, not the whole (core.md 2.7)."""
    turn.start_timer("deploy", deploy_timeout(turn))


def on_acquired(turn: Turn, stimulus: Acquired) -> None:
    """Attach the tasks to their roles; what could not be placed says why."""
    environment = turn.environment
    for assignment in stimulus.assignments:
        environment.tasks[assignment.task_id] = TaskEntry(
            assignment.task_id, assignment.role, assignment.host, assignment.class_name, assignment.mode
        )
        environment.task_of_role[assignment.role] = assignment.task_id
        environment.hosts.add(assignment.host)
        environment.tree.attach_task(environment.tree[assignment.role])
    for order, reason in stimulus.undeployable.items():
        role = environment.tree[order]
        environment.tree.update(role, status=Status.UNDEPLOYABLE)
        if role.critical:
            turn.record_fault(f"critical task of role {role.path} cannot be deployed", role=role, cause=reason)
    if environment.cursor:
        environment.cursor.awaited.discard(stimulus.token)


def deployment_outcome(turn: Turn, cursor: Cursor) -> str | None:
    """Return None while it is open, "" when all is up, else what failed.

    A critical failure ends it at once. Tasks that are not critical are waited for as long as they are still coming
    up, so that they take part in the run, but their failure is no reason to fail (core.md 2.7).
    """
    environment = turn.environment
    root = environment.tree.root
    if cursor.deploy_verdict is not None:
        return cursor.deploy_verdict
    if root.status is Status.UNDEPLOYABLE:
        lost = [role for role in environment.tree.leaves() if role.critical and role.status is Status.UNDEPLOYABLE]
        return "workflow cannot be deployed: " + "; ".join(_why(turn, role) for role in lost)
    if root.state is TaskState.ERROR:
        failed = [role for role in environment.tree.leaves() if role.critical and role.state is TaskState.ERROR]
        return "workflow failed while deploying: " + "; ".join(_why(turn, role) for role in failed)
    silent = silent_calls(environment)
    if silent:
        return "critical calls without trigger can never become active: " + ", ".join(role.path for role in silent)
    if cursor.awaited or root.status not in (Status.ACTIVE, Status.INVARIANT):
        return None
    if not environment.tree.task_statuses[Status.INACTIVE]:
        return ""
    return None if any(_is_coming_up(turn, role) for role in environment.tree.task_roles()) else ""


def silent_calls(environment: Environment) -> list[Role]:
    """Return the critical calls that keep an environment from ever being deployed."""
    return [role for role in environment.tree.leaves() if role.critical and _never_acts(role)]


def deployment_timed_out(turn: Turn) -> str:
    """Return the failure text when no news came in time, "" if only tasks that are not critical are missing."""
    environment = turn.environment
    missing = [role for role in environment.tree.leaves() if role.status is not Status.ACTIVE]
    critical = [role for role in missing if role.critical]
    if not critical:
        return ""
    shown = "; ".join(_why(turn, role) for role in critical[:10])
    turn.record_fault(f"{len(critical)} critical roles did not become active", role=critical[0], cause=shown)
    return f"no news for {deploy_timeout(turn):g} s while deploying: {len(critical)} critical roles are not active: {shown}"


def deployed_tasks(environment: Environment) -> tuple[int, int]:
    """Return how many tasks have come up, and how many there are to be."""
    tree = environment.tree
    return tree.task_statuses[Status.ACTIVE], tree.task_count


def _never_acts(role: Role) -> bool:
    return role.kind is RoleKind.CALL and not role.traits.trigger


def _is_coming_up(turn: Turn, role: Role) -> bool:
    entry = turn.environment.tasks.get(turn.environment.task_of_role.get(role.order, ""))
    return bool(entry and not entry.ended and role.status is Status.INACTIVE and role.state is TaskState.STANDBY)


def _why(turn: Turn, role: Role) -> str:
    environment = turn.environment
    task_id = environment.task_of_role.get(role.order, "")
    outcome = environment.tasks[task_id].error if task_id else ""
    if task_id:
        return f"{describe_task(environment, task_id)}{': ' + outcome if outcome else ' has not come up'}"
    reason = (
        environment.fault.cause if environment.fault and environment.fault.role == role.path else "no task was placed"
    )
    return f"role {role.path}: {reason}"
