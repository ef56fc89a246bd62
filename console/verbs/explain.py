"""The verb that turns an id or a message into what happened, why, and the next step."""

from __future__ import annotations

from console import resolve
from console.command import LINE
from console.commands import commands_of
from console.exit_codes import NOT_FOUND, ExitError, usage
from console.explanations import Explanation, explanations
from console.legality import move_refusal
from console.present import age, fault_line, look, moment, short_class, step_line, task_problem
from console.results import Context, Result
from console.store import Store
from console.table import Row
from server.api.errors import AliecsError
from server.api.model import Environment, Task
from server.api.states import EnvironmentEvent


async def explain(context: Context) -> Result:
    """Explain an environment, a task, a message or an exit code; the last error if nothing is named."""
    words = list(context.args.words)
    if not words:
        words = [await _unnamed(context)]
    if len(words) == 1 and (found := await _thing(context, words[0])) is not None:
        return found
    text = " ".join(words)
    known = explanations(text)
    if not known:
        hint = "it knows ids of environments and tasks, exit codes, signals, and messages of the console and the core"
        raise ExitError(NOT_FOUND, f"nothing is known about {text!r}", hint=hint)
    return Result(
        rows=tuple({"about": one.about, "means": one.means, "next": one.next} for one in known),
        columns=("about", "means", "next"),
        text="\n".join(map(_paragraph, known)),
    )


async def _unnamed(context: Context) -> str:
    """Return what is meant by no words: the environment in use if it is in trouble, the last error, the environment."""
    seat = context.seat
    if seat is not None and seat.in_use:
        try:
            environment = (await context.session.picture()).environment(seat.in_use)
        except AliecsError:
            environment = None
        if environment is None or environment.state == "ERROR" or not seat.last_error:
            return seat.in_use
    if seat is None or not seat.last_error:
        raise usage("explain: what?", hint="an id, a message or an exit code")
    return seat.last_error


async def _thing(context: Context, word: str) -> Result | None:
    """Return what there is to say if the word names an environment or a task."""
    if word.isdigit() and len(word) <= 3:
        return None  # an exit code
    try:
        store = await context.session.picture()
    except AliecsError:
        return None  # without a picture messages can be explained all the same
    environment = resolve.choose(word, store.environments())
    if environment is None and len(word) >= resolve.MIN_PREFIX:
        environment = store.last_seen(word)
    if environment is not None:
        return _environment(context, store, environment)
    tasks = [task for task in store.tasks() if len(word) >= resolve.MIN_PREFIX and task.task_id.startswith(word)]
    return _task(context, store, tasks[0]) if len(tasks) == 1 else None


def _environment(context: Context, store: Store, one: Environment) -> Result:
    is_gone = store.environment(one.id) is None
    facts: Row = {"environment": one.id, "template": one.template}
    state = f"{_sign(context, one.state)} {one.state}"
    if is_gone:
        facts["state"] = f"gone; it was {state}"
    else:
        since = f" for {age(context.session.now() - one.state_since_ms / 1000)}" if one.state_since_ms else ""
        facts["state"] = state + since
    if one.run_number:
        facts["run"] = one.run_number
    if one.transition is not None:
        user = f", asked for by {one.transition.user}" if one.transition.user else ""
        facts["doing"] = step_line(one.transition) + user
    fault = store.fault(one.id)
    if fault is not None:
        facts["fault"] = fault_line(fault)
        facts["since"] = moment(fault.at_ms)
        for reason in explanations(f"{fault.what} {fault.cause}")[:1]:
            facts["means"] = reason.means
        if fault.hint:
            facts["next"] = fault.hint
    elif one.tasks_error:
        facts["tasks"] = f"{one.tasks_error} of {one.tasks_total} in ERROR, none of them critical"
    if not is_gone:
        facts["possible"] = ", ".join(_possible(one))
        if "next" not in facts and one.state == "ERROR":
            facts["next"] = f"env destroy {one.id}"
    return Result(facts=facts, ids=(one.id,), environment_id=one.id, state_after=one.state, run_number=one.run_number)


def _possible(one: Environment) -> tuple[str, ...]:
    """Return the names of the verbs that the environment takes now."""
    moves = {command.event: command.name for command in commands_of(LINE) if command.event}
    moves[EnvironmentEvent.DESTROY.value] = "env destroy"
    return tuple(name for event, name in moves.items() if not move_refusal(one, EnvironmentEvent(event)))


def _task(context: Context, store: Store, task: Task) -> Result:
    problem = task_problem(task)
    facts: Row = {
        "task": task.task_id,
        "class": short_class(task.name or task.class_name),
        "host": task.host,
        "environment": task.environment_id,
        "state": f"{_sign(context, task.state, critical=task.critical)} {task.state}",
        "status": task.status,
    }
    if problem:
        facts["problem"] = problem
        for reason in explanations(problem)[:1]:
            facts |= {"means": reason.means, "next": reason.next}
        effect = (
            "it is critical: its environment goes to ERROR" if task.critical else "it is not critical: the run goes on"
        )
        facts["effect"] = effect
    fault = store.fault(task.environment_id)
    if fault is not None and fault.task_id != task.task_id:
        facts["first_fault"] = fault_line(fault)
    if task.sandbox_stdout:
        facts["log"] = task.sandbox_stdout
    return Result(facts=facts, ids=(task.task_id,), environment_id=task.environment_id)


def _sign(context: Context, state: str, *, critical: bool = False) -> str:
    shown = look(state, critical=critical)
    return shown.ascii if context.ascii else shown.glyph


def _paragraph(one: Explanation) -> str:
    return f"{one.about}: {one.means}\n" + (f"  next: {one.next}\n" if one.next else "")
