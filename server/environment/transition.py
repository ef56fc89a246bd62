"""The steps of one transition (core.md 2.3 to 2.7). Which steps there are, and their order: plan.py. Hooks: hooks.py.

A step returns True when it is done and False when it waits. A failed step that cancels raises Cancelled; the state
then stays what it was.
"""

from __future__ import annotations

from occ.states import TaskState
from server.api.model import OpStatus
from server.api.states import EnvironmentEvent, EnvironmentState
from server.environment.arguments import start_arguments, stop_arguments
from server.environment.deployment import begin_deployment, deployed_tasks, deployment_outcome, give_up_placing
from server.environment.hooks import critical_error, run_hooks
from server.environment.instructions import Command, NewRunNumber
from server.environment.plan import Cursor, Op, Step
from server.environment.progress import Progress
from server.environment.turn import Turn
from server.template.duration import parse_duration


class Cancelled(Exception):
    """A step failed and the transition with it."""


TASK_COMMANDS: dict[EnvironmentEvent, tuple[str, TaskState, TaskState]] = {
    EnvironmentEvent.CONFIGURE: ("CONFIGURE", TaskState.STANDBY, TaskState.CONFIGURED),
    EnvironmentEvent.START_ACTIVITY: ("START", TaskState.CONFIGURED, TaskState.RUNNING),
    EnvironmentEvent.STOP_ACTIVITY: ("STOP", TaskState.RUNNING, TaskState.CONFIGURED),
    EnvironmentEvent.RESET: ("RESET", TaskState.CONFIGURED, TaskState.STANDBY),
    EnvironmentEvent.GO_ERROR: ("STOP", TaskState.RUNNING, TaskState.CONFIGURED),
}
"""Environment event to (task event, source, destination) (core.md 2.7, 3.9)."""


def run_step(turn: Turn, cursor: Cursor, step: Step) -> bool:
    """Carry one step of a transition on; True when it is done.

    Raises:
        Cancelled: it failed and the transition is over; the closing events are published.
    """
    return _STEPS[step.op](turn, cursor, step)


def _begin(turn: Turn, cursor: Cursor, step: Step) -> bool:
    environment = turn.environment
    moments = [step.moment for step in cursor.steps if step.op is Op.MOMENT]
    budget_s = _command_timeout(turn, cursor.event) if cursor.event in TASK_COMMANDS else 0.0
    environment.begin_transition(cursor.event, moments, at_ms=turn.now_ms, budget_ms=int(1000 * budget_s))
    turn.publish_transition("transition starting", OpStatus.STARTED)
    return True


def _moment(turn: Turn, cursor: Cursor, step: Step) -> bool:
    turn.environment.step = step.moment
    _progress(turn).reach(step.moment, turn.now_ms)
    cursor.moment_error = ""
    turn.publish_transition("transition step starting", OpStatus.ONGOING)
    return True


def _moment_end(turn: Turn, cursor: Cursor, step: Step) -> bool:
    status = OpStatus.DONE_ERROR if cursor.moment_error else OpStatus.ONGOING
    state = cursor.destination if step.moment.startswith("tasks_") else None
    turn.publish_transition("transition step finished", status, error=cursor.moment_error, state=state)
    _progress(turn).leave(turn.now_ms, cursor.moment_error)
    cursor.error = cursor.moment_error or cursor.error
    return True


def _progress(turn: Turn) -> Progress:
    progress = turn.environment.progress
    assert progress is not None, "a transition is in progress"
    return progress


def _hooks(turn: Turn, cursor: Cursor, step: Step) -> bool:
    if not run_hooks(turn, cursor, step):
        return False
    assert cursor.hooks is not None
    error, cursor.hooks = critical_error(step.moment, cursor.hooks), None
    if error and step.is_fatal:
        _leave_running(turn, cursor)
        raise _cancel(turn, error)
    cursor.moment_error = cursor.moment_error or error
    return True


def _cancel(turn: Turn, error: str) -> Cancelled:
    turn.publish_transition("transition step finished", OpStatus.DONE_ERROR, error=error)
    _progress(turn).leave(turn.now_ms, error)
    return Cancelled(f"transition canceled with error: {error}")


def _run_number(turn: Turn, cursor: Cursor, step: Step) -> bool:
    if not cursor.is_command_done:
        cursor.is_command_done = True
        cursor.awaited.add(turn.ask(NewRunNumber(token=turn.token("run"))))
        return False
    cursor.is_command_done = False
    if cursor.command_error:
        error, cursor.command_error = cursor.command_error, ""
        turn.record_fault("no run number", cause=error, hint="check the configuration store")
        raise Cancelled(f"transition canceled with error: cannot get a run number: {error}")
    return True


def _act(turn: Turn, cursor: Cursor, step: Step) -> bool:
    """Do what belongs to the moment itself, between its negative and its positive hooks (core.md 2.5)."""
    event = cursor.event
    if step.moment == "before_START_ACTIVITY":
        _before_start(turn)
    elif step.moment in ("before_STOP_ACTIVITY", "before_GO_ERROR"):
        if turn.root_variable("run_end_time_ms") == "":
            turn.set_root_variable("run_end_time_ms", str(turn.now_ms))
            turn.publish_run(OpStatus.STARTED, turn.now_ms)
    elif step.moment.startswith("leave_"):
        _leave_running(turn, cursor)
    elif step.moment.startswith("enter_"):
        turn.set_root_variable("enter_state_time_ms", str(turn.now_ms))
    elif step.moment == "after_START_ACTIVITY":
        _after_start(turn, cursor)
    elif step.moment in ("after_STOP_ACTIVITY", "after_GO_ERROR"):
        if event is EnvironmentEvent.STOP_ACTIVITY or turn.root_variable("run_end_completion_time_ms") == "":
            error = cursor.error or cursor.moment_error
            failed = error and event is EnvironmentEvent.STOP_ACTIVITY
            turn.set_root_variable("run_end_completion_time_ms", str(turn.now_ms))
            turn.publish_run(
                OpStatus.DONE_ERROR if failed else OpStatus.DONE_OK, turn.now_ms, error=error if failed else ""
            )
        turn.stop_timer("auto_stop")
    return True


def _before_start(turn: Turn) -> None:
    environment = turn.environment
    root = environment.tree.root
    root.vars["run_number"] = root.vars["runNumber"] = str(environment.run_number)
    turn.set_root_variable("run_start_time_ms", str(turn.now_ms))
    for key in ("run_start_completion_time_ms", "run_end_time_ms", "run_end_completion_time_ms"):
        turn.set_root_variable(key, "")
    base = environment.base_stack()
    root.vars |= {key: base[key] for key in ("lhc_period", "pdp_n_hbf_per_tf") if key in base}
    turn.publish_run(OpStatus.STARTED, turn.now_ms)


def _after_start(turn: Turn, cursor: Cursor) -> None:
    environment = turn.environment
    count = environment.tree.vars.get("__fmq_cleanup_count", "0")
    environment.tree.vars["__fmq_cleanup_count"] = str(int(count) + 1 if count.isdecimal() else 1)
    stack = environment.tree.stack(environment.tree.root)
    if stack.get("auto_stop_enabled") == "true":
        seconds = parse_duration(stack.get("auto_stop_timeout", ""))
        if seconds is not None:
            turn.start_timer("auto_stop", seconds)
    turn.set_root_variable("run_start_completion_time_ms", str(turn.now_ms))
    error = cursor.error or cursor.moment_error
    turn.publish_run(OpStatus.DONE_ERROR if error else OpStatus.DONE_OK, turn.now_ms, error=error)


def _leave_running(turn: Turn, cursor: Cursor) -> None:
    """Close the run's time even if a hook that leaves RUNNING fails (core.md 2.5)."""
    leaving = turn.environment.step == f"leave_{EnvironmentState.RUNNING.value}"
    if leaving and turn.root_variable("run_end_time_ms") == "":
        turn.set_root_variable("run_end_time_ms", str(turn.now_ms))


def _tasks(turn: Turn, cursor: Cursor, step: Step) -> bool:
    error = _deploy(turn, cursor) if cursor.event is EnvironmentEvent.DEPLOY else _command(turn, cursor)
    if error is None:
        return False
    if error:
        raise _cancel(turn, error)
    return True


def _deploy(turn: Turn, cursor: Cursor) -> str | None:
    """Return None while waiting, "" when deployed, else why not."""
    if not cursor.is_deploying:
        cursor.is_deploying = True
        begin_deployment(turn, cursor)
    outcome = deployment_outcome(turn, cursor)
    if outcome is not None:
        cursor.is_deploying = False
        give_up_placing(turn, cursor)
        up, wanted = deployed_tasks(turn.environment)
        _progress(turn).count_tasks(up, wanted)
        turn.stop_timer("deploy")
    return outcome


def _command(turn: Turn, cursor: Cursor) -> str | None:
    """Return None while waiting, "" when all critical tasks followed, else why not."""
    environment, event = turn.environment, cursor.event
    if not cursor.is_command_done:
        targets = environment.active_tasks()
        if event is EnvironmentEvent.GO_ERROR:
            targets = tuple(task for task in targets if environment.role_of(task).state is TaskState.RUNNING)
        if not targets:
            return ""
        name, source, destination = TASK_COMMANDS[event]
        cursor.is_command_done = True
        _progress(turn).count_tasks(0, len(targets))
        cursor.awaited.add(
            turn.ask(
                Command(
                    token=turn.token(name),
                    event=name,
                    source=source.value,
                    destination=destination.value,
                    task_ids=targets,
                    timeout_s=_command_timeout(turn, event),
                    arguments=_arguments(turn, event),
                    with_properties=event is EnvironmentEvent.CONFIGURE,
                )
            )
        )
        return None
    cursor.is_command_done = False
    error, cursor.command_error = cursor.command_error, ""
    return "" if event is EnvironmentEvent.GO_ERROR else error


def _command_timeout(turn: Turn, event: EnvironmentEvent) -> float:
    timings = turn.environment.created.timings
    return timings.configure_s if event is EnvironmentEvent.CONFIGURE else timings.transition_s


def _arguments(turn: Turn, event: EnvironmentEvent) -> dict[str, str]:
    tree = turn.environment.tree
    if event is EnvironmentEvent.START_ACTIVITY:
        return start_arguments(tree.stack(tree.root), turn.environment.run_number)
    if event is EnvironmentEvent.STOP_ACTIVITY:
        return stop_arguments(tree.stack(tree.root), camel_too=True)
    if event is EnvironmentEvent.GO_ERROR:
        return stop_arguments(tree.stack(tree.root), camel_too=False)
    return {}


def _move(turn: Turn, cursor: Cursor, step: Step) -> bool:
    environment = turn.environment
    environment.machine.fire(cursor.event)
    environment.state_since_ms = turn.now_ms
    if environment.state is EnvironmentState.CONFIGURED and "go_error" not in environment.timers:
        environment.is_watched = True
        turn.watch()  # a critical task may have died on the way, which no command noticed
    return True


def _end(turn: Turn, cursor: Cursor, step: Step) -> bool:
    """Close the books of the run and the transition; a failure of enter or after hooks stands although the state moved."""
    environment = turn.environment
    root = environment.tree.root
    run_number = environment.run_number
    if cursor.event in (EnvironmentEvent.STOP_ACTIVITY, EnvironmentEvent.GO_ERROR) and environment.run_number:
        root.vars["last_run_number"] = str(environment.run_number)
        environment.last_run_number, environment.run_number = environment.run_number, 0
        root.vars.pop("run_number", None)
        root.vars.pop("runNumber", None)
    environment.step = ""
    if cursor.error:
        turn.publish_transition("transition error", OpStatus.DONE_ERROR, error=cursor.error)
    else:
        turn.publish_transition("transition completed successfully", OpStatus.DONE_OK)
    environment.end_transition(at_ms=turn.now_ms, run_number=run_number, error=cursor.error)
    return True


def close_cancelled(turn: Turn, error: str) -> None:
    """Publish the end of a cancelled transition; its name does not linger (core.md 9, 10)."""
    environment = turn.environment
    environment.step = ""
    turn.publish_transition("transition error", OpStatus.DONE_ERROR, error=error)
    environment.end_transition(at_ms=turn.now_ms, run_number=environment.run_number, error=error)
    turn.stop_timer("deploy")


_STEPS = {
    Op.BEGIN: _begin,
    Op.MOMENT: _moment,
    Op.HOOKS: _hooks,
    Op.RUN_NUMBER: _run_number,
    Op.ACT: _act,
    Op.MOMENT_END: _moment_end,
    Op.TASKS: _tasks,
    Op.MOVE: _move,
    Op.END: _end,
}
