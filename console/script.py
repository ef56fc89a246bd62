"""Runs scripts: steps in order, a cleanup block that always runs, one exit code (clients.md 5.12).

The grammar: script_lines.py. What is said about each step: script_report.py. Running nothing: script_plan.py.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from console import table
from console.command import SCRIPT, Command
from console.execute import open_session, say, verb_of
from console.exit_codes import (
    FAILED,
    INTERRUPTED,
    NOT_FOUND,
    NOT_MET,
    OUTCOME_UNKNOWN,
    PARTIAL,
    TERMINATED,
    ExitError,
    exit_code,
    explain,
    usage,
)
from console.output import write
from console.parse import duration, inherit, parse
from console.present import fault_line
from console.results import Context, Result, render
from console.script_check import check
from console.script_lines import Script, Step, Unset, insert, read
from console.script_report import Outcome, Report
from console.session import Session
from console.settings import Settings
from server.api.errors import AliecsError

if TYPE_CHECKING:
    from server.api.model import Environment

RETRY_PAUSE_S = 1.0
"""Between attempts of ``retry``, unless something changes before."""


def run_script(options: argparse.Namespace, settings: Settings) -> int:
    """Run ``--script`` or ``-c`` of the command line and return the exit code."""
    variables = variables_of(options.var)
    script = read(*_source(options))
    if options.on_error:
        script = Script(name=script.name, steps=script.steps, cleanup=script.cleanup, on_error=options.on_error)
    check(script, variables)
    if options.check:
        say(f"{script.name}: {len(script.steps) + len(script.cleanup)} commands, nothing wrong")
        return 0
    return asyncio.run(_connect_and_run(script, variables, options, settings))


async def _connect_and_run(
    script: Script, variables: dict[str, str], options: argparse.Namespace, settings: Settings
) -> int:
    try:
        session = await open_session(settings, read_only=options.dry_run)
    except AliecsError as error:
        say(explain(error))
        return exit_code(error)
    async with session:
        if options.dry_run:
            from console.script_plan import plan  # only here

            return await plan(script, variables, session, options)
        return await Runner(script, variables, session, options, settings).run()


class Runner:
    """Runs one script once."""

    def __init__(
        self,
        script: Script,
        variables: dict[str, str],
        session: Session,
        options: argparse.Namespace,
        settings: Settings,
    ) -> None:
        self._script = script
        self._variables = variables
        self._session = session
        self._options = options
        self._settings = settings
        self._report = Report(settings.output, colour=table.has_colour(sys.stdout, no_color=settings.no_color))
        self._own: set[str] = set()
        """Environments that this script made."""
        self._gone: set[str] = set()
        """Environments that this script destroyed."""
        self._current = ""
        """Environment that the last step was about."""
        self._ended_by = 0
        self._work: asyncio.Task[int] | None = None
        self._is_cleaning = False

    async def run(self) -> int:
        """Run the script and listen to signals; see ``go``."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self.stop, INTERRUPTED)
        loop.add_signal_handler(signal.SIGTERM, self.stop, TERMINATED)
        return await self.go()

    def stop(self, code: int) -> None:
        """Interrupt the steps, so that the cleanup block runs; a second time, interrupt that too."""
        self._ended_by = self._ended_by or code
        say("stopping; the cleanup block runs" if self._script.cleanup and not self._is_cleaning else "stopping")
        if self._work is not None:
            self._work.cancel()

    async def go(self) -> int:
        """Run the steps, then the cleanup block, and return the exit code."""
        code, note, cleanup = 0, "", "none"
        self._work = asyncio.ensure_future(self._steps(self._script.steps))
        try:
            async with asyncio.timeout(self._options.deadline):
                code = await self._work
        except TimeoutError:
            code, note = OUTCOME_UNKNOWN, f"the script's deadline of {self._options.deadline:g} s is over"
        except asyncio.CancelledError:
            if not self._ended_by:
                raise
            note = "interrupted"
        if self._script.cleanup:
            self._is_cleaning = True
            self._work = asyncio.ensure_future(self._steps(self._script.cleanup, is_cleanup=True))
            try:
                cleanup_code = await self._work
                cleanup = "failed" if cleanup_code else "ran"
                code = code or cleanup_code
            except asyncio.CancelledError:
                if not self._ended_by:
                    raise
                cleanup = "failed"
        code = self._ended_by or code
        self._report.finish(code, cleanup=cleanup, note=note)
        return code

    async def _steps(self, steps: Iterable[Step], *, is_cleanup: bool = False) -> int:
        """Run steps in order; return the code of the first that failed, PARTIAL if others went on after it."""
        first_failure = 0
        for step in steps:
            code = await self._attempt(step, is_cleanup=is_cleanup)
            if code and not is_cleanup and self._script.on_error != "continue":
                return code
            first_failure = first_failure or code
        return PARTIAL if first_failure and not is_cleanup else first_failure

    async def _attempt(self, step: Step, *, is_cleanup: bool) -> int:
        """Run one step as often as it says, and report the last attempt; return its code."""
        outcome = await self._run(step, is_cleanup=is_cleanup)
        for _ in range(1, step.attempts):
            if outcome is None or outcome.code == 0:
                break
            await self._pause()
            outcome = await self._run(step, is_cleanup=is_cleanup)
        if outcome is None:
            return 0
        self._report.add(outcome)
        return outcome.code

    async def _pause(self) -> None:
        """Return when something changed, or a little later."""
        store = self._session.store
        version = store.version
        await self._session.until(lambda: store.version != version, RETRY_PAUSE_S)

    async def _run(self, step: Step, *, is_cleanup: bool) -> Outcome | None:
        """Run one step once; None if there is nothing to clean up."""
        started = time.monotonic()
        try:
            words = tuple(insert(word, self._variables) for word in step.words)
        except Unset as unset:
            if is_cleanup:
                return None  # what it would clean up never came to be
            outcome = Outcome(step=step, name=step.words[0], words=step.words)
            outcome.error = usage(f"${unset.args[0]} has no value")
            outcome.code = exit_code(outcome.error)
            return outcome
        if is_cleanup and self._gone.intersection(words):
            return None
        outcome = Outcome(step=step, name=_name(words), words=words)
        try:
            outcome.result = await self._do(step, words, outcome)
            outcome.code = outcome.result.code
        except AliecsError as error:
            outcome.error, outcome.code = error, exit_code(error)
            if is_cleanup and outcome.code == NOT_FOUND:
                return None
        outcome.duration_s = time.monotonic() - started
        result = outcome.result
        if result is not None and result.environment_id:
            self._current = result.environment_id
        if self._current and not (result and result.is_step and not result.environment_id):  # a step on a host, say
            outcome.environment = self._session.store.last_seen(self._current)
        return outcome

    async def _do(self, step: Step, words: tuple[str, ...], outcome: Outcome) -> Result:
        if words[0] == "expect":
            return await self._expect(words[1])
        if words[0] == "sleep":
            return await self._sleep(words)
        command, args = parse(list(words), SCRIPT)
        outcome.name = command.name.removeprefix("env ")
        outcome.output = args.output or ""
        inherit(args, self._options)
        if hasattr(args, "timeout") and args.timeout is None:
            args.timeout = self._options.timeout
        context = self._context(command, args, outcome)
        try:
            result = await verb_of(command)(context)
        finally:
            if context.unfinished and step.capture:
                # It was made, though nobody could tell us: the cleanup block must be able to name it.
                self._variables[step.capture] = context.unfinished
                self._own.add(context.unfinished)
        if command.rpc == "NewEnvironment":
            self._own.add(result.environment_id)
        if command.rpc == "DestroyEnvironment":
            self._gone.add(result.environment_id)
        if step.capture and not result.code:
            self._variables[step.capture] = render(result, args.output or "id").strip()
        return result

    def _context(self, command: Command, args: argparse.Namespace, outcome: Outcome) -> Context:
        return Context(
            session=self._session,
            command=command,
            args=args,
            emit=write,
            say=say,
            output=outcome.output or "table",
            is_gated=True,
            own=self._own,
            ascii=self._settings.ascii,
            wait_s=self._settings.wait_s,
        )

    async def _expect(self, text: str) -> Result:
        from console.expressions import evaluate  # as in the check
        from server.api.model import Environment

        store = await self._session.picture()
        environment = store.last_seen(self._current)
        outcome = evaluate(text, environment or Environment(id=""))
        if environment is None and outcome.facts:
            raise usage(f"expect {text}: no environment yet", hint="it is about the one of the command before it")
        environment_id = environment.id if environment is not None else ""
        if outcome.holds:
            return Result(environment_id=environment_id, is_step=True)
        found = ", ".join(f"{name} is {value if isinstance(value, str) else f'{value:g}'}"
                          for name, value in outcome.facts.items())  # fmt: skip
        problem = f"expected {text}{f'; {found}' if found else ''}"
        fault = store.fault(environment_id)
        if fault is not None:
            problem += f"\n  first: {fault_line(fault)}"
        return Result(environment_id=environment_id, is_step=True, code=NOT_MET, problem=problem)

    async def _sleep(self, words: tuple[str, ...]) -> Result:
        """Let the run last; an environment that goes to ERROR meanwhile ends it."""
        seconds = duration(words[1])
        named = words[2] if len(words) > 2 else self._current
        store = self._session.store
        before = store.environment(named)
        was_healthy = before is not None and before.state != "ERROR"

        def has_failed() -> bool:
            now = store.environment(named)
            return was_healthy and now is not None and now.state == "ERROR"

        if not await self._session.until(has_failed, seconds):
            return Result(environment_id=named, is_step=True)
        await self._session.settle(lambda: store.fault(named) is not None)
        fault = store.fault(named)
        problem = f"{named} went to ERROR" + (f"\n  first: {fault_line(fault)}" if fault else "")
        return Result(
            environment_id=named,
            is_step=True,
            code=FAILED,
            problem=problem,
            facts={"fault": fault},
            state_before=_state(before),
            state_after="ERROR",
        )


def _state(environment: Environment | None) -> str:
    return environment.state if environment else ""


def _name(words: tuple[str, ...]) -> str:
    if words[0] == "expect":
        return "expect"
    return " ".join(words[:2])


def _source(options: argparse.Namespace) -> tuple[str, str]:
    """Return text and name of the script."""
    if options.commands:
        return options.commands, "-c"
    if options.script == "-":
        return sys.stdin.read(), "stdin"
    try:
        with open(options.script, encoding="utf-8") as file:
            return file.read(), options.script
    except (OSError, UnicodeDecodeError) as error:
        raise usage(f"{options.script}: {error.strerror if isinstance(error, OSError) else error}") from None


def variables_of(items: list[str]) -> dict[str, str]:
    """Return the variables that ``--var NAME=VALUE`` gives; ExitError for what is none."""
    found = {}
    for item in items:
        name, sign, value = item.partition("=")
        if not sign or not name.isidentifier():
            raise ExitError(2, f"--var {item!r}", hint="--var NAME=VALUE")
        found[name] = value
    return found
