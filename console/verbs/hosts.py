"""Verbs about hosts and their executors, for experts. What every core tells of hosts: core.py."""

from __future__ import annotations

import time

from console import gates
from console.exit_codes import NOT_FOUND, ExitError
from console.present import age, drained, moment
from console.results import Context, Result
from console.table import Row, render_table
from server.api.model_ops import HostFacts
from server.api.replies import TaskSummary

_TASK_COLUMNS = ("task id", "class", "state", "status", "pid")


async def ls(context: Context) -> Result:
    """List the hosts."""
    known = await context.session.client.expert.hosts()
    return Result(
        rows=tuple(_row(host) for host in known),
        data=known,
        columns=context.command.columns,
        ids=tuple(host.name for host in known),
        empty="no hosts in the inventory",
    )


async def show(context: Context) -> Result:
    """Show one host and what runs there."""
    host = await find(context)
    tasks = [one for one in await context.session.client.tasks() if one.host == host.name]
    facts: Row = {
        "host": host.name,
        "address": host.address,
        "detector": host.detector,
        "cpus": _of(host.free_cpus, host.cpus),
        "memory_mb": _of(host.free_memory_mb, host.memory_mb),
        "executor": host.executor_state,
        "executor_id": host.executor_id,
        "agent_id": host.agent_id,
        "version": host.version,
        "pid": host.pid or None,
        "started": moment(host.started_ms) if host.started_ms else None,
        "envs": " ".join(host.environments),
        "tasks": host.tasks,
        "drained": drained(host.drain),
    } | {f"attribute {key}": value for key, value in sorted(host.attributes.items())}
    table = render_table(_TASK_COLUMNS, [_task_row(one) for one in tasks]) if tasks else ""
    return Result(facts=facts, data=host, text=f"\n{table}" if table else "", ids=(host.name,))


async def drain(context: Context) -> Result:
    """Place no new task on a host."""
    args = context.args
    _confirm(context)
    return _done(await context.session.client.expert.drain(args.host, args.why or args.reason or ""))


async def undrain(context: Context) -> Result:
    """Let tasks be placed on a host again."""
    _confirm(context)
    return _done(await context.session.client.expert.undrain(context.args.host))


async def restart(context: Context) -> Result:
    """Restart the executor of a host."""
    args = context.args
    _confirm(context)
    host = await context.session.client.expert.restart(args.host, force=args.force, reason=args.reason or "")
    if host.executor_state == "NONE":
        context.say("the executor has ended; the next task that is placed there starts a new one")
    return _done(host)


def _confirm(context: Context) -> None:
    gates.confirm(context, gates.need(context.command, context.args))


def _done(host: HostFacts) -> Result:
    facts: Row = {
        "host": host.name,
        "executor": host.executor_state,
        "pid": host.pid or None,
        "tasks": host.tasks,
        "drained": drained(host.drain),
    }
    return Result(facts=facts, data=host, ids=(host.name,), state_after=host.executor_state, is_step=True)


async def find(context: Context) -> HostFacts:
    """Return the host that the arguments name.

    Raises:
        ExitError: NOT_FOUND.
    """
    name = context.args.host
    for host in await context.session.client.expert.hosts():
        if host.name == name:
            return host
    raise ExitError(NOT_FOUND, f"no host {name}", hint="host ls lists them")


def _row(host: HostFacts) -> Row:
    return {
        "host": host.name,
        "executor": host.executor_state,
        "version": host.version,
        "up": age(time.time() - host.started_ms / 1000) if host.started_ms else None,
        "tasks": host.tasks,
        "free_cpus": _of(host.free_cpus, host.cpus),
        "free_memory": _of(host.free_memory_mb, host.memory_mb, " MB"),
        "detector": host.detector,
        "envs": " ".join(host.environments),
        "drained": drained(host.drain),
    }


def _of(free: float | None, total: float, unit: str = "") -> str:
    return f"{'?' if free is None else f'{free:.10g}'} of {total:.10g}{unit}"


def _task_row(task: TaskSummary) -> Row:
    return {
        "task_id": task.task_id,
        "class": task.short_name,
        "state": task.state,
        "status": task.status,
        "pid": task.pid,
    }
