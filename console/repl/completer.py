"""Completion and colours of the line being typed: completion.py in the words of prompt_toolkit, and what it has to fetch."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.lexers import Lexer

from console import themes
from console.candidates import Candidate, Sources
from console.command import REPL, Command
from console.commands import find, noun_of
from console.completion import complete, wanted
from console.legality import reason
from console.repl.paint import Paints
from console.repl.shell import Shell
from console.table import clean
from server.api.errors import AliecsError

FETCH_S = 2.0
"""So long a completion waits for the core at most."""
KEPT_S = 30.0
"""So long what was fetched is good enough."""
FILES_AT_MOST = 200


class LineCompleter(Completer):
    """Completes lines for one shell."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._fetched: dict[str, tuple[float, str, Any]] = {}
        """By kind: when, from which core, what."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Complete from what is known already."""
        return self._completions(document, {})

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        kind, word = wanted(document.text, document.cursor_position)
        fetched: dict[str, Any] = {}
        if kind == "file":
            fetched["files"] = await asyncio.to_thread(files, word)
        elif kind:
            fetched[kind] = await self._fetch(kind)
        for one in self._completions(document, fetched):
            yield one

    def _completions(self, document: Document, fetched: dict[str, Any]) -> list[Completion]:
        shell = self._shell

        def why_not(command: Command, environment_id: str) -> str:
            return reason(command, shell.session, environment_id)

        sources = Sources(
            store=shell.session.store,
            in_use=shell.in_use,
            reason=why_not,
            ascii=self._shell.ascii,
            themes=tuple(themes.names()),
            settings={name: setting.choices for name, setting in shell.settings().items()},
            **fetched,
        )
        return [_completion(one, document) for one in complete(document.text, document.cursor_position, sources)]

    async def _fetch(self, kind: str) -> Any:
        """Return templates or repositories, those of a little while ago if there are any."""
        client = self._shell.session.client
        known = self._fetched.get(kind)
        if known is not None and known[1] == client.endpoint and time.monotonic() - known[0] < KEPT_S:
            return known[2]
        try:
            async with asyncio.timeout(FETCH_S):
                found: Any = (
                    await client.templates("", "", all_workflows=True)
                    if kind == "templates"
                    else (await client.repos()).repos
                )
        except (AliecsError, TimeoutError):
            return ()  # nothing to offer; running the line will say what is wrong
        self._fetched[kind] = (time.monotonic(), client.endpoint, found)
        return found


def files(word: str) -> tuple[str, ...]:
    """Return the paths that begin with the word, folders with a slash. Blocks."""
    folder, _, begin = word.rpartition("/")
    place = os.path.expanduser(f"{folder}/" if folder or word.startswith("/") else ".")
    found = []
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.name.startswith(begin) and (begin or not entry.name.startswith(".")):
                    prefix = f"{folder}/" if "/" in word else ""
                    found.append(f"{prefix}{entry.name}{'/' if entry.is_dir() else ''}")
    except OSError:
        return ()  # no such folder
    return tuple(sorted(found)[:FILES_AT_MOST])


def _completion(one: Candidate, document: Document) -> Completion:
    return Completion(
        one.text,
        start_position=one.start - document.cursor_position,
        display=clean(one.display),
        display_meta=clean(one.meta),
    )


class LineLexer(Lexer):
    """Colours verbs, options and what is no verb."""

    def __init__(self, paints: Callable[[], Paints]) -> None:
        self._paints = paints

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        return lambda number: coloured(document.lines[number], self._paints())


def coloured(line: str, paints: Paints) -> StyleAndTextTuples:
    """Return a line in colours: the words that name a verb, and options."""
    words = line.split()
    found = find(words, REPL)
    count = len(words) - len(found[1]) if found else int(bool(words) and noun_of(words[0]) is not None)
    fragments: StyleAndTextTuples = []
    seen = 0
    for piece in _pieces(line):
        style = ""
        if not piece.isspace():
            seen += 1
            if seen <= count:
                style = paints.style("verb")
            elif piece.startswith("-"):
                style = paints.style("option")
            elif piece == "|":
                style = paints.style("key")
        fragments.append((style, piece))
    return fragments


def _pieces(line: str) -> list[str]:
    """Return the words of a line and the blanks between, nothing lost."""
    pieces: list[str] = []
    for letter in line:
        if pieces and pieces[-1].isspace() == letter.isspace():
            pieces[-1] += letter
        else:
            pieces.append(letter)
    return pieces
