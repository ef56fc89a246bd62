"""The steps of a teardown: run what belongs to leaving, release the tasks, and be done (core.md 2.12)."""

from __future__ import annotations

from server.api.model import OpStatus
from server.api.states import EnvironmentEvent, EnvironmentState, Status
from server.environment.hooks import run_hooks
from server.environment.instructions import Release
from server.environment.plan import Cursor, Op, Step
from server.environment.transition import Cancelled
from server.environment.tree import parse_moment
from server.environment.turn import Turn
from server.template.model import RoleKind


def run_teardown_step(turn: Turn, cursor: Cursor, step: Step) -> bool:
    """Carry one step of a teardown on; True when it is done.

    Raises:
        Cancelled: not forced, and the state does not allow it.
    """
    return _STEPS[step.op](turn, cursor, step)


def _check(turn: Turn, cursor: Cursor, step: Step) -> bool:
    state = turn.environment.state
    if not cursor.is_forced and state not in (EnvironmentState.STANDBY, EnvironmentState.DEPLOYED):
        raise Cancelled(f"cannot teardown environment in state {state.value}")
    return True


def _begin(turn: Turn, cursor: Cursor, step: Step) -> bool:
    environment = turn.environment
    moments = [step.moment for step in cursor.steps if step.op is Op.HOOKS]
    environment.begin_transition(EnvironmentEvent.DESTROY, moments, at_ms=turn.now_ms)
    environment.step = "before_DESTROY"
    environment.is_watched = False
    for timer in ("go_error", "auto_stop"):
        turn.stop_timer(timer)
    _publish(turn, "workflow teardown started", OpStatus.STARTED)
    environment.step = step.moment
    _publish(turn, "workflow teardown ongoing", OpStatus.ONGOING)
    return True


def _hooks(turn: Turn, cursor: Cursor, step: Step) -> bool:
    """Run all hooks of the moment; a failure is told by its own event and stops nothing."""
    if cursor.hooks is None and turn.environment.progress:
        turn.environment.progress.reach(step.moment, turn.now_ms)
    if not run_hooks(turn, cursor, step):
        return False
    cursor.hooks = None
    return True


def _left(turn: Turn, cursor: Cursor, step: Step) -> bool:
    """Close a run that nobody stopped (core.md 2.12, step 5)."""
    if turn.environment.state is EnvironmentState.RUNNING:
        for key in ("run_end_time_ms", "run_end_completion_time_ms"):
            if turn.root_variable(key) in ("", None):
                turn.set_root_variable(key, str(turn.now_ms))
                turn.publish_run(OpStatus.STARTED, turn.now_ms, transition="TEARDOWN", with_user=False)
    return True


def _release(turn: Turn, cursor: Cursor, step: Step) -> bool:
    """Release all tasks but those that the hooks of DESTROY still need."""
    environment = turn.environment
    environment.step = step.moment
    _publish(turn, "releasing tasks", OpStatus.ONGOING)
    for role in environment.tree.leaves():
        if role.kind is RoleKind.CALL:
            environment.tree.update(role, status=Status.INACTIVE)
    needed = _destroy_hook_tasks(turn)
    turn.do(Release(task_ids=tuple(task for task in environment.tasks if task not in needed)))
    environment.step = "after_DESTROY"
    _publish(turn, "running DESTROY hooks", OpStatus.ONGOING)
    return True


def _end(turn: Turn, cursor: Cursor, step: Step) -> bool:
    environment = turn.environment
    for token in environment.calls:
        environment.outstanding.pop(token, None)
    environment.calls.clear()
    turn.do(Release(task_ids=tuple(_destroy_hook_tasks(turn))))
    environment.machine.force(EnvironmentState.DONE)
    environment.state_since_ms = turn.now_ms
    run_number = environment.run_number
    if environment.run_number:
        environment.last_run_number, environment.run_number = environment.run_number, 0
    _publish(turn, "environment teardown complete", OpStatus.DONE_OK)
    environment.end_transition(at_ms=turn.now_ms, run_number=run_number)
    return True


def _publish(turn: Turn, message: str, status: OpStatus) -> None:
    environment = turn.environment
    turn.publish(message, transition="DESTROY", step=environment.step, status=status, with_run=False)


def _destroy_hook_tasks(turn: Turn) -> set[str]:
    environment = turn.environment
    return {
        task_id
        for task_id, entry in environment.tasks.items()
        if parse_moment(environment.tree[entry.role].traits.trigger)[0] in ("DESTROY", "after_DESTROY")
    }


_STEPS = {
    Op.TEARDOWN_CHECK: _check,
    Op.TEARDOWN_BEGIN: _begin,
    Op.HOOKS: _hooks,
    Op.TEARDOWN_LEFT: _left,
    Op.TEARDOWN_RELEASE: _release,
    Op.TEARDOWN_END: _end,
}
