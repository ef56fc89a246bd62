"""The prompt on a terminal: reads lines with completion and history, asks before acts, tells what happens meanwhile.

What a line does: shell.py. Everything that prompt_toolkit has to be told is here and in completer.py and history.py.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from typing import TextIO, cast

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.patch_stdout import StdoutProxy
from prompt_toolkit.shortcuts import CompleteStyle
from prompt_toolkit.styles import DynamicStyle, Style

from console import table, themes
from console.execute import say
from console.exit_codes import TERMINATED, usage
from console.output import write
from console.repl.ask import Closed
from console.repl.completer import LineCompleter, LineLexer
from console.repl.history import open_history
from console.repl.notices import Notices
from console.repl.paint import Paints
from console.repl.prompt import prompt, toolbar
from console.repl.shell import EDITING, LEVELS, Open, Shell
from console.session import Session
from console.settings import Settings
from occ.errors import ConfigError
from server.api.errors import AliecsError

REFRESH_S = 0.5
"""Between two looks at what the prompt and the bar show."""
FIRST_PICTURE_S = 1.0
"""So long the first prompt waits for the core."""
MENU_LINES = 8
MODES = {"emacs": EditingMode.EMACS, "vi": EditingMode.VI}


async def run(settings: Settings, options: argparse.Namespace, open_session: Open) -> int:
    """Read and run lines until Ctrl-D, ``quit`` or SIGTERM; it starts without a core too."""
    session = open_session(settings.endpoint)
    person = Person(session, settings, options, open_session)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, person.shell.interrupt)
    loop.add_signal_handler(signal.SIGTERM, person.stop)
    try:
        return await person.run()
    finally:
        await person.shell.close()
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)


class Person:
    """Sits at a terminal; answers the questions of the shell (ask.Asker)."""

    def __init__(self, session: Session, settings: Settings, options: argparse.Namespace, open_session: Open) -> None:
        self._ascii = settings.ascii
        loaded = themes.load(settings.theme)
        self._paints = Paints(loaded.theme, ascii=self._ascii)
        history, lost = open_history()
        self._problems = [text for text in (loaded.problem, lost, *_wrong(settings)) if text]
        settings = replace(
            settings,
            editing=settings.editing if settings.editing in MODES else "emacs",
            notify=settings.notify if settings.notify in LEVELS else "error",
        )
        self.shell = Shell(session, settings, options, open_session=open_session, asker=self, apply=self._apply)
        self._depth = _depth(settings)
        self._editor: PromptSession[str] = PromptSession(
            message=self._prompt_text,
            completer=LineCompleter(self.shell),
            complete_while_typing=False,
            complete_style=CompleteStyle.COLUMN,
            reserve_space_for_menu=MENU_LINES,
            lexer=LineLexer(lambda: self._paints),
            history=history,
            enable_history_search=True,
            auto_suggest=AutoSuggestFromHistory(),
            bottom_toolbar=self._bar,
            refresh_interval=REFRESH_S,
            editing_mode=MODES[settings.editing],
            style=DynamicStyle(lambda: _style(self._paints)),
            color_depth=self._depth,
        )
        self._editor.default_buffer.on_text_changed += lambda _: self.shell.arming.touch()
        self._open: PromptSession[str] | None = None
        """The prompt that waits for keys now."""
        self._notices = Notices(lambda: self.shell.notify, self._write)
        self._ended_by = 0

    async def run(self) -> int:
        """Read and run lines; return the exit code."""
        shell = self.shell
        with contextlib.suppress(AliecsError):  # the prompt and the first line say it
            await shell.session.until(lambda: shell.session.store.is_complete, FIRST_PICTURE_S)
        for problem in self._problems:
            say(problem)
        say(
            f"aliecs {version('aliecs')}, {shell.session.client.endpoint}: help lists the verbs, Tab completes, Ctrl-D leaves"
        )
        while not shell.is_over:
            with self._listening(shell.session):
                await self._read_and_run()
        if left := shell.jobs():
            say(f"the core goes on with {', '.join(job.line for job in left)}")
        return self._ended_by

    def stop(self) -> None:
        """End because somebody outside wants it."""
        self._ended_by = TERMINATED
        self.shell.stop()
        self._end_prompt(EOFError())

    async def ask(self, lines: tuple[str, ...], question: str, broken: Callable[[], str]) -> str | None:
        """Put a question; see ask.Asker."""
        write("".join(f"  {table.clean(line)}\n" for line in lines))
        asking: PromptSession[str] = PromptSession(
            message=[(self._paints.style("warn"), question)],
            bottom_toolbar=self._bar,
            refresh_interval=REFRESH_S,
            reserve_space_for_menu=0,
            editing_mode=self._editor.editing_mode,
            style=DynamicStyle(lambda: _style(self._paints)),
            color_depth=self._depth,
        )

        def look(_: object) -> None:
            if why := broken():
                self._end_prompt(Closed(why))

        with self.shell.session.listening(look):
            if why := broken():
                raise Closed(why)
            try:
                return await self._prompt(asking)
            except (KeyboardInterrupt, EOFError):
                return None

    # ---- reading -----------------------------------------------------------------------------

    async def _read_and_run(self) -> None:
        try:
            text = await self._prompt(self._editor)
        except KeyboardInterrupt:
            return  # the line is given up
        except EOFError:
            self.shell.quit()
            return
        if not self.shell.is_over:  # asked to end while the prompt was being closed: nothing is begun any more
            await self.shell.run_line(text)

    async def _prompt(self, session: PromptSession[str]) -> str:
        """Read a line while what others write goes above it."""
        before, self._open = self._open, session
        try:
            with _above_the_prompt():
                return await session.prompt_async(handle_sigint=False)  # else it would forget our handler
        finally:
            self._open = before

    def _end_prompt(self, why: BaseException) -> None:
        """End the prompt that is open, if one is."""
        if self._open is not None and self._open.app.is_running and not self._open.app.is_done:
            self._open.app.exit(exception=why)

    @contextlib.contextmanager
    def _listening(self, session: Session) -> Iterator[None]:
        """Tell what happens on this session, which may be another one for the next line."""
        session.follow()
        self._notices.follow(session)
        with session.tap(self._notices.take), session.listening(lambda _: self._notices.look()):
            yield

    def _write(self, text: str) -> None:
        """Write lines where they disturb nobody."""
        clear = "" if self._open is not None else "\r\x1b[K"  # progress may stand there
        write(f"{clear}{text}")

    # ---- looks -------------------------------------------------------------------------------

    def _prompt_text(self) -> StyleAndTextTuples:
        return [*prompt(self.shell, self._paints)]

    def _bar(self) -> StyleAndTextTuples:
        return [*toolbar(self.shell, self._paints, shutil.get_terminal_size().columns)]

    def _apply(self, name: str, value: str) -> None:
        """Take a setting that changes how it looks; see Shell."""
        if name == "editing":
            self._editor.editing_mode = MODES[value]
        elif name == "theme":
            try:
                self._paints = Paints(themes.read(value), ascii=self._ascii)
            except ConfigError as error:
                raise usage(f"theme {value}: {error}") from None


@contextlib.contextmanager
def _above_the_prompt() -> Iterator[None]:
    """Put what is written meanwhile above the prompt, which stays as it is."""
    with StdoutProxy(raw=True, sleep_between_writes=0) as proxy:
        before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = cast(TextIO, proxy)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def _style(paints: Paints) -> Style:
    bar, ghost = paints.style("bar"), paints.style("ghost")
    return Style.from_dict(
        {
            "bottom-toolbar": f"noreverse {bar}",
            "auto-suggestion": ghost,
            "completion-menu": bar,
            "completion-menu.completion": bar,
            "completion-menu.completion.current": f"noreverse {paints.style('selected')} bold",
            "completion-menu.meta.completion": paints.style("bar_dim"),
            "completion-menu.meta.completion.current": paints.style("selected"),
        }
    )


def _depth(settings: Settings) -> ColorDepth | None:
    """Return how many colours may be shown, None for what prompt_toolkit thinks."""
    if settings.is_colourless:
        return ColorDepth.DEPTH_1_BIT
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return ColorDepth.DEPTH_24_BIT
    return None


def _wrong(settings: Settings) -> list[str]:
    """Return what is wrong with the settings of the prompt."""
    known = (("editing", settings.editing, EDITING), ("notify", settings.notify, LEVELS))
    return [f"settings: {name} is {value!r}, not one of {', '.join(choices)}"
            for name, value, choices in known if value not in choices]  # fmt: skip
