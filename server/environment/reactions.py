"""What tasks report by themselves, and what follows from it without anybody asking (core.md 2.13, 2.14, 3.6)."""

from __future__ import annotations

from occ.states import TaskState
from server.api.errors import Reason
from server.api.states import EnvironmentEvent, EnvironmentState, Status
from server.environment.deployment import deployment_timed_out, give_up_placing, touch_deployment
from server.environment.hooks import finish_task_hook, on_terminated
from server.environment.instructions import Reply
from server.environment.plan import Job, reaction
from server.environment.stimuli import (
    TIMER,
    CommandDone,
    DeviceReported,
    TaskChange,
    TasksChanged,
    TaskTerminated,
    TimerFired,
)
from server.environment.transition import TASK_COMMANDS
from server.environment.tree import Role
from server.environment.turn import Turn, describe_task, failed_leaves

END_OF_STREAM, TASK_INTERNAL_ERROR = 1, 3
"""Of occ_pb.DeviceEventType."""


def on_tasks_changed(turn: Turn, stimulus: TasksChanged) -> None:
    """Carry what tasks report into the tree; an ERROR that reaches the root starts the way to GO_ERROR."""
    environment = turn.environment
    for change in stimulus.changes:
        entry = environment.tasks.get(change.task_id)
        if entry is None:
            continue
        role = environment.tree[entry.role]
        entry.error = change.error or entry.error
        state = TaskState.parse(change.state) if change.state is not None else None
        entry.is_safe_to_stop = entry.is_safe_to_stop and state in (None, role.state)
        status = Status(change.status) if change.status is not None else None
        environment.tree.update(role, state=state, status=status)
        if status is Status.INACTIVE and role.state in (TaskState.ERROR, TaskState.DONE):
            entry.ended = _how_it_ended(change)  # before it comes up a task is INACTIVE too
        if state is TaskState.ERROR:
            _on_task_error(turn, role, change)
    if environment.cursor and environment.cursor.is_deploying:
        touch_deployment(turn)
    turn.watch()


def _on_task_error(turn: Turn, role: Role, change: TaskChange) -> None:
    environment = turn.environment
    named = describe_task(environment, change.task_id)
    ended = environment.tasks[change.task_id].ended
    what = f"{named} {ended or 'went to ERROR'}"
    if role.critical and environment.transition is not EnvironmentEvent.DESTROY:
        turn.record_fault(f"critical {what}", role=role, task_id=change.task_id, cause=change.error or ended)
    finish_task_hook(turn, change.task_id, what)


def _how_it_ended(change: TaskChange) -> str:
    if change.signal:
        return f"was ended by signal {change.signal}"
    if change.exit_code is not None:
        return f"ended with exit code {change.exit_code}"
    return f"ended: {change.error}" if change.error else "ended"


def on_command_done(turn: Turn, stimulus: CommandDone) -> None:
    """Judge the answers of a transition command: only critical tasks decide (core.md 3.9)."""
    environment = turn.environment
    cursor = environment.cursor
    if cursor is None:
        return
    cursor.awaited.discard(stimulus.token)
    name = TASK_COMMANDS[cursor.event][0] if cursor.event in TASK_COMMANDS else cursor.event.value
    if environment.progress:
        environment.progress.count_failed(None if stimulus.error else len(stimulus.failed))
    errors: list[str] = []
    if stimulus.error:
        errors.append(stimulus.error)
        turn.record_fault(f"{name} could not be sent", cause=stimulus.error)
    for outcome in stimulus.failed:
        if outcome.task_id not in environment.tasks:
            continue
        environment.tasks[outcome.task_id].error = outcome.error
        role = environment.role_of(outcome.task_id)
        if role.critical:
            named = describe_task(environment, outcome.task_id)
            errors.append(f"{named}: {outcome.error}")
            if cursor.event is not EnvironmentEvent.GO_ERROR:
                turn.record_fault(
                    f"critical {named} failed to {name}", role=role, task_id=outcome.task_id, cause=outcome.error
                )
    if errors:
        shown = "; ".join(errors[:10]) + (f"; and {len(errors) - 10} more" if len(errors) > 10 else "")
        cursor.command_error = f"{name} could not complete for critical tasks, errors: {shown}"


def on_task_terminated(turn: Turn, stimulus: TaskTerminated) -> None:
    """A hook that is awaited has its answer; the end of another basic task is the end of its data."""
    environment = turn.environment
    if stimulus.task_id not in environment.tasks:
        return
    is_hook = environment.role_of(stimulus.task_id).is_hook
    on_terminated(turn, stimulus)
    if not is_hook:
        _end_of_data(turn, stimulus.task_id)


def on_device_reported(turn: Turn, stimulus: DeviceReported) -> None:
    environment = turn.environment
    entry = environment.tasks.get(stimulus.task_id)
    if entry is None or environment.state is not EnvironmentState.RUNNING:
        return
    if stimulus.type == END_OF_STREAM:
        _end_of_data(turn, stimulus.task_id)
    elif stimulus.type == TASK_INTERNAL_ERROR:
        role = environment.tree[entry.role]
        entry.error = entry.error or "internal error of the task"
        environment.tree.update(role, state=TaskState.ERROR)
        if role.critical:
            named = describe_task(environment, stimulus.task_id)
            turn.record_fault(f"critical {named} reported an internal error", role=role, task_id=stimulus.task_id)
        _enqueue(turn, reaction(EnvironmentEvent.STOP_ACTIVITY))
        turn.watch()


def _end_of_data(turn: Turn, task_id: str) -> None:
    environment = turn.environment
    environment.tasks[task_id].is_safe_to_stop = True
    if environment.state is EnvironmentState.RUNNING and environment.is_safe_to_stop():
        _enqueue(turn, reaction(EnvironmentEvent.STOP_ACTIVITY))


def on_timer(turn: Turn, stimulus: TimerFired) -> None:
    environment = turn.environment
    name = stimulus.timer
    timer = environment.timers.pop(name, None)
    if timer is None:
        return  # stopped in the same moment
    if name == "go_error":
        failed = failed_leaves(environment)
        named = ", ".join(role.path for role in failed[:5])
        text = f"critical {'task' if len(failed) == 1 else 'tasks'} in ERROR: {named}"
        if environment.fault:
            text = (
                f"{environment.fault.what}: {environment.fault.cause}"
                if environment.fault.cause
                else environment.fault.what
            )
        _enqueue(turn, reaction(EnvironmentEvent.GO_ERROR, error=text))
    elif name == "auto_stop":
        environment.requester = TIMER
        environment.tree.user_vars["last_request_user"] = TIMER.to_variable()
        _enqueue(turn, reaction(EnvironmentEvent.STOP_ACTIVITY, error_follows=True))
    elif name == "deploy":
        _deployment_silent(turn)
    elif name == "destroy":
        _destroy_gave_up(turn)
    elif name.startswith("hook:"):
        task_id = name.removeprefix("hook:")
        timeout = environment.role_of(task_id).traits.timeout
        finish_task_hook(turn, task_id, f"{describe_task(environment, task_id)} timed out after {timeout}")


def _deployment_silent(turn: Turn) -> None:
    """End the wait of DEPLOY: give up what is not critical, or fail."""
    environment = turn.environment
    cursor = environment.cursor
    if cursor is None or not cursor.is_deploying:
        return
    error = deployment_timed_out(turn)
    give_up_placing(turn, cursor)
    cursor.deploy_verdict = error
    if not error:
        for entry in environment.tasks.values():
            role = environment.tree[entry.role]
            if role.status is Status.INACTIVE:
                entry.ended = entry.ended or "did not come up in time"


def _destroy_gave_up(turn: Turn) -> None:
    """Answer a destroy that has waited for a running transition long enough; the transition goes on."""
    environment = turn.environment
    waited = environment.created.timings.destroy_s
    for job in [job for job in environment.jobs if job.destroy is not None]:
        environment.jobs.remove(job)
        error = f"{environment.busy_with} is still in progress after {waited:g} s: destroy with force to interrupt it"
        turn.do(Reply(request_id=job.request_id, error=error, reason=Reason.TRANSITION_RUNNING.value))


def _enqueue(turn: Turn, job: Job) -> None:
    """Let a job wait its turn, once of each kind; also behind a destroy, which may give up waiting."""
    environment = turn.environment
    if environment.transition is EnvironmentEvent.DESTROY:
        return
    if job.name not in [waiting.name for waiting in environment.jobs]:
        environment.jobs.append(job)
