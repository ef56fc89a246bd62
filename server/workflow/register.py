"""The repositories that a core knows, by index and by name: what clients do with them (workflows-config.md 8, core.md 1.7).

What must outlive the core stands in the configuration store and in the clones on disk. One repository: repository.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from occ.errors import AliecsError
from server.api.errors import CoreError, Reason
from server.workflow.addresses import Address, Protocol, identify
from server.workflow.clones import Clones
from server.workflow.git import Git, GitSettings
from server.workflow.local import LocalRepository
from server.workflow.repos import LOCAL, RepositoryInfo, RepositorySet, Source, unknown_repository
from server.workflow.repository import Cloned, Local, Repository
from server.workflow.revisions import matcher
from server.workflow.worktrees import Worktrees

log = logging.getLogger(__name__)

FALLBACKS = ("master", "main")
"""Default revisions where neither the wanted nor the global one is there."""
MAX_AT_ONCE = 4
"""Repositories that are fetched at the same time."""

Get = Callable[[str], Awaitable[str | None]]
Put = Callable[[str, str], Awaitable[None]]
FetchSource = Callable[[str, str], Awaitable[Source]]
"""(identifier, revision or "") to its files, which stay while the lease is held; raises CoreError."""


class Repositories:
    """All repositories, sorted by identifier. Used from one loop.

    Args:
        folder: of the core; clones and worktrees are below it.
        get, put: runtime entries of component ``aliecs``.
        default_repo, global_default_revision: settings, used until the store says otherwise.
    """

    def __init__(
        self, folder: Path, git: GitSettings, *, default_repo: str, global_default_revision: str, get: Get, put: Put
    ) -> None:
        self.global_default_revision = global_default_revision
        self._setting = default_repo
        self._get = get
        self._put = put
        self._git = Git(git)
        self._clones = Clones(self._git, folder / "repos")
        self._worktrees = Worktrees(folder / "worktrees")
        self._known: dict[str, Repository] = {}
        self._arriving: dict[str, asyncio.Event] = {}
        """What is being added; set when that has ended."""
        self._default = ""

    @classmethod
    async def open(
        cls, folder: Path, *, default_repo: str, global_default_revision: str, get: Get, put: Put,
        git: GitSettings | None = None,
    ) -> Repositories:  # fmt: skip
        """Return what the store remembers and the disk has. Only a default repository that is new is fetched.

        Raises:
            CoreError: the default repository cannot be opened, or the folder not be written.
        """
        repositories = cls(
            folder, git or GitSettings(), default_repo=default_repo, global_default_revision=global_default_revision,
            get=get, put=put,
        )  # fmt: skip
        await repositories._restore()
        return repositories

    async def _restore(self) -> None:
        await self._worktrees.open()
        self.global_default_revision = await self._get("default_revision") or self.global_default_revision
        revisions = _read_revisions(await self._get("default_revisions"))
        found = await self._clones.open()
        local = [identify(name) for name in revisions if name.startswith("/")]
        for address in (*found, *local):
            try:
                repository = await self._enter(address)
                await self._settle(repository, revisions.get(address.identifier, ""), strict=False)
            except CoreError as error:
                log.warning("repository is passed over name=%s error=%s", address.identifier, error)
        if default := await self._get("default_repo") or self._setting:
            try:
                self._default = await self._restore_default(identify(default), revisions)
            except CoreError as error:
                message = f"the default repository {default} cannot be used: {error.message}"
                raise CoreError(error.reason, message, hint=error.hint) from error

    async def _restore_default(self, address: Address, revisions: Mapping[str, str]) -> str:
        if address.identifier not in self._known:
            repository = await self._enter(address)
            await self._settle(repository, address.revision or revisions.get(address.identifier, ""), strict=True)
        return address.identifier

    # ---- for loads -----------------------------------------------------------------------------

    def describe(self) -> RepositorySet:
        """Return the repositories for the loader, which fetches what it needs of them."""
        return RepositorySet(hashes=dict.fromkeys(self._known, ""), default=self._default)

    @contextlib.contextmanager
    def lease(self) -> Iterator[FetchSource]:
        """Give a function that returns the files of a revision; they stay until the end of the context."""
        with self._worktrees.use() as used:

            async def fetch(repo: str, revision: str) -> Source:
                repository = self._known.get(repo)
                if repository is None:
                    raise unknown_repository(repo, list(self._known))
                return await repository.source(revision, self._worktrees, used)

            yield fetch

    def is_addable(self, name: str) -> bool:
        """True for a remote repository that is not known: one that a task class may bring in (workflows-config.md 3.1)."""
        return name not in self._known and identify(name).protocol is not Protocol.LOCAL

    async def ensure(self, name: str) -> None:
        """Add such a repository, or wait for who is adding it.

        Raises:
            CoreError: of add().
        """
        while ended := self._arriving.get(name):
            await ended.wait()
        if self.is_addable(name):
            await self.add(name, "")

    async def select(
        self, repo_pattern: str, revision_pattern: str, *, all_branches: bool, all_tags: bool
    ) -> list[tuple[Repository, str]]:
        """Return repositories and revisions by patterns (workflows-config.md 4.3).

        Raises:
            CoreError: the patterns contradict each other or are none, or there is no repository with that index.
        """
        if (all_branches or all_tags) and revision_pattern:
            raise CoreError(Reason.BAD_REQUEST, "a revision pattern cannot be given together with all branches or tags")
        selected: list[tuple[Repository, str]] = []
        for name in self._matching(repo_pattern):
            repository = self._known[name]
            if all_branches or all_tags:
                found = await repository.match("*", branches=all_branches, tags=all_tags)
            elif revision_pattern:
                found = await repository.match(revision_pattern)
            else:
                found = [repository.default_revision]
            selected += [(repository, revision) for revision in found]
        return selected

    def _matching(self, pattern: str) -> list[str]:
        names = sorted(self._known)
        if pattern.removeprefix("-").isdecimal():
            if not 0 <= int(pattern) < len(names):
                raise CoreError(
                    Reason.BAD_REQUEST, f"no repository with index {pattern}", hint=f"there are {len(names)}"
                )
            return [names[int(pattern)]]
        matches = matcher(pattern or "*")
        return [name for name in names if matches(name)]

    # ---- for clients ---------------------------------------------------------------------------

    async def list(self, *, with_revisions: bool) -> Sequence[RepositoryInfo]:
        """Return all repositories in order of their indices."""
        return [
            RepositoryInfo(
                name=name,
                is_default=name == self._default,
                default_revision=repository.default_revision,
                revisions=repository.listed if with_revisions else (),
            )
            for name, repository in sorted(self._known.items())
        ]

    async def add(self, name: str, default_revision: str) -> tuple[str, str]:
        """Clone or open a repository; returns its default revision and a sentence about that.

        Raises:
            CoreError: known already, not there, or without a usable revision.
        """
        address = identify(name)
        identifier = address.identifier
        if identifier in self._arriving:
            raise CoreError(
                Reason.REPOSITORY, f"Repo already present: {identifier} is being added by somebody else", hint="wait"
            )
        if identifier in self._known:
            raise CoreError(Reason.REPOSITORY, f"Repo already present: {identifier}", hint="refresh it instead")
        for other in (*self._known, *self._arriving) if address.protocol is not Protocol.LOCAL else ():
            if f"{identifier}/".startswith(f"{other}/") or f"{other}/".startswith(f"{identifier}/"):
                raise CoreError(Reason.REPOSITORY, f"the clones of {identifier} and {other} would lie in one another")
        ended = self._arriving[identifier] = asyncio.Event()
        try:
            return await self._add(address, default_revision or address.revision)
        finally:
            del self._arriving[identifier]
            ended.set()

    async def _add(self, address: Address, wanted: str) -> tuple[str, str]:
        was_there = await self._clones.is_there(address)
        repository = await self._enter(address, fetched=True)
        try:
            sentence = await self._settle(repository, wanted, strict=True)
            if not self._default:
                await self._put("default_repo", repository.name)
                self._default = repository.name
            await self._remember()
        except BaseException:
            del self._known[address.identifier]
            if isinstance(repository, Cloned) and not was_there:
                await self._clones.remove(address)
            raise
        log.info("repository added name=%s default_revision=%s", repository.name, repository.default_revision)
        return repository.default_revision, sentence

    async def remove(self, index: int) -> str:
        """Forget a repository and delete its clone; a local folder stays. Returns the new default, "" if it is the same.

        Raises:
            CoreError: there is none with that index, or somebody else removes it.
        """
        name = self._at(index)
        repository = self._known[name]
        if isinstance(repository, Cloned):
            async with repository.busy:
                if self._known.get(name) is not repository:  # a clone that is there now is that of another
                    raise CoreError(Reason.REPOSITORY, f"{name} was removed by somebody else", hint="list what is left")
                await self._clones.remove(repository.address)
        del self._known[name]
        changed = name == self._default
        if changed:
            self._default = min(self._known, default="")
            await self._put("default_repo", self._default or self._setting)
        await self._remember()
        log.info("repository removed name=%s", name)
        return self._default if changed else ""

    async def refresh(self, index: int) -> None:
        """Fetch a repository, all for -1, and forget files that nobody uses.

        Raises:
            CoreError: there is none with that index, or git says why it could not be fetched; all others are.
        """
        names = sorted(self._known) if index == -1 else [self._at(index)]
        turns = asyncio.Semaphore(MAX_AT_ONCE)

        async def one(name: str) -> CoreError | None:
            async with turns:
                try:
                    await self._known[name].refresh()
                    return None
                except KeyError:
                    return None  # removed meanwhile
                except CoreError as error:
                    if name not in self._known:
                        return None
                    log.warning("repository cannot be refreshed name=%s error=%s", name, error)
                    return error

        failed = [error for error in await asyncio.gather(*map(one, names)) if error]
        await self._worktrees.prune()
        if len(failed) == 1 and len(names) == 1:
            raise failed[0]
        if failed:
            told = "; ".join(error.message for error in failed)
            message = f"{len(failed)} of {len(names)} repositories cannot be refreshed: {told}"
            raise CoreError(Reason.REPOSITORY, message, hint=failed[0].hint)

    async def refresh_quietly(self) -> None:
        """Fetch all, as a core does when it starts; what fails is told in the log, and what is there is used."""
        try:
            await self.refresh(-1)
        except CoreError:
            log.warning("repositories are used as they were when the core last fetched them")

    async def set_default(self, index: int) -> None:
        """Make a repository the default.

        Raises:
            CoreError: there is none with that index, or it is the default already.
        """
        name = self._at(index, "Default repo index out of range")
        if name == self._default:
            raise CoreError(Reason.REPOSITORY, f"{name} is already the default repo")
        await self._put("default_repo", name)
        self._default = name

    async def set_global_default_revision(self, revision: str) -> None:
        """Set the revision of repositories that are added without one; it is not checked (core.md 1.7)."""
        await self._put("default_revision", revision)
        self.global_default_revision = revision

    async def set_default_revision(self, index: int, revision: str) -> str:
        """Set a repository's revision; returns "" or, if there is none such, those that there are, a line each.

        Raises:
            CoreError: a negative index.
        """
        if index < 0:
            self._at(index)
        if index >= len(self._known):
            return f"no repository with index {index}\n"
        repository = self._known[sorted(self._known)[index]]
        try:
            found = await repository.match(revision)
            if not found:
                return "".join(f"{name}\n" for name in repository.available)
            repository.default_revision = revision if revision in found else found[0]
            await self._remember()
        except AliecsError as error:  # the original never fails here; what went wrong is told all the same
            return f"{error}\n"
        return ""

    # ---- inside --------------------------------------------------------------------------------

    async def _enter(self, address: Address, *, fetched: bool = False) -> Repository:
        """Open a repository and know it from then on; one that is neither here nor there is cloned."""
        repository: Repository
        if address.protocol is Protocol.LOCAL:
            folder = LocalRepository(self._git, address.identifier)
            await folder.hash()
            repository = Local(address, folder)
        else:
            cloned = Cloned(address, self._clones)
            if not await self._clones.adopt(address):
                await self._clones.make(address)
            elif fetched:
                await self._clones.fetch(address)
            await cloned.read()
            repository = cloned
        self._known[address.identifier] = repository
        return repository

    async def _settle(self, repository: Repository, wanted: str, *, strict: bool) -> str:
        """Choose the default revision; returns a sentence about the choice.

        Raises:
            CoreError: there is none that could be it, and ``strict``.
        """
        overall = self.global_default_revision
        for revision in dict.fromkeys((wanted or overall, overall, *FALLBACKS)):
            if not revision or not (found := await repository.match(revision)):
                continue
            chosen = repository.default_revision = revision if revision in found else found[0]
            if revision == wanted:
                return f"The default revision of {repository.name} is the requested one, {chosen}."
            kind = "the global default" if revision == overall else "a fallback"
            instead = f", as there is no {wanted or overall}" if revision != (wanted or overall) else ""
            return f"The default revision of {repository.name} is {kind}, {chosen}{instead}."
        if isinstance(repository, Local):
            return f"{repository.name} is a local repository: its only revision {LOCAL} is used instead of {wanted or overall}."
        known = ", ".join(repository.available[:20]) or "none"
        if strict:
            raise CoreError(
                Reason.REPOSITORY, f"repository {repository.name} has no revision {wanted or overall}, {' or '.join(FALLBACKS)}",
                hint=f"name one of its revisions: {known}",
            )  # fmt: skip
        repository.default_revision = wanted or overall
        log.warning("repository has no default revision name=%s wanted=%s", repository.name, wanted or overall)
        return ""

    def _at(self, index: int, problem: str = "Repo index out of range") -> str:
        names = sorted(self._known)
        if 0 <= index < len(names):
            return names[index]
        code = "INVALID_ARGUMENT" if index < 0 else ""
        hint = f"there are {len(names)}, numbered from 0"
        raise CoreError(Reason.REPOSITORY, f"{problem}: {index}", hint=hint, code=code)

    async def _remember(self) -> None:
        revisions = {name: repository.default_revision for name, repository in sorted(self._known.items())}
        await self._put("default_revisions", json.dumps(revisions, indent=4))


def _read_revisions(text: str | None) -> dict[str, str]:
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, str])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        log.error("default revisions of the store cannot be read error=%s", error)
        return {}
