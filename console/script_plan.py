"""Says what a script would do, ``--dry-run``: against a core, with a client that cannot write."""

from __future__ import annotations

import argparse

from console import gates, resolve
from console.command import SCRIPT, Command
from console.execute import say, show, verb_of
from console.exit_codes import NOT_NOW, ExitError, exit_code, explain
from console.output import write
from console.parse import inherit, parse
from console.results import Context
from console.script_check import PLANNED
from console.script_lines import Script, Step, insert
from console.session import Session
from server.api.errors import AliecsError
from server.api.model import Environment
from server.api.states import EnvironmentEvent, EnvironmentState, destination, refusal


async def plan(script: Script, variables: dict[str, str], session: Session, options: argparse.Namespace) -> int:
    """Say what each step would do, checking what can be checked; nothing is changed. Return the first problem's code."""
    planner = _Planner(dict(variables), session, options)
    first = 0
    for step in (*script.steps, *script.cleanup):
        try:
            await planner.step(step)
        except AliecsError as error:
            first = first or exit_code(error)
            write(f"{step.line:4}  {step.text}\n      PROBLEM: {indented(explain(error))}\n")
    return first


def indented(text: str) -> str:
    """Return the lines after the first below it."""
    return text.replace("\n", "\n      ")


class _Planner:
    def __init__(self, variables: dict[str, str], session: Session, options: argparse.Namespace) -> None:
        self._variables = variables
        self._session = session
        self._options = options
        self._assumed: dict[str, EnvironmentState] = {}
        """States that the environments would have by now."""
        self._count = 0

    async def step(self, step: Step) -> None:
        words = [insert(word, self._variables) for word in step.words]
        if words[0] in ("expect", "sleep"):
            write(f"{step.line:4}  {step.text}\n      would wait and look\n")
            return
        command, args = parse(words, SCRIPT)
        inherit(args, self._options)
        context = Context(
            session=self._session,
            command=command,
            args=args,
            emit=write,
            say=say,
            is_gated=True,
            own=set(self._assumed),
            output=args.output or "table",
        )
        if command.rpc:
            what = await self._write(context, command)
        elif getattr(args, "env", "") in self._assumed or command.name in ("env wait", "env watch", "task tail"):
            what = "would wait and look"
        else:
            write(f"{step.line:4}  {step.text}\n")
            show(await verb_of(command)(context), context.output)
            return
        if step.capture:
            self._variables[step.capture] = f"{PLANNED}-{self._count}"
        write(f"{step.line:4}  {step.text}\n      {what}\n")

    async def _write(self, context: Context, command: Command) -> str:
        args = context.args
        if command.name == "env create":
            gates.confirm(context, gates.need(command, args))
            self._count += 1
            self._assumed[f"{PLANNED}-{self._count}"] = EnvironmentState.CONFIGURED
            variables = resolve.variables(args.extra_vars)
            named = ", ".join(f"{key}={value}" for key, value in variables.items()) or "no variables"
            return f"would call NewEnvironment({args.workflow_template or args.template}; {named})"
        if not hasattr(args, "env"):
            gates.confirm(context, gates.need(command, args))
            return f"would call {command.rpc}"
        name, state, run = args.env, self._assumed.get(args.env), 0
        if state is None:
            info = await resolve.environment(self._session, args.env)
            if info is None:
                raise ExitError(5, f"no environment {args.env}", hint="env ls lists them")
            name, state, run = info.id, EnvironmentState(info.state), info.run_number
            if info.transition:
                raise ExitError(NOT_NOW, f"{name}: {info.transition} is in progress")
        if state is EnvironmentState.DONE:
            return f"nothing to do, {name} is gone by then"
        needed = gates.need(
            command, args, Environment(id=name, state=state.value, run_number=run), own=name in context.own
        )
        if command.name == "env destroy":
            gates.confirm(context, needed)
            self._assumed[name] = EnvironmentState.DONE
            return f"would call DestroyEnvironment({name}), now {state.value}"
        event = EnvironmentEvent(command.event or resolve.event_of(args.event))
        why_not = refusal(event, state)
        if why_not:
            raise ExitError(NOT_NOW, f"{name}: {why_not}")
        gates.confirm(context, needed)
        to = destination(event, state)
        assert to is not None, "not refused, so it leads somewhere"
        self._assumed[name] = to
        return f"would call ControlEnvironment({name}, {event.value}), {state.value} to {to.value}"
