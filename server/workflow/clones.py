"""Clones of remote repositories on disk, each in ``<repos>/<identifier>/.git``, as AliECS keeps them (workflows-config.md 8.2).

What is done with a clone: register.py. Its own configuration and hooks are never used: the configuration is written anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import tempfile
from pathlib import Path

from server.api.errors import CoreError, Reason
from server.workflow.addresses import Address, identify
from server.workflow.git import Git
from server.workflow.objects import Objects
from server.workflow.revisions import REMOTE_HEADS, TAGS

log = logging.getLogger(__name__)

INCOMING = ".incoming"
"""Folder for clones that are not complete, emptied when a core starts."""
MAX_DEPTH = 8
"""Parts of an identifier."""
_REFSPECS = (f"+refs/heads/*:{REMOTE_HEADS}*", f"+{TAGS}*:{TAGS}*")
_CONFIGURATION = """\
[core]
\trepositoryformatversion = 0
\tbare = false
\tignorecase = true
[remote "origin"]
\turl = {url}
\tfetch = +refs/heads/*:refs/remotes/origin/*
"""


class Clones:
    """The folder of all clones.

    Args:
        root: ``repos`` in the core's working folder.
    """

    def __init__(self, git: Git, root: Path) -> None:
        self._git = git
        self._root = root

    async def open(self) -> list[Address]:
        """Make the root, remove what an earlier core left half done, and return what is there."""
        return await asyncio.to_thread(self._discover)

    def folder(self, address: Address) -> Path:
        """Return where the clone of an address is."""
        return self._root / address.identifier

    def objects(self, address: Address) -> Objects:
        """Return what reads the clone of an address."""
        return Objects(self._git, self.folder(address) / ".git", address.identifier, is_local=False)

    async def is_there(self, address: Address) -> bool:
        """True if there is a clone."""
        return await asyncio.to_thread((self.folder(address) / ".git").exists)

    async def adopt(self, address: Address) -> bool:
        """Take a clone that is there, whoever made it; False if there is none.

        Raises:
            CoreError: it takes its objects or its configuration from elsewhere.
        """
        return await asyncio.to_thread(self._adopt, address)

    async def make(self, address: Address) -> None:
        """Clone. What is cloned appears as a whole or not at all.

        Raises:
            CoreError: git says why.
        """
        log.info("repository is cloned url=%s", address.url)
        folder = await asyncio.to_thread(self._begin, address)
        try:
            await self._git.ask(folder / ".git", "init", "--quiet", "--template=")
            await asyncio.to_thread(_configure, folder / ".git", address)
            await self._git.transfer(folder / ".git", address.url, *_REFSPECS)
            await asyncio.to_thread(self._finish, folder, self.folder(address))
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def fetch(self, address: Address) -> None:
        """Bring a clone up to date. Not twice at once for the same one.

        Raises:
            CoreError: git says why; the clone stays as it was.
        """
        git_dir = self.folder(address) / ".git"
        await asyncio.to_thread(_remove_locks, git_dir)
        await self._git.transfer(git_dir, address.url, *_REFSPECS)

    async def remove(self, address: Address) -> None:
        """Delete a clone, and the folders above it that are empty then."""
        await asyncio.to_thread(self._remove, address)

    def _discover(self) -> list[Address]:
        try:
            shutil.rmtree(self._root / INCOMING, ignore_errors=True)
            (self._root / INCOMING).mkdir(parents=True)
        except OSError as error:
            raise _unwritable(self._root, error) from error
        found = []
        for folder, folders, _ in os.walk(self._root):
            name = os.path.relpath(folder, self._root)
            if name == INCOMING or name.count("/") >= MAX_DEPTH:
                folders.clear()
            elif ".git" in folders:
                folders.clear()
                try:
                    found.append(identify(name))
                except CoreError as error:
                    log.warning("a clone is passed over folder=%s error=%s", folder, error.message)
        return sorted(found, key=lambda address: address.identifier)

    def _adopt(self, address: Address) -> bool:
        git_dir = self.folder(address) / ".git"
        if not git_dir.exists():
            return False
        borrowed = [name for name in ("commondir", "objects/info/alternates") if (git_dir / name).exists()]
        configuration = git_dir / "config"
        text = configuration.read_text("utf-8", "replace") if configuration.is_file() else ""
        if git_dir.is_symlink() or not git_dir.is_dir() or borrowed or "[extensions" in text.lower():
            raise CoreError(
                Reason.REPOSITORY, f"{git_dir} is no complete clone of its own: it refers to something else",
                hint="remove the folder and add the repository again",
            )  # fmt: skip
        _configure(git_dir, address)
        return True

    def _begin(self, address: Address) -> Path:
        try:
            return Path(tempfile.mkdtemp(prefix=f"{Path(address.identifier).name}-", dir=self._root / INCOMING))
        except OSError as error:
            raise _unwritable(self._root, error) from error

    def _finish(self, folder: Path, target: Path) -> None:
        try:
            folder.chmod(0o755)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(folder, target)
        except OSError as error:
            raise _unwritable(target, error) from error

    def _remove(self, address: Address) -> None:
        folder = self.folder(address)
        if folder.exists():
            gone = Path(tempfile.mkdtemp(dir=self._root / INCOMING))
            os.rename(folder, gone / "clone")
            shutil.rmtree(gone, ignore_errors=True)
        for above in folder.parents:
            if above == self._root:
                break
            with contextlib.suppress(OSError):
                above.rmdir()


def _configure(git_dir: Path, address: Address) -> None:
    try:
        (git_dir / "config").unlink(missing_ok=True)  # it may be a link
        (git_dir / "config").write_text(_CONFIGURATION.format(url=address.url), encoding="ascii")
    except OSError as error:
        raise _unwritable(git_dir, error) from error


def _remove_locks(git_dir: Path) -> None:
    """Remove what a git left that was killed; nobody else works in a clone of ours."""
    for lock in [*git_dir.glob("*.lock"), *(git_dir / "refs").rglob("*.lock")]:
        lock.unlink(missing_ok=True)
    for part in (git_dir / "objects" / "pack").glob("tmp_*"):
        part.unlink(missing_ok=True)


def _unwritable(folder: Path, error: OSError) -> CoreError:
    return CoreError(
        Reason.REPOSITORY, f"{folder} cannot be written: {error.strerror or error}",
        hint="repositories are kept in coreWorkingDir/repos",
    )  # fmt: skip
