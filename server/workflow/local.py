"""Repositories that are folders of this machine, opened in place (workflows-config.md 8.1).

Their one listed revision is ``local``: the files as they are. What git knows of them can be named all the same.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from server.api.errors import CoreError, Reason
from server.template.documents import MAX_BYTES
from server.workflow.git import Git
from server.workflow.objects import Objects


class LocalRepository:
    """One folder.

    Attributes:
        objects: reads its history; None if it has none.
        is_bare: it has nothing but its history, of which ``local`` is HEAD.
    """

    def __init__(self, git: Git, identifier: str) -> None:
        self.folder = Path(identifier)
        self.is_bare = False
        self.objects: Objects | None = None
        self._git = git

    async def open(self) -> None:
        """Look at the folder.

        Raises:
            CoreError: it is not there, or is no repository of workflows.
        """
        git_dir, self.is_bare = await asyncio.to_thread(self._look)
        self.objects = Objects(self._git, git_dir, str(self.folder), is_local=True) if git_dir else None

    async def hash(self) -> str:
        """Return the commit of HEAD, else a name for the content of the folder.

        Raises:
            CoreError: the folder is gone, or a bare repository is empty.
        """
        await self.open()
        if self.objects and (commit := await self.objects.commit("HEAD")):
            return commit
        if self.is_bare:
            raise CoreError(Reason.REPOSITORY, f"repository {self.folder} has no commits", hint="push one")
        return await asyncio.to_thread(_content_hash, self.folder)

    def _look(self) -> tuple[Path | None, bool]:
        if (self.folder / "workflows").is_dir():
            git_dir = self.folder / ".git"  # a folder inside another work tree has no commits of its own
            return (git_dir if git_dir.exists() else None), False
        if (self.folder / "HEAD").is_file() and (self.folder / "objects").is_dir():
            return self.folder, True
        raise CoreError(
            Reason.REPOSITORY, f"repository {self.folder} has no folder workflows",
            hint="expected are workflows/ and tasks/, or a bare git repository",
        )  # fmt: skip


def _content_hash(folder: Path) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    for path in sorted((*folder.glob("workflows/*.yaml"), *folder.glob("tasks/*.yaml"))):
        if path.is_file() and path.stat().st_size <= MAX_BYTES:  # others are refused when they are loaded
            digest.update(f"{path.name}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
