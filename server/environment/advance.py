"""``advance``: the one door into an environment. A stimulus in, instructions out; no I/O, no clock, no randomness.

Here the rows of stages (jobs) are driven; what a stage's steps do is in transition.py and teardown.py, what tasks
report by themselves in reactions.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from server.api.errors import Reason
from server.api.model import OpStatus
from server.api.states import EnvironmentEvent, EnvironmentState, destination
from server.environment.deployment import on_acquired
from server.environment.environment import Environment
from server.environment.hooks import on_call_done, on_hooks_triggered
from server.environment.instructions import AnyInstruction, Gone, Kill, Reply
from server.environment.plan import (
    Cursor,
    Job,
    Stage,
    StageKind,
    automatic_end,
    automatic_start,
    creation,
    destruction,
    operator_transition,
    teardown_steps,
    transition_steps,
)
from server.environment.reactions import (
    on_command_done,
    on_device_reported,
    on_task_terminated,
    on_tasks_changed,
    on_timer,
)
from server.environment.stimuli import (
    Acquired,
    AnyStimulus,
    CallDone,
    CommandDone,
    Created,
    DestroyRequested,
    DeviceReported,
    HooksTriggered,
    Requested,
    RunNumberGranted,
    Stimulus,
    TasksChanged,
    TasksKilled,
    TaskTerminated,
    TimerFired,
    VariablesWritten,
)
from server.environment.teardown import run_teardown_step
from server.environment.transition import Cancelled, close_cancelled, run_step
from server.environment.turn import Turn, describe_task


def advance(environment: Environment, stimulus: AnyStimulus) -> list[AnyInstruction]:
    """Let the stimulus act on the environment and return what is to be done, in order.

    Deterministic: the same stimuli give the same instructions, in this process or another.
    """
    environment.latest_ms = max(environment.latest_ms, stimulus.at_ms)
    turn = Turn(environment, environment.latest_ms)
    token: str = getattr(stimulus, "token", "")
    if token and environment.outstanding.pop(token, None) is None:
        return []  # an answer that came twice, or after the wait was given up
    _HANDLERS[type(stimulus)](turn, stimulus)
    _proceed(turn)
    return turn.instructions


# ---- requests --------------------------------------------------------------------------------


def _on_created(turn: Turn, stimulus: Created) -> None:
    environment = turn.environment
    creating = {"transition": "CREATE", "with_run": False}
    turn.publish("workflow loaded", step="after_CREATE", status=OpStatus.DONE_OK, with_vars=True, **creating)  # type: ignore[arg-type]
    turn.publish("transition completed successfully", status=OpStatus.DONE_OK, **creating)  # type: ignore[arg-type]
    environment.jobs.append(creation(stimulus.request_id))


def _on_requested(turn: Turn, stimulus: Requested) -> None:
    environment = turn.environment
    event = EnvironmentEvent(stimulus.event)
    environment.requester = stimulus.requester
    environment.tree.user_vars["last_request_user"] = stimulus.requester.to_variable()
    if error := environment.refusal(event):
        reason = Reason.TRANSITION_RUNNING if environment.busy_with else Reason.ILLEGAL_TRANSITION
        turn.do(Reply(request_id=stimulus.request_id, error=error, reason=reason.value))
        return
    environment.jobs.append(operator_transition(event, stimulus.request_id))


def _on_destroy_requested(turn: Turn, stimulus: DestroyRequested) -> None:
    environment = turn.environment
    environment.requester = stimulus.requester
    environment.tree.user_vars["last_request_user"] = stimulus.requester.to_variable()
    asked = any(job.name == "DESTROY" for job in (environment.job, *environment.jobs) if job)
    is_ending = environment.transition is EnvironmentEvent.DESTROY or environment.state is EnvironmentState.DONE
    if is_ending or (asked and not stimulus.force):
        error = "the environment is being destroyed already"
        turn.do(Reply(request_id=stimulus.request_id, error=error, reason=Reason.TRANSITION_RUNNING.value))
        return
    job = Job("DESTROY", deque(), request_id=stimulus.request_id)
    job.destroy = stimulus
    if stimulus.force:
        _interrupt(turn)
    elif environment.job is not None:
        turn.start_timer("destroy", environment.created.timings.destroy_s)
    environment.jobs.append(job)


def _interrupt(turn: Turn) -> None:
    """Give up the job in progress and all that wait: a forced destroy does not (design: ``force`` interrupts)."""
    environment = turn.environment
    if environment.transition is not None:
        close_cancelled(turn, "interrupted by a forced destroy")
    for job in (environment.job, *environment.jobs):
        if job is None or not job.request_id:
            continue
        error = f"{job.name} was interrupted by a forced destroy"
        if job.name == "CREATE":
            _publish_failed_creation(turn, error)
        turn.do(Reply(request_id=job.request_id, error=error, reason=Reason.TRANSITION_FAILED.value))
    environment.jobs.clear()
    for name in [name for name in environment.timers if name.startswith("hook:") or name == "deploy"]:
        turn.stop_timer(name)
    environment.outstanding = {
        token: asked for token, asked in environment.outstanding.items() if token in environment.calls
    }
    environment.job = environment.cursor = None


# ---- answers ---------------------------------------------------------------------------------


def _on_run_number(turn: Turn, stimulus: RunNumberGranted) -> None:
    cursor = turn.environment.cursor
    if cursor is None:
        return
    cursor.awaited.discard(stimulus.token)
    cursor.command_error = stimulus.error
    if not stimulus.error:
        turn.environment.run_number = stimulus.run_number


def _on_variables(turn: Turn, stimulus: VariablesWritten) -> None:
    root = turn.environment.tree.root
    root.user_vars |= stimulus.values
    for key, item in stimulus.appended.items():
        before = root.user_vars.get(key, "")
        root.user_vars[key] = f"{before},{item}" if before else item


def _on_killed(turn: Turn, stimulus: TasksKilled) -> None:
    environment = turn.environment
    job = environment.job
    if environment.cursor is None or job is None:
        return
    environment.cursor.awaited.discard(stimulus.token)
    job.killed = stimulus.killed
    if stimulus.remaining:
        named = ", ".join(describe_task(environment, task_id) for task_id in stimulus.remaining)
        waited_s = environment.created.timings.kill_s
        job.error = job.error or f"could not kill some tasks within {waited_s:g} s: {named}"
        job.reason = job.reason or Reason.KILL_FAILED.value


_HANDLERS: dict[type[Stimulus], Callable[[Turn, Any], None]] = {
    Created: _on_created,
    Requested: _on_requested,
    DestroyRequested: _on_destroy_requested,
    Acquired: on_acquired,
    TasksChanged: on_tasks_changed,
    CommandDone: on_command_done,
    HooksTriggered: on_hooks_triggered,
    TaskTerminated: on_task_terminated,
    DeviceReported: on_device_reported,
    CallDone: on_call_done,
    VariablesWritten: _on_variables,
    RunNumberGranted: _on_run_number,
    TimerFired: on_timer,
    TasksKilled: _on_killed,
}


# ---- jobs ------------------------------------------------------------------------------------


def _proceed(turn: Turn) -> None:
    """Go on until something is awaited or nothing is left to do."""
    environment = turn.environment
    while not environment.is_gone:
        if environment.job is None:
            _automatic(turn)
            if not environment.jobs:
                return
            environment.job = environment.jobs.popleft()
            if environment.job.destroy is not None:
                turn.stop_timer("destroy")
                environment.job = _destroy_job(environment, environment.job.destroy)
        if not _run_job(turn, environment.job):
            return


def _automatic(turn: Turn) -> None:
    """Keep an automatic environment going: start it, and end it when its run is over (core.md 2.11)."""
    environment = turn.environment
    if not environment.created.is_auto or environment.jobs or not environment.was_created:
        return
    if environment.state is EnvironmentState.RUNNING or environment.state is EnvironmentState.DONE:
        return
    if not environment.was_started:
        environment.was_started = True
        environment.jobs.append(automatic_start())
    else:
        environment.jobs.append(automatic_end(environment.state))


def _destroy_job(environment: Environment, asked: DestroyRequested) -> Job:
    return destruction(
        environment.state,
        asked.request_id,
        keep_tasks=asked.keep_tasks,
        allow_running=asked.allow_running,
        force=asked.force,
    )


def _run_job(turn: Turn, job: Job) -> bool:
    """Carry the job on; True when it is over, False when it waits."""
    environment = turn.environment
    while job.stages:
        stage = job.stages[0]
        try:
            if not _run_stage(turn, job, stage):
                return False
        except Cancelled as failure:
            _fail(turn, job, stage, str(failure))
            continue
        job.stages.popleft()
        environment.cursor = None
    environment.job = None
    return True


def _run_stage(turn: Turn, job: Job, stage: Stage) -> bool:
    environment = turn.environment
    match stage.kind:
        case StageKind.TRANSITION | StageKind.TEARDOWN:
            return _run_steps(turn, stage)
        case StageKind.KILL:
            return _kill(turn)
        case StageKind.ANNOUNCE:
            message = "a critical error occurred, GO_ERROR transition imminent"
            if destination(EnvironmentEvent.GO_ERROR, environment.state):
                turn.publish(message, error=job.error)
        case StageKind.CREATED:
            environment.was_created = True
            turn.do(Reply(request_id=job.request_id))
        case StageKind.CREATE_FAILED:
            _publish_failed_creation(turn, job.error)
            turn.do(Reply(request_id=job.request_id, error=job.error, reason=Reason.DEPLOYMENT_FAILED.value))
        case StageKind.REPLY:
            turn.do(Reply(request_id=job.request_id, error=_reply_error(job), reason=job.reason, killed=job.killed))
        case StageKind.GONE:
            environment.is_gone = True
            turn.do(Gone())
    return True


def _publish_failed_creation(turn: Turn, error: str) -> None:
    turn.publish(
        "transition error", state=EnvironmentState.PENDING, transition="CREATE", status=OpStatus.DONE_ERROR, error=error,
        with_run=False,
    )  # fmt: skip


def _reply_error(job: Job) -> str:
    """A failed transition that ended in ERROR is answered OK with that state (core.md 1.7); only a reason makes it an error."""
    return job.error if job.reason else ""


def _run_steps(turn: Turn, stage: Stage) -> bool:
    environment = turn.environment
    if environment.cursor is None:
        cursor = _begin_stage(environment, stage)
        if cursor is None:
            return True
        environment.cursor = cursor
    cursor = environment.cursor
    run = run_step if stage.kind is StageKind.TRANSITION else run_teardown_step
    while cursor.index < len(cursor.steps):
        if cursor.awaited and not cursor.is_deploying:
            return False
        if not run(turn, cursor, cursor.steps[cursor.index]):
            return False
        cursor.index += 1
    if cursor.error:
        raise Cancelled(cursor.error)
    return True


def _begin_stage(environment: Environment, stage: Stage) -> Cursor | None:
    """Return the cursor of a stage that begins, None to pass it over.

    Raises:
        Cancelled: the transition is not legal in the present state.
    """
    state = environment.state
    if stage.kind is StageKind.TEARDOWN:
        return Cursor(
            teardown_steps(state), EnvironmentEvent.DESTROY, state, EnvironmentState.DONE, is_forced=stage.is_forced
        )
    assert stage.event is not None
    to = destination(stage.event, state)
    if to is None:
        if stage.is_optional:
            return None
        raise Cancelled(f"event {stage.event.value} inappropriate in current state {state.value}")
    return Cursor(transition_steps(stage.event, state, to), stage.event, state, to)


def _fail(turn: Turn, job: Job, stage: Stage, error: str) -> None:
    """Turn a job whose stage failed to what it does on failure (core.md 2.9, 2.12, 2.13)."""
    environment = turn.environment
    if environment.transition is not None:
        close_cancelled(turn, error)
    elif environment.cursor is None and stage.kind is StageKind.TEARDOWN:
        environment.step = ""
    environment.cursor = None
    if stage.event is EnvironmentEvent.GO_ERROR:
        # GO_ERROR may not fail: the state is set without callbacks. The caller learns that it had to be, unless it asked
        # for an end, which only a teardown or a kill can fail.
        if environment.state is not EnvironmentState.ERROR:
            environment.machine.force(EnvironmentState.ERROR)
            environment.state_since_ms = turn.now_ms
        job.stages.popleft()
        if not any(later.kind is StageKind.TEARDOWN for later in job.stages):
            job.reason = job.reason or Reason.TRANSITION_FAILED.value
            job.error = f"{job.error}; GO_ERROR failed too: {error}" if job.error else error
        return
    turn.record_fault(f"{job.name if stage.event is None else stage.event.value} failed", cause=error)
    job.error = job.error or error
    job.stages.clear()
    job.stages.extend(job.on_failure)
    job.on_failure = ()


def _kill(turn: Turn) -> bool:
    environment = turn.environment
    if environment.cursor is None:
        if not environment.tasks:
            return True
        state = environment.state
        environment.cursor = cursor = Cursor((), EnvironmentEvent.DESTROY, state, state)
        kill = Kill(
            token=turn.token("kill"), task_ids=tuple(environment.tasks), timeout_s=environment.created.timings.kill_s
        )
        cursor.awaited.add(turn.ask(kill))
        return False
    return not environment.cursor.awaited
