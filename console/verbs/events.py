"""Verbs about what happened: the last events, and events as they come."""

from __future__ import annotations

from collections.abc import Callable

from console import resolve
from console.exit_codes import NOT_FOUND, ExitError, usage
from console.happenings import KINDS, environment_of, event_line, event_text, is_bad
from console.present import clock
from console.results import Context, Result
from console.table import clean, render_line
from server.api.model import Batch, Event


async def events(context: Context) -> Result:
    """Show the last events, the newest last."""
    count = context.args.count
    if not count.isdigit():
        raise usage(f"--count {count}: not a number")
    concerns = await _concerns(context)
    store = await context.session.picture()
    last = [event for event in store.events if concerns(event)]
    last = last[max(0, len(last) - int(count)) :]
    return Result(
        rows=tuple(
            {
                "time": clock(event.at_ms),
                "kind": KINDS[type(event)],
                "env": environment_of(event),
                "event": event_text(event),
            }
            for event in last
        ),
        data=last,
        columns=context.command.columns,
        ids=tuple(environment_of(event) for event in last),
        empty="no events",
    )


async def tail(context: Context) -> Result:
    """Write each event when it comes, until the time is over or a signal comes."""
    concerns = await _concerns(context)
    is_json = context.output in ("json", "ndjson")

    def take(batch: Batch) -> None:
        if batch.part:
            return  # a picture after a lost link: what happened meanwhile is not news in order
        for change in batch.changes:
            if isinstance(change.value, Event) and concerns(change.value):
                context.emit(render_line(change.value) if is_json else f"{clean(event_line(change.value))}\n")

    with context.session.tap(take):
        await context.session.picture()
        await context.session.until(lambda: False, context.args.timeout)
    return Result()


async def _concerns(context: Context) -> Callable[[Event], bool]:
    """Return what says whether an event was asked for."""
    args, only = context.args, ""
    if args.env and args.env != "all":
        found = await resolve.environment(context.session, args.env)
        if found is None:
            raise ExitError(NOT_FOUND, f"no environment {args.env}", hint="env ls lists them")
        only = found.id

    def concerns(event: Event) -> bool:
        if only and environment_of(event) != only:
            return False
        return not args.errors or is_bad(event)

    return concerns
