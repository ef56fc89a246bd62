"""Hooks: which ones act at a moment, in which order, and what their failures mean (core.md 2.8).

A call runs between its trigger and its await point; a task hook runs inside its trigger's weight. All weights of one
moment and sign group follow each other; what has the same weight runs at once.
"""

from __future__ import annotations

from server.api.model import OpStatus
from server.api.states import Status
from server.environment.environment import Environment, PendingCall
from server.environment.instructions import RunCall, TriggerHooks
from server.environment.plan import Cursor, HookPass, Step
from server.environment.progress import NOT_DEPLOYED
from server.environment.stimuli import CallDone, HooksTriggered, TaskTerminated
from server.environment.tree import Role, parse_moment
from server.environment.turn import Turn, describe_task
from server.template.duration import parse_duration
from server.template.model import RoleKind

HOOK_TRIGGER_SHARE_S = 10.0
"""Seconds in which executors must have started hook processes; their own time counts from their end of the link."""


def run_hooks(turn: Turn, cursor: Cursor, step: Step) -> bool:
    """Go on with the hooks of a step as far as possible; True when all are done and ``cursor.hooks.failures`` is complete."""
    hooks = cursor.hooks = cursor.hooks or HookPass()
    while True:
        if cursor.awaited:
            return False
        if hooks.weight is None:
            hooks.weight = _next_weight(turn, step, hooks)
            if hooks.weight is None:
                return True
            _start_calls(turn, step.moment, hooks)
            cursor.awaited |= {token for token, call in _awaited_here(turn, step, hooks) if not call.is_done}
            continue
        if not hooks.tasks_triggered:
            _collect_calls(turn, step, hooks)
            hooks.tasks_triggered = True
            _trigger_tasks(turn, cursor, step.moment, hooks)
            continue
        _collect_tasks(turn, hooks)
        hooks.done.add(hooks.weight)
        hooks.weight, hooks.tasks_triggered = None, False
        if not step.goes_on and any(critical for _, critical in hooks.failures):
            return True


def critical_error(moment: str, hooks: HookPass) -> str:
    """Return the text of the critical failures, "" if there are none (core.md 2.8.3, step 3)."""
    texts = [text for text, critical in hooks.failures if critical]
    if len(texts) > 3:
        return f"{len(texts)} critical hooks failed at trigger {moment}: {texts[0]}; ..."
    return "; ".join(texts)


# ---- answers ---------------------------------------------------------------------------------


def on_call_done(turn: Turn, stimulus: CallDone) -> None:
    """Note the result of a call; it counts where the call is awaited."""
    environment = turn.environment
    call = environment.calls.get(stimulus.token)
    if call is None:
        return
    role = environment.tree[call.role]
    call.is_done, call.error = True, stimulus.error
    if environment.progress:
        environment.progress.end_call(stimulus.token, turn.now_ms, stimulus.error)
    if stimulus.error:
        turn.publish_call(role, OpStatus.DONE_ERROR, output=stimulus.output, error=stimulus.error)
    else:
        turn.publish_call(role, OpStatus.DONE_OK, output=stimulus.output)
    if stimulus.return_name and not stimulus.error:
        role.user_vars[stimulus.return_name] = stimulus.output
    if environment.cursor:
        environment.cursor.awaited.discard(stimulus.token)


def on_hooks_triggered(turn: Turn, stimulus: HooksTriggered) -> None:
    """Note which hook processes did not start; the others are awaited until they end."""
    for outcome in stimulus.failed:
        finish_task_hook(turn, outcome.task_id, f"{describe_task(turn.environment, outcome.task_id)}: {outcome.error}")
    if turn.environment.cursor:
        turn.environment.cursor.awaited.discard(stimulus.token)


def on_terminated(turn: Turn, stimulus: TaskTerminated) -> None:
    """Keep the result of a basic or hook process in its role's variables and end the wait for it."""
    environment = turn.environment
    role = environment.role_of(stimulus.task_id)
    role.user_vars |= {
        "taskResult.exitCode": str(stimulus.exit_code),
        "taskResult.stdout": stimulus.stdout,
        "taskResult.stderr": stimulus.stderr,
        "taskResult.finalStatus": stimulus.final_status,
        "taskResult.timestamp": f"{turn.now_ms / 1000:.6f}",
    }
    error = ""
    if stimulus.exit_code or not stimulus.voluntary:
        last = stimulus.stderr.strip().rsplit("\n", 1)[-1]
        error = (
            f"{describe_task(environment, stimulus.task_id)} ended with exit code {stimulus.exit_code}"
            f" ({stimulus.final_status}){': ' + last if last else ''}"
        )
    finish_task_hook(turn, stimulus.task_id, error)


def finish_task_hook(turn: Turn, task_id: str, error: str) -> None:
    """End the wait for a hook task, if there is one."""
    cursor = turn.environment.cursor
    name = f"hook:{task_id}"
    if cursor is None or name not in cursor.awaited:
        return
    cursor.awaited.discard(name)
    turn.stop_timer(name)
    if cursor.hooks:
        cursor.hooks.results[task_id] = error
    if turn.environment.progress:
        turn.environment.progress.end_call(name, turn.now_ms, error)


# ---- one weight ------------------------------------------------------------------------------


def _in_group(weight: int, sign: int) -> bool:
    return sign == 0 or (weight < 0) == (sign < 0)


def _next_weight(turn: Turn, step: Step, hooks: HookPass) -> int | None:
    """Return the lowest weight not yet done, looked up anew each time: a call just started may be awaited later here."""
    weights = {hook.weight for hook in turn.environment.tree.hooks if hook.moment == step.moment}
    weights |= {call.weight for call in turn.environment.calls.values() if call.moment == step.moment}
    left = [weight for weight in weights if _in_group(weight, step.sign) and weight not in hooks.done]
    floor = max(hooks.done, default=None)
    if floor is not None:
        left = [weight for weight in left if weight > floor]
    return min(left, default=None)


def _at(turn: Turn, moment: str, weight: int | None, kind: RoleKind) -> list[Role]:
    hooks = turn.environment.tree.hooks
    return [role for role, at, w in hooks if at == moment and w == weight and role.kind is kind]


def call_stack(environment: Environment, role: Role) -> dict[str, str]:
    """Return what the expression of a call sees: the stack of its role, and the ``__call_*`` keys (core.md 2.8.2)."""
    traits = role.traits
    return environment.tree.stack(role) | {
        "environment_id": environment.id,
        "__call_func": role.loaded.func,
        "__call_timeout": traits.timeout,
        "__call_trigger": traits.trigger,
        "__call_await": traits.await_ or traits.trigger,
        "__call_critical": "true" if traits.critical else "false",
        "__call_rolepath": role.path,
    }


def _start_calls(turn: Turn, moment: str, hooks: HookPass) -> None:
    environment = turn.environment
    for role in _at(turn, moment, hooks.weight, RoleKind.CALL):
        traits = role.traits
        await_moment, await_weight = parse_moment(traits.await_ or traits.trigger)
        stack = call_stack(environment, role)
        turn.publish_call(role, OpStatus.STARTED)
        token = turn.ask(
            RunCall(
                token=turn.token("call"),
                role=role.order,
                func=role.loaded.func,
                return_var=role.loaded.return_var,
                stack=stack,
            )
        )
        environment.calls[token] = PendingCall(role.order, await_moment, await_weight)
        if environment.progress:
            environment.progress.begin_call(role.order, token, turn.now_ms)


def _awaited_here(turn: Turn, step: Step, hooks: HookPass) -> list[tuple[str, PendingCall]]:
    return [
        (token, call)
        for token, call in turn.environment.calls.items()
        if call.moment == step.moment and call.weight == hooks.weight
    ]


def _collect_calls(turn: Turn, step: Step, hooks: HookPass) -> None:
    environment = turn.environment
    for token, call in _awaited_here(turn, step, hooks):
        del environment.calls[token]
        if call.error:
            role = environment.tree[call.role]
            text = f"call {role.loaded.func} (role {role.path}) failed: {call.error}"
            hooks.failures.append((text, role.critical))
            if role.critical:
                turn.record_fault(
                    f"critical call {role.loaded.func} failed at {step.moment}", role=role, cause=call.error
                )


def _trigger_tasks(turn: Turn, cursor: Cursor, moment: str, hooks: HookPass) -> None:
    environment = turn.environment
    hooks.results.clear()
    targets: list[str] = []
    for role in _at(turn, moment, hooks.weight, RoleKind.TASK):
        task_id = environment.task_of_role.get(role.order)
        if task_id and role.status is Status.ACTIVE:
            targets.append(task_id)
        elif task_id:
            error = f"{describe_task(environment, task_id)} is not running (status {role.status.value})"
            hooks.results[task_id] = error
            _judge(environment, role, turn.now_ms, error)
        elif moment not in NOT_DEPLOYED:
            error = f"hook task of role {role.path} was not deployed"
            hooks.failures.append((error, role.critical))
            _judge(environment, role, turn.now_ms, error)
    if not targets:
        return
    for task_id in targets:
        timeout_s = parse_duration(environment.role_of(task_id).traits.timeout) or 0.0
        turn.start_timer(f"hook:{task_id}", timeout_s)
        cursor.awaited.add(f"hook:{task_id}")
        if environment.progress:
            environment.progress.begin_call(environment.tasks[task_id].role, f"hook:{task_id}", turn.now_ms)
    cursor.awaited.add(
        turn.ask(TriggerHooks(token=turn.token("hooks"), task_ids=tuple(targets), timeout_s=HOOK_TRIGGER_SHARE_S))
    )


def _judge(environment: Environment, role: Role, at_ms: int, error: str) -> None:
    if environment.progress:
        environment.progress.judge_call(role.order, at_ms, error)


def _collect_tasks(turn: Turn, hooks: HookPass) -> None:
    environment = turn.environment
    for task_id, error in hooks.results.items():
        if not error:
            continue
        role = environment.role_of(task_id)
        hooks.failures.append((error, role.critical))
        if role.critical:
            turn.record_fault(
                f"critical hook {describe_task(environment, task_id)} failed", role=role, task_id=task_id, cause=error
            )
    hooks.results.clear()
