"""The repositories of workflows that a core knows (workflows-config.md 8). This version opens local ones.

A local repository is a folder with ``workflows/`` and ``tasks/``; its one revision is called ``local``.
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import hashlib
import json
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from server.api.errors import CoreError, Reason

LOCAL = "local"
GIT_TIMEOUT_S = 10.0
"""For one question to git."""

Get = Callable[[str], Awaitable[str | None]]
Put = Callable[[str, str], Awaitable[None]]


class RepositoryInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A repository as clients see it."""

    name: str
    is_default: bool = False
    default_revision: str = LOCAL
    revisions: tuple[str, ...] = ()


class RepositorySet(msgspec.Struct, frozen=True, kw_only=True):
    """The repositories as the loader needs them."""

    hashes: dict[str, str]
    """By identifier."""
    default: str = ""
    """Identifier, "" for none."""
    folders: dict[str, str] = {}
    """Where repositories are whose identifier is not a path of this machine."""

    def folder(self, repo: str) -> Path:
        """Return where a repository is."""
        return Path(self.folders.get(repo, repo))

    def renewed(self) -> RepositorySet:
        """Return the same repositories as they are now; asks git, hence blocks. One that is gone keeps its hash."""
        hashes = dict(self.hashes)
        for repo in hashes:
            if repo not in self.folders:
                with contextlib.suppress(CoreError):
                    hashes[repo] = read_hash(repo)
        return msgspec.structs.replace(self, hashes=hashes)


class Repositories:
    """All repositories, sorted by identifier; what must outlive the core stands in the configuration store.

    Args:
        get, put: runtime entries of component ``aliecs``.
    """

    def __init__(self, global_default_revision: str, get: Get, put: Put) -> None:
        self.global_default_revision = global_default_revision
        self._get = get
        self._put = put
        self._revisions: dict[str, str] = {}
        self._hashes: dict[str, str] = {}
        self._default = ""

    @classmethod
    async def open(cls, default_repo: str, global_default_revision: str, *, get: Get, put: Put) -> Repositories:
        """Return what the store remembers; the setting names the default repository of a new store.

        Raises:
            CoreError: the default repository cannot be opened.
        """
        revision = await get("default_revision") or global_default_revision
        repositories = cls(revision, get, put)
        remembered = json.loads(await get("default_revisions") or "{}")
        for name in remembered:
            if await asyncio.to_thread(Path(name).is_dir):  # a local repository that has gone is forgotten
                await repositories._enter(name)
        default = await get("default_repo") or default_repo
        if default:
            identifier = identify(default)
            if identifier not in repositories._hashes:
                await repositories._enter(identifier)
            repositories._default = identifier
        return repositories

    def describe(self) -> RepositorySet:
        """Return the repositories for the loader."""
        return RepositorySet(hashes=dict(self._hashes), default=self._default)

    async def list(self, *, with_revisions: bool) -> Sequence[RepositoryInfo]:
        """Return all repositories in order of their indices."""
        return [
            RepositoryInfo(
                name=name,
                is_default=name == self._default,
                default_revision=self._revisions[name],
                revisions=(LOCAL,) if with_revisions else (),
            )
            for name in sorted(self._hashes)
        ]

    async def add(self, name: str, default_revision: str) -> tuple[str, str]:
        """Open a repository; returns its default revision and a sentence about that.

        Raises:
            CoreError: known already, not there, or no local folder.
        """
        identifier = identify(name)
        if identifier in self._hashes:
            raise CoreError(Reason.REPOSITORY, f"Repo already present: {identifier}", hint="refresh it instead")
        await self._enter(identifier)
        if not self._default:
            self._default = identifier
            await self._put("default_repo", identifier)
        await self._remember()
        wanted = default_revision or self.global_default_revision
        if wanted == LOCAL:
            return LOCAL, f"The default revision of {identifier} is the requested one, {LOCAL}."
        return LOCAL, f"{identifier} is a local repository: its only revision {LOCAL} is used instead of {wanted}."

    async def remove(self, index: int) -> str:
        """Forget a repository, leaving its folder alone; returns the new default, "" if that did not change.

        Raises:
            CoreError: there is none with that index.
        """
        name = self._at(index)
        del self._hashes[name], self._revisions[name]
        changed = name == self._default
        if changed:
            self._default = min(self._hashes, default="")
            await self._put("default_repo", self._default)
        await self._remember()
        return self._default if changed else ""

    async def refresh(self, index: int) -> None:
        """Read a repository anew, all for -1.

        Raises:
            CoreError: there is none with that index, or it is gone.
        """
        for name in sorted(self._hashes) if index == -1 else [self._at(index)]:
            self._hashes[name] = await asyncio.to_thread(read_hash, name)

    async def set_default(self, index: int) -> None:
        """Make a repository the default.

        Raises:
            CoreError: there is none with that index, or it is the default already.
        """
        name = self._at(index, "Default repo index out of range")
        if name == self._default:
            raise CoreError(Reason.REPOSITORY, f"{name} is already the default repo")
        self._default = name
        await self._put("default_repo", name)

    async def set_global_default_revision(self, revision: str) -> None:
        """Set the revision of repositories without their own; it is not checked (core.md 1.7)."""
        self.global_default_revision = revision
        await self._put("default_revision", revision)

    async def set_default_revision(self, index: int, revision: str) -> str:
        """Set a repository's revision; returns "" or, if there is none such, those that there are, a line each.

        Raises:
            CoreError: a negative index.
        """
        if index < 0:
            self._at(index)
        if index >= len(self._hashes):
            return f"no repository with index {index}\n"
        return "" if fnmatch.fnmatchcase(LOCAL, revision) else f"{LOCAL}\n"

    async def _enter(self, identifier: str) -> None:
        self._hashes[identifier] = await asyncio.to_thread(read_hash, identifier)
        self._revisions[identifier] = LOCAL

    def _at(self, index: int, problem: str = "Repo index out of range") -> str:
        names = sorted(self._hashes)
        if 0 <= index < len(names):
            return names[index]
        code = "INVALID_ARGUMENT" if index < 0 else ""
        hint = f"there are {len(names)}, numbered from 0"
        raise CoreError(Reason.REPOSITORY, f"{problem}: {index}", hint=hint, code=code)

    async def _remember(self) -> None:
        await self._put("default_revisions", json.dumps(dict(sorted(self._revisions.items())), indent=4))


def identify(name: str) -> str:
    """Return the identifier of a repository as AliECS writes it (workflows-config.md 8.1).

    Raises:
        CoreError: not a local path.
    """
    if "://" in name:
        raise CoreError(
            Reason.REPOSITORY, f"repository {name}: write it without a scheme", hint="/absolute/path for a local one"
        )
    if not name.startswith("/"):
        raise CoreError(
            Reason.REPOSITORY, f"repository {name}: only local repositories can be opened by this version",
            hint="give the absolute path of a clone",
        )  # fmt: skip
    path = name.split("@", 1)[0].rstrip("/")
    return path.split("/tasks", 1)[0] if path.endswith("/tasks") or "/tasks/" in path else path


def read_hash(identifier: str) -> str:
    """Return the commit of a git work tree, else a name for the content of the folder. Blocks.

    Raises:
        CoreError: there is no such folder, or it holds no workflows.
    """
    folder = Path(identifier)
    if not (folder / "workflows").is_dir():
        raise CoreError(
            Reason.REPOSITORY,
            f"repository {identifier} has no folder workflows",
            hint="expected are workflows/ and tasks/",
        )
    if not (folder / ".git").exists():  # a folder inside another work tree has no commit of its own
        return _content_hash(folder)
    # The folder may belong to somebody else, which git refuses unless told on the command line.
    command = ("git", "-c", "safe.directory=*", "-C", identifier, "rev-parse", "HEAD")
    try:
        result = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=GIT_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return _content_hash(folder)
    commit = result.stdout.decode("ascii", "replace").strip()
    return commit if result.returncode == 0 and commit else _content_hash(folder)


def _content_hash(folder: Path) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    for path in sorted((*folder.glob("workflows/*.yaml"), *folder.glob("tasks/*.yaml"))):
        digest.update(f"{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
