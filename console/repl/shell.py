"""The prompt without a terminal: runs lines, keeps what is in use, and does what verbs ask of a seat (seat.py).

Who reads the lines: person.py from a terminal, stream.py from a pipe.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from console import pipes, resolve, table, themes
from console.command import REPL, Command
from console.execute import say, show, verb_of
from console.exit_codes import INTERRUPTED, NOT_FOUND, ExitError, exit_code, explain, usage
from console.output import write
from console.parse import FORMATS, HelpAsked, inherit, parse
from console.repl import ask
from console.repl.jobs import Jobs
from console.repl.lines import Call, read
from console.results import Context, Result, render
from console.safety import Arming
from console.script_lines import Unset, insert
from console.seat import Job, Setting
from console.session import Session
from console.settings import Settings
from server.api.errors import AliecsError

if TYPE_CHECKING:
    from console.script import Runner

LEVELS = ("error", "all", "none")
EDITING = ("emacs", "vi")
LINES_KEPT = 1000

STREAMS = ("env watch", "tail", "task tail")
"""Verbs that write lines as they come."""

Open = Callable[[str], Session]
"""Makes a session with a core, which need not answer yet."""


class Shell:
    """Runs lines one after the other on one session.

    Args:
        session: of the core to begin with; the shell closes it.
        open_session: for ``connect``.
        given: options of the command line that every line has too: yes, confirm, reason ...
        asker: puts questions to a person, who has to arm; None if nobody sits here, then lines bring their confirmation.
        apply: called when a setting changes; raises ExitError (USAGE) if it cannot be.
    """

    def __init__(
        self,
        session: Session,
        settings: Settings,
        given: argparse.Namespace,
        *,
        open_session: Open,
        asker: ask.Asker | None = None,
        apply: Callable[[str, str], None] | None = None,
    ) -> None:
        self.session = session
        self.in_use = ""
        self.arming = Arming(settings.arm_s)
        self.last_error = ""
        self.last_code = 0
        self.is_over = False
        self.doing = ""
        """What the core does for the line that runs, in words; "" if it would not notice an interruption."""
        self._settings = settings
        # Which core and which format are the shell's own to say.
        self._given = argparse.Namespace(**vars(given) | {"endpoint": "", "output": ""})
        self._open_session = open_session
        self._asker = asker
        self._apply = apply
        self._values = {"output": settings.output or "table", "notify": settings.notify, "editing": settings.editing,
                        "theme": settings.theme}  # fmt: skip
        self._variables: dict[str, str] = {}
        self._lines: list[str] = []
        self._own: set[str] = set()
        self._script: Runner | None = None
        """What ``source`` runs now."""
        self._work: asyncio.Task[int] | None = None
        self._given_up: asyncio.Future[None] | None = None
        self._left: set[asyncio.Task[int]] = set()
        """Work that nobody waits for any more, though it has not ended yet."""
        self._jobs = Jobs()

    async def close(self) -> None:
        """End what still runs here, and the session; the core goes on."""
        for task in self._left:
            task.cancel()
        await asyncio.gather(*self._left, return_exceptions=True)
        self._jobs.cancel()
        await self._jobs.done()
        await self.session.close()

    # ---- lines -------------------------------------------------------------------------------

    async def jobs_done(self) -> None:
        """Wait for the lines in the background; ``stop`` ends that."""
        await self._jobs.done()

    def stop(self) -> None:
        """End as soon as possible, whatever runs."""
        self.is_over = True
        self.interrupt()
        self._jobs.cancel()

    async def run_line(self, text: str) -> int:
        """Run one line and return its exit code; what follows ``;`` is left out after a failure."""
        if not text.strip():
            return 0
        self._lines.append(text.strip())
        del self._lines[:-LINES_KEPT]
        self.arming.touch()
        code = 0
        try:
            for call in read(text):
                code = await self._interruptible(call)
                if code or self.is_over:
                    break
        except ExitError as error:
            code = self._failed(error)
        self.last_code = code or self.last_code
        return code

    def interrupt(self) -> None:
        """Stop waiting for the line that runs; a second time, do not even wait for it to notice."""
        if self._script is not None:
            self._script.stop(INTERRUPTED)
            return
        if self._work is None or self._work.done():
            return
        if self._work.cancelling():
            if self._given_up is not None and not self._given_up.done():
                self._given_up.set_result(None)
            return
        say(f"\nno longer waiting; the core goes on with {self.doing}" if self.doing else "\ninterrupted")
        self._work.cancel()

    async def _interruptible(self, call: Call) -> int:
        """Run a call that ``interrupt`` can end."""
        work = self._work = asyncio.create_task(self._attempt(call), name=call.text)
        given_up = self._given_up = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait({work, given_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not work.done():
                work.cancel()
                self._left.add(work)
                work.add_done_callback(self._left.discard)
            self._work, self.doing = None, ""
        if not work.done() or work.cancelled():
            return INTERRUPTED
        return work.result()

    async def _attempt(self, call: Call) -> int:
        """Run a call, say what went wrong, and return the exit code."""
        try:
            return await self._run(call)
        except AliecsError as error:
            return self._failed(error)
        except HelpAsked as asked:
            write(str(asked))
            return 0

    def _failed(self, error: AliecsError) -> int:
        self.last_error = explain(error)
        say(self.last_error)
        return exit_code(error)

    async def _run(self, call: Call) -> int:
        try:
            words = [insert(word, self._variables) for word in call.words]
        except Unset as unset:
            raise usage(f"${unset.args[0]} has no value", hint=f"{unset.args[0]} = VERB ... gives it one") from None
        command, args = parse(words, REPL, in_use=self.in_use)
        self._complete(command, args)
        context = self._context(call, command, args)
        if command.rpc:
            if self._asker is not None:
                needed = await ask.confirm(context, self._asker, self.arming)
                self.doing = needed.what
            else:
                self.doing = command.name
        if call.is_background:
            self._jobs.check()
            if hasattr(args, "quiet"):
                args.quiet = True
            self._jobs.begin(call.text.removesuffix("&").strip(), self._behind(call, context))
            return 0
        return await self._finish(call, context)

    def _complete(self, command: Command, args: argparse.Namespace) -> None:
        """Add what the line left out."""
        if args.endpoint and args.endpoint != self.session.client.endpoint:
            raise usage("--endpoint: this prompt stays with one core", hint=f"connect {args.endpoint} goes to another")
        inherit(args, self._given)
        args.output = args.output or self._values["output"]
        if command.name == "role query" and self.in_use and args.env != self.in_use and args.path == "**":
            if not self._is_environment(args.env):
                args.env, args.path = self.in_use, args.env

    def _is_environment(self, word: str) -> bool:
        try:
            return resolve.choose(word, self.session.store.environments()) is not None
        except ExitError:
            return True  # it is meant to be one

    def _context(self, call: Call, command: Command, args: argparse.Namespace) -> Context:
        shows = pipes.line_filter(call.pipe) if command.name in STREAMS else None

        def emit(text: str) -> None:
            if shows is None or shows(text):
                write(text)

        return Context(
            session=self.session,
            command=command,
            args=args,
            emit=emit,
            say=say,
            output=args.output,
            is_gated=True,
            own=self._own,
            wait_s=self._settings.wait_s,
            ascii=self._settings.ascii,
            colour=table.has_colour(sys.stdout, no_color=self._settings.no_color or args.nocolor)
            and not call.pipe.file,
            seat=self,
        )

    async def _finish(self, call: Call, context: Context) -> int:
        """Run the verb to its end and write what it returned."""
        try:
            result = await verb_of(context.command)(context)
        finally:
            self.in_use = self.in_use or context.unfinished  # it was being made: what became of it is asked next
        self._note(context.command, result)
        if result.problem:
            self.last_error = result.problem
        shown = result if context.command.name in STREAMS else pipes.through(result, call.pipe)
        if call.capture:
            if not result.code:
                self._variables[call.capture] = render(shown, _format(context, "id")).strip()
            shown = Result(code=shown.code, problem=shown.problem)
        if call.pipe.file:
            await _save(call.pipe, render(shown, context.output))
            shown = Result(code=shown.code, problem=shown.problem)
        show(shown, context.output, colour=context.colour)
        return result.code

    async def _behind(self, call: Call, context: Context) -> int:
        try:
            return await self._finish(call, context)
        except AliecsError as error:
            return self._failed(error)

    def _note(self, command: Command, result: Result) -> None:
        """Keep track of the environment in use, and of those made by lines that nobody confirms."""
        if command.rpc == "NewEnvironment" and result.environment_id:
            if self._asker is None:
                self._own.add(result.environment_id)
            if not self.in_use and not result.code:
                self.in_use = result.environment_id
        if command.rpc == "DestroyEnvironment" and result.environment_id == self.in_use:
            self.in_use = ""

    # ---- what verbs ask of a seat ------------------------------------------------------------

    def use(self, environment_id: str) -> None:
        self.in_use = environment_id

    def settings(self) -> Mapping[str, Setting]:
        """Return the settings by name."""
        help = {"output": "how results are written", "notify": "which events are told unasked", "editing": "how lines are edited",
                "theme": "colours"}  # fmt: skip
        return {name: Setting(value, choices_of(name), help[name]) for name, value in self._values.items()}

    def set(self, name: str, value: str) -> None:
        """Change a setting; see Seat."""
        if name not in self._values:
            raise usage(f"set: no setting {name!r}", hint=f"there are {', '.join(self._values)}")
        choices = choices_of(name)
        if value not in choices:
            raise usage(f"set {name} {value}: no such value", hint=f"one of {', '.join(choices)}")
        if self._apply is not None:
            self._apply(name, value)
        self._values[name] = value

    @property
    def ascii(self) -> bool:
        """Only ASCII characters are drawn."""
        return self._settings.ascii

    @property
    def notify(self) -> str:
        """Which events are told unasked."""
        return self._values["notify"]

    def lines(self) -> Sequence[str]:
        return self._lines

    def jobs(self) -> Sequence[Job]:
        return self._jobs.all()

    def quit(self) -> None:
        self.is_over = True

    async def connect(self, endpoint: str) -> None:
        """Go to another core; see Seat."""
        session = self._open_session(endpoint)
        try:
            await session.client.ready()
        except BaseException:
            await session.close()
            raise
        before, self.session = self.session, session
        self.in_use = ""
        self.arming.disarm()
        self._variables.clear()
        await before.close()
        if self._asker is not None:
            session.follow()

    async def source(self, path: str, variables: Sequence[str], *, yes: bool, confirm: str, reason: str) -> int:
        """Run a script; see Seat."""
        from console.repl.source import prepare  # scripts are seldom run from here

        arming = self.arming if self._asker is not None else None
        options = argparse.Namespace(
            **vars(self._given) | {"yes": yes, "confirm": confirm, "reason": reason, "timeout": None, "deadline": None}
        )
        self._script = await prepare(path, self.session, self._settings, options, variables, arming)
        try:
            return await self._script.go()
        finally:
            self._script = None


def choices_of(name: str) -> tuple[str, ...]:
    """Return the values that a setting may have."""
    return tuple(themes.names()) if name == "theme" else {"output": FORMATS, "notify": LEVELS, "editing": EDITING}[name]


def _format(context: Context, otherwise: str) -> str:
    """Return the format that the line itself asked for."""
    return otherwise if context.output == "table" else str(context.output)


async def _save(pipe: pipes.Pipe, text: str) -> None:
    """Write what a line gave into a file; ExitError if that cannot be."""

    def write() -> None:
        with Path(pipe.file).expanduser().open("w" if pipe.is_forced else "x", encoding="utf-8") as stream:
            stream.write(text)

    try:
        await asyncio.to_thread(write)
    except FileExistsError:
        raise usage(f"save: {pipe.file} is there already", hint=f"save -f {pipe.file} replaces it") from None
    except OSError as error:
        raise ExitError(NOT_FOUND, f"save: {pipe.file}: {error.strerror}") from None
