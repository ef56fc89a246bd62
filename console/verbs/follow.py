"""Verbs that follow environments: wait and watch."""

from __future__ import annotations

from console import resolve
from console.exit_codes import FAILED, NOT_FOUND, NOT_MET, ExitError
from console.happenings import event_line
from console.present import clock, fault_line, rate, run_number, size, state_code
from console.progress import progress
from console.results import Context, Result
from console.store import Key
from console.table import render_line
from server.api.model import Environment, EnvironmentEvent, Event, Kind


async def wait(context: Context) -> Result:
    """Wait until an environment is in one of the named states and no transition runs."""
    args, session = context.args, context.session
    wanted = resolve.states(args.state)
    found = await resolve.environment(session, args.env)
    environment_id = found.id if found else args.env
    store = await session.picture()
    timeout_s = context.wait_s if args.timeout is None else args.timeout

    def state() -> str:
        one = store.environment(environment_id)
        if one is None:
            return "DONE" if store.last_seen(environment_id) else ""
        return "" if one.transition else one.state

    def is_over() -> bool:
        return state() in (wanted | {"DONE", "ERROR"}) or bool(_creation_error(context, environment_id))

    if found is None and not await session.settle(lambda: store.last_seen(environment_id) is not None or is_over()):
        raise ExitError(NOT_FOUND, f"no environment {environment_id}", hint="env ls lists them")
    with progress(context, lambda: store.environment(environment_id)):
        in_time = await session.until(is_over, timeout_s)
    reached = state()
    last = store.last_seen(environment_id)
    run = last.run_number if last else 0
    facts = {"id": environment_id, "state": reached or (last.state if last else ""), "run": run or None}
    code, problem = 0, ""
    if reached not in wanted:
        names = " or ".join(sorted(wanted))
        fault = store.fault(environment_id)
        error = _creation_error(context, environment_id)
        if not in_time:
            code, problem = NOT_MET, f"{environment_id} is {facts['state']}, not {names}, after {timeout_s:g} s"
        elif reached == "ERROR" or error:
            code, problem = FAILED, f"{environment_id} went to ERROR while waiting for {names}"
            problem += f"\n  first: {fault_line(fault)}" if fault else f"\n  first: {error}" if error else ""
        else:
            code, problem = NOT_MET, f"{environment_id} is gone; it will not be {names}"
    return Result(
        facts=facts,
        ids=(environment_id,),
        code=code,
        problem=problem,
        environment_id=environment_id,
        state_before=found.state if found else "",
        state_after=str(facts["state"]),
        run_number=run,
        is_step=True,
    )


async def watch(context: Context) -> Result:
    """Write a line for each change, until the environment is gone, the time is over, or a signal comes."""
    args, session = context.args, context.session
    only = ""
    if args.env and args.env != "all":
        found = await resolve.environment(session, args.env)
        if found is None:
            raise ExitError(NOT_FOUND, f"no environment {args.env}", hint="env ls lists them")
        only = found.id
    store = await session.picture()
    watcher = Watcher(context, only)
    with session.listening(watcher.on_change):
        watcher.on_change({(Kind.ENVIRONMENT, one.id) for one in store.environments()})
        await session.until(lambda: bool(only) and store.environment(only) is None, args.timeout)
    return Result(rows=())


class Watcher:
    """Writes what changed; a reader that is slow slows this process only."""

    def __init__(self, context: Context, only: str) -> None:
        self._context = context
        self._store = context.session.store
        self._only = only
        self._shown: dict[str, str] = {}
        self._link = self._store.link
        self._seen = self._store.events[-1] if self._store.events else None

    def on_change(self, changed: set[Key]) -> None:
        store, only = self._store, self._only
        if store.link is not self._link:
            self._link = store.link
            problem = f": {store.problem}" if store.problem else ""
            self._context.say(f"link to {self._context.session.client.endpoint} {store.link.value}{problem}")
        if self._context.args.events:
            self._tell_events()
        for kind, name in sorted(changed):
            if only and name != only:
                continue
            if kind is Kind.ENVIRONMENT:
                self._tell_environment(name)
            elif kind is Kind.FAULT and (fault := store.fault(name)):
                self._write(f"{name}  {fault_line(fault)}", fault)

    def _tell_environment(self, name: str) -> None:
        environment = self._store.environment(name)
        line = f"{name}  gone" if environment is None else _line(environment, ascii=self._context.ascii)
        if self._shown.get(name) != line:
            self._shown[name] = line
            gone = {"id": name, "state": "DONE"}
            self._write(f"{clock(self._store.changed_ms)}  {line}", gone if environment is None else environment)

    def _tell_events(self) -> None:
        news: list[Event] = []
        for event in reversed(self._store.events):
            if event is self._seen:
                break
            news.append(event)
        self._seen = self._store.events[-1] if self._store.events else None
        for event in reversed(news):
            if not self._only or getattr(event, "environment_id", "") == self._only:
                self._write(event_line(event), event)

    def _write(self, line: str, value: object) -> None:
        is_json = self._context.output in ("json", "ndjson")
        self._context.emit(render_line(value) if is_json else f"{line}\n")


def _line(environment: Environment, *, ascii: bool) -> str:
    tasks = f"{environment.tasks_ok}/{environment.tasks_total} tasks"
    parts = [
        environment.id,
        f"{state_code(environment, ascii=ascii):12}",
        f"run {run_number(environment.run_number):>8}",
        tasks,
    ]
    if environment.state == "RUNNING":
        parts += [rate(environment.bytes_per_s), size(environment.bytes_moved)]
    if environment.transition is not None:
        parts.append(environment.transition.step)
    return "  ".join(parts).rstrip()


def _creation_error(context: Context, environment_id: str) -> str:
    """Return why the creation of an environment failed, "" if it did not; such an environment is never in the picture long."""
    for event in reversed(context.session.store.events):
        if isinstance(event, EnvironmentEvent) and event.environment_id == environment_id and event.error:
            if event.transition == "CREATE" or event.message.startswith("cannot create"):
                return event.error
    return ""
