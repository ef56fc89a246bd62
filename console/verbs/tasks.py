"""Verbs about tasks."""

from __future__ import annotations

from console import gates, resolve
from console.present import RANK, measured, short_class, task_problem
from console.results import Context, Result
from console.store import worst_first
from console.table import Row
from console.verbs.environments import task_row
from server.api.errors import AliecsError
from server.api.model import Task
from server.api.model_ops import TaskOutcome


async def ls(context: Context) -> Result:
    """List tasks, those in trouble first."""
    args = context.args
    store = await context.session.picture()
    environment_id = None
    if args.env and args.env != "all":
        found = await resolve.environment(context.session, args.env)
        environment_id = found.id if found else args.env
    tasks = worst_first(store.tasks(environment_id), RANK)
    if args.state:
        tasks = [task for task in tasks if task.state == args.state.upper()]
    wanted_class: str = getattr(args, "class")  # a word of Python's
    if wanted_class:
        tasks = [task for task in tasks if short_class(task.name or task.class_name) == wanted_class]
    if args.host:
        tasks = [task for task in tasks if task.host == args.host]
    return Result(
        rows=tuple(live_row(task) for task in tasks),
        data=tasks,
        columns=context.command.columns,
        ids=tuple(task.task_id for task in tasks),
        empty="no such tasks" if environment_id or args.state or wanted_class or args.host else "no tasks running",
    )


async def show(context: Context) -> Result:
    """Show all that is known of one task."""
    session = context.session
    task_id = await resolve.task_id(session, context.args.task)
    info = await session.client.task(task_id)
    summary = info.summary
    facts: Row = task_row(summary) | {
        "env": info.environment_id,
        "path": info.path,
        "command": " ".join([info.command, *info.arguments]),
        "shell": info.shell,
        "user": info.user,
        "log": summary.sandbox_stdout,
    }
    live = await _live(context, task_id)
    if live is not None:
        facts |= {"mode": live.mode, "problem": task_problem(live)}
        facts |= {"exit_code": live.exit_code, "signal": live.signal, "limits": live.limits}
        facts |= {metric.name: measured(metric) for metric in live.metrics}
    text = "".join(f"\n{label}:\n{lines}" for label, lines in (
        ("inbound channels", "".join(f"  {one.name} ({one.type})\n" for one in info.inbound)),
        ("outbound channels", "".join(f"  {one.name} ({one.type}) -> {one.target}\n" for one in info.outbound)),
        ("environment", "".join(f"  {one}\n" for one in info.environment)),
        ("properties", "".join(f"  {key}: {value}\n" for key, value in sorted(info.properties.items()))),
    ) if lines)  # fmt: skip
    facts |= {
        "inbound_channels": list(info.inbound),
        "outbound_channels": list(info.outbound),
        "properties": dict(info.properties),
    }
    return Result(facts=facts, text=text, ids=(task_id,), environment_id=info.environment_id)


async def clean(context: Context) -> Result:
    """Kill tasks that no environment holds."""
    session = context.session
    named = [await resolve.task_id(session, word) for word in context.args.tasks]
    gates.confirm(context, gates.need(context.command, context.args, names=tuple(named)))
    done = await session.client.cleanup_tasks(named)
    context.say(f"{len(done.running)} tasks running")
    return Result(
        rows=tuple(task_row(task) for task in done.killed),
        columns=("task id", "class", "host"),
        ids=tuple(task.task_id for task in done.killed),
        empty="no tasks killed",
    )


async def transition(context: Context) -> Result:
    """Send one transition to one task."""
    args = context.args
    task_id = await resolve.task_id(context.session, args.task)
    gates.confirm(context, gates.need(context.command, args, names=(task_id,)))
    arguments = resolve.variables(args.argument)
    return _outcome(await context.session.client.expert.transition(task_id, args.event.upper(), arguments))


async def kill(context: Context) -> Result:
    """Kill one task."""
    task_id = await resolve.task_id(context.session, context.args.task)
    gates.confirm(context, gates.need(context.command, context.args, names=(task_id,)))
    args = context.args
    return _outcome(await context.session.client.expert.kill(task_id, force=args.force, reason=args.reason or ""))


def _outcome(outcome: TaskOutcome) -> Result:
    facts: Row = {
        "task_id": outcome.task_id,
        "state": outcome.state,
        "status": outcome.status,
        "env": outcome.environment_id,
    }
    return Result(
        facts=facts, ids=(outcome.task_id,), environment_id=outcome.environment_id, state_after=outcome.state,
        is_step=True,
    )  # fmt: skip


def live_row(task: Task) -> Row:
    """Return a task of the live picture as one row."""
    return {
        "task_id": task.task_id,
        "class": short_class(task.name or task.class_name),
        "host": task.host,
        "env": task.environment_id,
        "state": task.state,
        "status": task.status,
        "crit": task.critical,
        "pid": task.pid or None,
        "problem": task_problem(task),
    }


async def _live(context: Context, task_id: str) -> Task | None:
    try:
        return (await context.session.picture()).task(task_id)
    except AliecsError:
        return None  # a core without a live picture still told the rest
