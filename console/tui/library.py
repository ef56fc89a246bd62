"""Templates and repositories as the core lists them, and recordings: fetched when somebody asks, kept for palette and ``:``."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine

from console.session import Session
from server.api.errors import AliecsError
from server.api.replies import RepoInfo, TemplateListing

log = logging.getLogger(__name__)

FRESH_S = 30.0
"""What is younger is not asked for again."""


class Library:
    """What can be created from, as far as it is known.

    Args:
        start: runs a coroutine as a task that somebody owns.
        folder: of the user's recordings.
    """

    def __init__(self, session: Session, start: Callable[[Coroutine[None, None, None]], object], folder: str) -> None:
        self._session = session
        self._start = start
        self._folder = folder
        self.templates: tuple[TemplateListing, ...] = ()
        self.repos: tuple[RepoInfo, ...] = ()
        self.recordings: tuple[str, ...] = ()
        """Their names."""
        self._asked_at: dict[str, float] = {}
        self._then: dict[str, list[Callable[[], None]]] = {}

    def want(self, kind: str, then: Callable[[], None]) -> None:
        """Fetch "templates", "repos" or "recordings" unless that was just done; call ``then`` when they came."""
        if kind not in ("templates", "repos", "recordings"):
            return
        if kind in self._then:
            if then not in self._then[kind]:
                self._then[kind].append(then)
            return
        if time.monotonic() - self._asked_at.get(kind, -FRESH_S) < FRESH_S:
            return
        self._asked_at[kind] = time.monotonic()
        self._then[kind] = [then]
        self._start(self._fetch(kind))

    def forget(self, kind: str) -> None:
        """Fetch it anew the next time, because it has changed."""
        self._asked_at.pop(kind, None)

    async def _fetch(self, kind: str) -> None:
        client = self._session.client
        try:
            async with asyncio.timeout(client.deadlines.read_s):
                if kind == "recordings":
                    from console import recordings  # for those who look for them

                    self.recordings = tuple(await asyncio.to_thread(recordings.known, self._folder))
                elif kind == "templates":
                    self.templates = await client.templates()
                else:
                    self.repos = (await client.repos()).repos
        except (AliecsError, OSError) as error:  # TimeoutError is one
            log.info("list=%s not fetched: %s", kind, error)
            self._asked_at.pop(kind, None)
        finally:
            told = self._then.pop(kind, [])
        for one in told:
            one()
