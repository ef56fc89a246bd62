"""One repository that a core knows: its revisions, and the files of each (workflows-config.md 8.3, 8.4).

Two kinds: a clone of something remote, and a folder of this machine. All of them together: register.py.
"""

from __future__ import annotations

import asyncio
import difflib
from abc import ABC, abstractmethod
from collections.abc import Sequence

from server.api.errors import CoreError, Reason
from server.workflow.addresses import Address
from server.workflow.clones import Clones
from server.workflow.local import LocalRepository
from server.workflow.objects import Objects
from server.workflow.repos import LOCAL, Source
from server.workflow.revisions import Refs, is_hash, matcher
from server.workflow.worktrees import Worktrees


class Repository(ABC):
    """A repository.

    Attributes:
        default_revision: what is used where none is named.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.default_revision = ""

    @property
    def name(self) -> str:
        return self.address.identifier

    @property
    @abstractmethod
    def listed(self) -> tuple[str, ...]:
        """The revisions that clients are shown."""

    @property
    @abstractmethod
    def available(self) -> list[str]:
        """The revisions that can be a default."""

    @abstractmethod
    async def match(self, pattern: str, *, branches: bool = True, tags: bool = True) -> list[str]:
        """Return the revisions that match; raises CoreError for what is no pattern."""

    @abstractmethod
    async def refresh(self) -> None:
        """Bring it up to date; raises CoreError."""

    @abstractmethod
    async def commit(self, revision: str) -> tuple[Objects | None, str]:
        """Return the hash of a revision, and what reads it; None: it is read in place.

        Raises:
            CoreError: there is no such revision.
        """

    async def source(self, revision: str, worktrees: Worktrees, used: list[str]) -> Source:
        """Return the files of a revision, "" meaning the default one; ``used`` keeps them (worktrees.py).

        Raises:
            CoreError: there is no such revision, or its files are not taken.
        """
        revision = revision or self.default_revision
        objects, commit = await self.commit(revision)
        folder = str(await worktrees.folder(objects, commit, used)) if objects else self.name
        return Source(repo=self.name, revision=revision, hash=commit, folder=folder)

    def _missing(self, revision: str, known: Sequence[str]) -> CoreError:
        near = difflib.get_close_matches(revision, known, 3) or list(known)[:5]
        return CoreError(
            Reason.REPOSITORY, f"repository {self.name} has no revision {revision!r}",
            hint=f"there are {', '.join(near) or 'none'}; refresh the repository if it is new",
        )  # fmt: skip


class Cloned(Repository):
    """A clone."""

    def __init__(self, address: Address, clones: Clones) -> None:
        super().__init__(address)
        self.busy = asyncio.Lock()
        """Held while it is fetched or removed."""
        self.refs = Refs()
        self._clones = clones
        self._objects = clones.objects(address)

    @property
    def listed(self) -> tuple[str, ...]:
        return self.refs.listed

    @property
    def available(self) -> list[str]:
        return self.refs.match("*")

    async def read(self) -> None:
        """Read what is on disk; raises CoreError."""
        self.refs = await self._objects.refs()

    async def match(self, pattern: str, *, branches: bool = True, tags: bool = True) -> list[str]:
        found = self.refs.match(pattern, branches=branches, tags=tags)
        if is_hash(pattern) and await self._objects.commit(pattern) is None:
            return []
        return found

    async def refresh(self) -> None:
        async with self.busy:
            await self._clones.fetch(self.address)
            await self.read()

    async def commit(self, revision: str) -> tuple[Objects | None, str]:
        commit = await self._objects.commit(self.refs.find(revision) or revision)
        if commit is None:
            raise self._missing(revision, self.available)
        return self._objects, commit


class Local(Repository):
    """A folder."""

    def __init__(self, address: Address, folder: LocalRepository) -> None:
        super().__init__(address)
        self.default_revision = LOCAL
        self._folder = folder

    @property
    def listed(self) -> tuple[str, ...]:
        return (LOCAL,)

    @property
    def available(self) -> list[str]:
        return [LOCAL]

    async def match(self, pattern: str, *, branches: bool = True, tags: bool = True) -> list[str]:
        return [LOCAL] if matcher(pattern)(LOCAL) else []

    async def refresh(self) -> None:
        await self._folder.hash()

    async def commit(self, revision: str) -> tuple[Objects | None, str]:
        head = await self._folder.hash()
        objects = self._folder.objects
        if revision in (LOCAL, head):
            return (objects if self._folder.is_bare else None), head
        refs = await objects.refs() if objects else Refs()
        commit = await objects.commit(refs.find(revision) or revision) if objects else None
        if commit is None:
            raise self._missing(revision, [LOCAL, *refs.match("*")])
        return objects, commit
