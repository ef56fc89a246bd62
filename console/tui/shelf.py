"""What templates there are, by repository and revision: fetched when somebody looks, with what went wrong in words."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from console.creation import Reference
from console.session import Session
from server.api.errors import AliecsError
from server.api.replies import RepoInfo, RepoListing, TemplateListing


class Source(NamedTuple):
    """Where templates stand; empty parts are the core's defaults."""

    repo: str = ""
    revision: str = ""


EVERYWHERE = Source()
"""All repositories, each at its default revision."""


class Shelf:
    """Listings of templates, kept as long as the console lives.

    Attributes:
        repos: None until they are known.
        problem: why the repositories could not be listed, "" if they could.
        is_all: templates that are not public are listed too.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.repos: RepoListing | None = None
        self.problem = ""
        self.is_all = False
        self.added: list[Source] = []
        """Sources that were typed."""
        self._listings: dict[tuple[Source, bool], tuple[TemplateListing, ...]] = {}
        self._problems: dict[tuple[Source, bool], str] = {}
        self._loading: set[tuple[Source, bool]] = set()

    # ---- reads -------------------------------------------------------------------------------

    def listing(self, source: Source) -> tuple[TemplateListing, ...] | None:
        """Return the templates of a source, None if they are not known."""
        return self._listings.get((source, self.is_all))

    def problem_of(self, source: Source) -> str:
        """Say why the templates of a source could not be listed, "" if they could."""
        return self._problems.get((source, self.is_all), "")

    def is_loading(self, source: Source) -> bool:
        return (source, self.is_all) in self._loading

    @property
    def has_problems(self) -> bool:
        return bool(self.problem or self._problems)

    def repo(self, name: str) -> RepoInfo | None:
        return next((one for one in self.repos.repos if one.name == name), None) if self.repos else None

    @property
    def default_repo(self) -> str:
        """Name of the default repository, "" if that is not known."""
        return next((one.name for one in self.repos.repos if one.is_default), "") if self.repos else ""

    def find(self, reference: Reference) -> TemplateListing | None:
        """Return a template if it was listed already."""
        for listings in self._listings.values():
            for one in listings:
                if (one.repo, one.template, one.revision) == tuple(reference):
                    return one
        return None

    def add(self, source: Source) -> None:
        """Offer a source that was typed, unless it is there already."""
        known = self.repo(source.repo)
        if source not in self.added and not (known and source.revision in (known.default_revision, *known.revisions)):
            self.added.append(source)

    # ---- fetching ----------------------------------------------------------------------------

    async def load_repos(self) -> None:
        """Fetch the repositories with their revisions."""
        client = self._session.client
        try:
            async with asyncio.timeout(client.deadlines.read_s):
                self.repos = await client.repos(revisions=True)
            self.problem = ""
        except (AliecsError, TimeoutError) as error:
            self.problem = _words(error, client.deadlines.read_s)

    async def load(self, source: Source, *, is_all: bool | None = None) -> None:
        """Fetch the templates of a source; what was known before stays if that fails."""
        key = (source, self.is_all if is_all is None else is_all)
        if key in self._loading:
            return
        self._loading.add(key)
        client = self._session.client
        try:
            async with asyncio.timeout(client.deadlines.read_s):
                found = await client.templates(source.repo, source.revision, all_workflows=key[1])
            self._listings[key] = tuple(sorted(found, key=lambda one: (one.repo, one.revision, one.template)))
            self._problems.pop(key, None)
        except (AliecsError, TimeoutError) as error:
            self._problems[key] = _words(error, client.deadlines.read_s)
        finally:
            self._loading.discard(key)


def _words(error: AliecsError | TimeoutError, deadline_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {deadline_s:g} s"
    return f"{error.message}; {error.hint}" if error.hint else error.message
