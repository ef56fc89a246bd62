"""Verbs that look at environments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console import resolve
from console.present import fault_line, moment
from console.results import Context, Result
from console.table import Row, render_table
from console.verbs.roles import render_tree
from server.api.errors import AliecsError

if TYPE_CHECKING:
    from server.api.model import Fault
    from server.api.replies import EnvironmentInfo, TaskSummary

TASK_COLUMNS = ("task id", "class", "host", "crit", "status", "state", "pid")


async def ls(context: Context) -> Result:
    """List the environments, oldest first."""
    known = await context.session.client.environments()
    return Result(
        rows=tuple(row(one) for one in known),
        data=known,
        columns=context.command.columns,
        ids=tuple(one.id for one in known),
        empty="no environments running",
    )


async def show(context: Context) -> Result:
    """Show one environment; its first fault too when it is in ERROR."""
    args, client = context.args, context.session.client
    found = await resolve.environment(context.session, args.env)
    details = await client.environment(found.id if found else args.env, workflow=args.workflow)
    info = details.environment
    facts: Row = row(info) | {"description": info.description, "public": details.public, "FLPs": info.flps}
    fault = await first_fault(context, info.id) if info.state == "ERROR" else None
    if fault is not None:
        facts |= {"fault": fault_line(fault), "next": fault.hint}
    text = ""
    if args.vars:
        layers = {"global defaults": info.defaults, "global variables": info.vars, "user variables": info.user_vars}
        for label, values in layers.items():
            text += f"\n{label}:\n" + "".join(
                f"  {key}: {value or '<empty>'}\n" for key, value in sorted(values.items())
            )
    if args.services:
        text += "\nintegrated services:\n" + "".join(
            f"  {key}: {value}\n" for key, value in sorted(info.services.items())
        )
    if args.tasks:
        rows = [task_row(one) for one in info.tasks]
        text += "\n" + (render_table(TASK_COLUMNS, rows, colour=context.colour) if rows else "no tasks\n")
    if args.workflow and details.workflow is not None:
        text += "\n" + render_tree(details.workflow, ascii=context.ascii)
    return Result(
        facts=facts,
        data=info._asdict() | {"public": details.public, "fault": fault, "workflow": details.workflow},
        text=text,
        ids=(info.id,),
        environment_id=info.id,
        state_after=info.state,
        run_number=info.run_number,
    )


def row(info: EnvironmentInfo) -> Row:
    """Return an environment as one row."""
    return {
        "id": info.id,
        "template": info.template,
        "state": info.state,
        "run": info.run_number or None,
        "detectors": info.detectors,
        "hosts": info.hosts,
        "tasks": f"{info.tasks_active}/{info.tasks_total}",
        "created": moment(info.created_ms),
        "transition": info.transition,
    }


def task_row(task: TaskSummary) -> Row:
    """Return a task as one row."""
    return {
        "task_id": task.task_id,
        "class": task.short_name,
        "class_name": task.class_name,
        "host": task.host,
        "crit": task.critical,
        "status": task.status,
        "state": task.state,
        "pid": task.pid,
        "locked": task.locked,
        "claimable": task.claimable,
    }


async def first_fault(context: Context, environment_id: str) -> Fault | None:
    """Return the first fault of an environment, None if the core tells none."""
    try:
        return (await context.session.picture()).fault(environment_id)
    except AliecsError:
        return None  # a core without a live picture: the state stands in its reply all the same
