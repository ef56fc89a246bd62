"""Verbs that change an environment: create, the transitions, destroy. Success is the state reached, not the reply."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable
from typing import TypeVar

from console import gates, resolve
from console.exit_codes import FAILED, NOT_NOW, OK, ExitError
from console.happenings import event_line
from console.present import fault_line
from console.progress import progress
from console.results import Context, Result
from console.table import Row
from console.verbs.environments import first_fault
from console.verbs.plan import asked
from server.api.errors import CoreError, DeadlineError
from server.api.model import Environment, EnvironmentEvent
from server.api.replies import EnvironmentInfo
from server.api.states import MOVES, refusal
from server.api.states import EnvironmentEvent as Transition

_T = TypeVar("_T")


async def create(context: Context) -> Result:
    """Create an environment; returns when it is CONFIGURED."""
    args, session = context.args, context.session
    template, variables = asked(context)
    gates.confirm(context, gates.need(context.command, args))
    public = args.public == "true"
    if args.asynchronous:
        info = await session.client.create_async(template, variables, public=public)
        return _created(info, started=time.monotonic())
    if args.auto:
        return await _run_automatic(context, template, variables)
    store = await session.picture()
    before = {one.id for one in store.environments()}
    started = time.monotonic()

    def ours() -> Environment | None:
        mine = [one for one in store.environments() if one.id not in before and one.owner.name == session.client.user]
        return mine[-1] if mine else None

    try:
        with progress(context, ours):
            info = await _in_time(context, session.client.create(template, variables, public=public), "env create")
    except (asyncio.CancelledError, DeadlineError):
        if (begun := ours()) is not None:
            context.unfinished = begun.id  # the core goes on with it
        raise
    await session.settle(lambda: _shows(store.environment(info.id), info.state))
    if info.state == "ERROR":
        return await _failed(context, _created(info, started=started), "creation")
    return _created(info, started=started)


async def control(context: Context) -> Result:
    """Run one transition and compare the state reached with the one it leads to."""
    args, session = context.args, context.session
    event = Transition(context.command.event or resolve.event_of(args.event))
    info = await resolve.environment(session, args.env)
    environment_id = info.id if info else args.env
    if info is not None and (why_not := refusal(event, info.state, info.transition)):
        # A stock core drives an environment to ERROR that is asked for something at the wrong time (core.md 1.7).
        raise ExitError(NOT_NOW, f"{environment_id}: {why_not}", hint=f"aliecs env show {environment_id}")
    needed = gates.need(context.command, args, info, own=environment_id in context.own)
    gates.confirm(context, needed)
    session.follow()
    store = session.store
    started = time.monotonic()
    with progress(context, lambda: store.environment(environment_id)):
        reply = await _in_time(context, session.client.control(environment_id, event), needed.what)
    run = reply.run_number or (info.run_number if info else 0)
    facts: Row = {
        "id": environment_id,
        "event": event.value,
        "state": reply.state,
        "run": run or None,
        "started_ms": reply.started_ms,
        "ended_ms": reply.ended_ms,
        "duration_s": round(time.monotonic() - started, 3),
    }
    result = Result(
        facts=facts,
        ids=(environment_id,),
        environment_id=environment_id,
        state_before=info.state if info else "",
        state_after=reply.state,
        run_number=run,
        is_step=True,
    )
    if reply.state not in {to.value for moved, _, to in MOVES if moved is event}:
        return await _failed(context, result, event.value)
    await session.settle(lambda: _shows(store.environment(environment_id), reply.state))
    return result


async def destroy(context: Context) -> Result:
    """Destroy an environment. One with a run on is refused without -a or --force (the core would destroy it)."""
    args, session = context.args, context.session
    info = await resolve.environment(session, args.env)
    environment_id = info.id if info else args.env
    own = environment_id in context.own
    allow_running = args.allow_in_running_state or own  # a script may end what it began
    gates.check_running(args, info, may_end_run=own)
    needed = gates.need(context.command, args, info, own=own)
    gates.confirm(context, needed)
    session.follow()
    store = session.store
    started = time.monotonic()
    with progress(context, lambda: store.environment(environment_id)):
        done = await _in_time(
            context,
            session.client.destroy(
                environment_id,
                keep_tasks=args.keep_tasks,
                allow_running=allow_running,
                force=args.force,
            ),
            needed.what,
        )
    await session.settle(lambda: store.environment(environment_id) is None)
    facts: Row = {
        "id": environment_id,
        "state": "DONE",
        "tasks_killed": len(done.killed),
        "tasks_running": len(done.running),
        "duration_s": round(time.monotonic() - started, 3),
    }
    return Result(
        facts=facts,
        ids=(environment_id,),
        environment_id=environment_id,
        state_before=info.state if info else "",
        state_after="DONE",
        is_step=True,
    )


async def _run_automatic(context: Context, template: str, variables: dict[str, str]) -> Result:
    """Follow an environment that runs by itself to its end."""
    feed = secrets.token_hex(8)
    client = context.session.client
    await client.create_auto(template, variables, feed)
    state = problem = environment_id = ""
    run = 0
    async for event in client.subscribe(feed):
        context.emit(event_line(event) + "\n")
        if isinstance(event, EnvironmentEvent):
            environment_id = event.environment_id or environment_id
            run = event.run_number or run
            if event.state == "ERROR" or event.error:
                problem = event.error or event.message or "the environment went to ERROR"
            state = event.state or state
    return Result(
        code=FAILED if problem else OK,
        problem=problem,
        environment_id=environment_id,
        state_after=state,
        run_number=run,
        is_step=True,
    )


def _created(info: EnvironmentInfo, *, started: float) -> Result:
    facts: Row = {
        "id": info.id,
        "template": info.template,
        "description": info.description,
        "state": info.state,
        "tasks": f"{info.tasks_active}/{info.tasks_total}",
        "hosts": info.hosts,
        "detectors": info.detectors,
        "duration_s": round(time.monotonic() - started, 3),
        "user_vars": dict(info.user_vars),
    }
    return Result(facts=facts, ids=(info.id,), environment_id=info.id, state_after=info.state, is_step=True)


async def _failed(context: Context, result: Result, what: str) -> Result:
    """Return the result of a transition that ended somewhere else, with the first fault as its reason."""
    store = context.session.store
    await context.session.settle(lambda: _shows(store.environment(result.environment_id), result.state_after))
    fault = await first_fault(context, result.environment_id)
    lines = [f"{what} of {result.environment_id} failed: the environment is in {result.state_after}"]
    facts = dict(result.facts or {})
    if fault is not None:
        lines.append(f"  first:  {fault_line(fault)}")
        if fault.hint:
            lines.append(f"  next:  {fault.hint}")
        facts["fault"] = fault
    return Result(
        facts=facts,
        ids=result.ids,
        code=FAILED,
        problem="\n".join(lines),
        environment_id=result.environment_id,
        state_before=result.state_before,
        state_after=result.state_after,
        run_number=result.run_number,
        is_step=True,
    )


async def _in_time(context: Context, work: Awaitable[_T], what: str) -> _T:
    """Await a request; after ``--timeout`` its outcome is unknown, for the core goes on."""
    timeout_s = context.args.timeout
    try:
        async with asyncio.timeout(timeout_s):
            return await work
    except TimeoutError:
        raise DeadlineError(
            f"{what}: not done within {timeout_s:g} s, the outcome is unknown", hint="the core goes on: aliecs env ls"
        ) from None
    except CoreError as error:
        raise _with_fault(context, error) from None


def _with_fault(context: Context, error: CoreError) -> CoreError:
    """Add the first fault to an error that does not name the task or host where it began."""
    fault = context.session.store.fault(error.where.get("environment", ""))
    if fault is None or fault.what in error.message or "task" in error.where:
        return error
    where = error.where | {"task": fault.task, "host": fault.host}
    message = f"{error.message}: {fault_line(fault)}"
    return CoreError(error.reason, message, hint=error.hint or fault.hint, code=error.code, **where)


def _shows(environment: Environment | None, state: str) -> bool:
    """Say whether the picture shows the state at rest; a state that passed already is enough to go on."""
    return environment is not None and environment.state == state and environment.transition is None
