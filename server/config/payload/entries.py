"""Reading the entry that is asked for and those that it brings in (workflows-config.md 9.5).

Every name, in whatever entry it stands, is relative to the folder of the entry asked for.
"""

from __future__ import annotations

from collections.abc import Callable

from server.config.payload.budget import MAX_DEPTH, MAX_ENTRIES, MAX_TEXT, MAX_TOKENS
from server.config.payload.characters import clean
from server.config.payload.document import Document
from server.config.payload.errors import LimitError, MissingEntryError, PayloadError
from server.config.payload.frame import Template
from server.config.payload.tags.known import TAGS
from server.config.payload.tokens import tokens_of

Fetch = Callable[[str], str | None]
"""Returns the raw payload at ``component/RUNTYPE/role/entry``, None if there is none."""


class Entries:
    """Reads entries, each once."""

    def __init__(self, fetch: Fetch, base: str) -> None:
        """Args:
        fetch: where payloads come from.
        base: folder of the entry asked for.
        """
        self._fetch = fetch
        self._base = base
        self._done: dict[str, Template | PayloadError] = {}
        self._open: list[str] = []
        self._tokens_left = MAX_TOKENS

    def load(self, name: str) -> Template:
        """Return the template of a name.

        Raises:
            MissingEntryError: no such entry, or one that it includes is missing.
            PayloadError: it does not parse, or includes itself.
        """
        path = self._path(name)
        if path in self._open:
            chain = " > ".join((*self._open[self._open.index(path) :], path))
            raise PayloadError(f"an entry includes itself: {chain}")
        if path not in self._done:
            self._done[path] = self._parsed(path)
        done = self._done[path]
        if isinstance(done, PayloadError):
            raise done
        return done

    def _path(self, name: str) -> str:
        """Return the full path of a name; one that begins like the base is full already."""
        return name if name.startswith(("/", self._base)) else f"{self._base}/{name}"

    def _parsed(self, path: str) -> Template | PayloadError:
        if len(self._open) >= MAX_DEPTH:
            raise LimitError(f"more than {MAX_DEPTH} entries that include each other")
        if len(self._done) + len(self._open) >= MAX_ENTRIES:
            raise LimitError(f"more than {MAX_ENTRIES} entries are included")
        raw = self._fetch(path)
        if raw is None:
            return MissingEntryError(f"there is no entry {path}", hint=f"names are relative to {self._base}")
        payload = clean(raw)
        if len(payload) > MAX_TEXT:
            return LimitError(f"the entry is longer than {MAX_TEXT} characters", entry=path)
        self._open.append(path)
        try:
            tokens = tokens_of(path, payload, self._tokens_left)
            self._tokens_left -= len(tokens)
            return Document(tokens, Template(path), self, TAGS).read()
        except PayloadError as error:
            return error
        finally:
            self._open.pop()
