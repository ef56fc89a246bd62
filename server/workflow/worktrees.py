"""The files of commits as folders, one per commit, so that environments use several revisions at once.

Written from git's objects: no checkout, hence no filters, hooks, attributes or links. A cache: emptied when a core starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import posixpath
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from server.api.errors import CoreError, Reason
from server.template.documents import MAX_BYTES
from server.workflow.objects import EXECUTABLE, LINK, REGULAR, Entry, Objects

log = logging.getLogger(__name__)

FOLDERS = ("workflows", "tasks", "jit")
"""What a repository is read for."""
MAX_KEPT = 32
"""Folders that stay when nobody uses them."""
MAX_UNUSED_S = 7 * 24 * 3600.0
MAX_LINK = 1024
"""Bytes of a link."""
MAX_HOPS = 8
"""Links one after the other."""
_HIDDEN = "."


class Worktrees:
    """All folders of one core. Used from one loop."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._making: dict[str, asyncio.Lock] = {}
        self._used_at: dict[str, float] = {}
        self._users: Counter[str] = Counter()

    async def open(self) -> None:
        """Make the root, empty."""
        await asyncio.to_thread(_empty, self._root)

    @contextlib.contextmanager
    def use(self) -> Iterator[list[str]]:
        """Give a list; commits that are put into it are kept until the end of the context."""
        commits: list[str] = []
        try:
            yield commits
        finally:
            self._users.subtract(Counter(commits))
            for commit in set(commits):
                if not self._users[commit]:
                    del self._users[commit]
                    if commit not in self._used_at:  # it could not be made
                        self._making.pop(commit, None)

    async def folder(self, objects: Objects, commit: str, used: list[str]) -> Path:
        """Return the folder of a commit, made if it is not there.

        Args:
            used: of use().

        Raises:
            CoreError: a file is too large, a link leads out of the tree, and the like.
        """
        self._users[commit] += 1
        used.append(commit)
        target = self._root / commit
        async with self._making.setdefault(commit, asyncio.Lock()):
            if commit not in self._used_at or not await asyncio.to_thread(target.is_dir):
                entries = await objects.entries(commit, *FOLDERS)
                files = await _resolved(objects, commit, entries)
                contents = await objects.read(commit, list(files.values()))
                await asyncio.to_thread(self._write, target, files, contents)
            self._used_at[commit] = time.monotonic()
        return target

    async def prune(self) -> None:
        """Remove what was not used for long, or is more than are kept; never what is in use."""
        now = time.monotonic()
        idle = sorted((at, commit) for commit, at in self._used_at.items() if commit not in self._users)
        over = len(idle) - MAX_KEPT
        for number, (at, commit) in enumerate(idle):
            if commit in self._users or commit not in self._used_at:
                continue  # taken into use, or removed by another, while the one before was removed
            if number < over or now - at > MAX_UNUSED_S:
                del self._used_at[commit]
                self._making.pop(commit, None)
                gone = self._root / f"{_HIDDEN}{commit}"
                with contextlib.suppress(FileNotFoundError):  # somebody has removed it by hand
                    os.rename(self._root / commit, gone)
                await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)
                log.info("worktree removed commit=%s", commit)

    def _write(self, target: Path, files: Mapping[str, Entry], contents: Mapping[str, bytes]) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix=_HIDDEN, dir=self._root) as temporary:
                made = Path(temporary) / target.name
                for folder in FOLDERS:
                    (made / folder).mkdir(parents=True)
                for path, entry in files.items():
                    (made / path).parent.mkdir(parents=True, exist_ok=True)
                    (made / path).write_bytes(contents[entry.object_id])
                    if entry.mode == EXECUTABLE:
                        (made / path).chmod(0o755)
                os.rename(made, target)
        except OSError as error:
            raise CoreError(
                Reason.REPOSITORY, f"worktree {target} cannot be written: {error.strerror or error}",
                hint="is the disk of coreWorkingDir full?",
            ) from error  # fmt: skip


async def _resolved(objects: Objects, commit: str, entries: Sequence[Entry]) -> dict[str, Entry]:
    """Return regular files by path; a link is the file that it names, or is left out if it names none.

    Raises:
        CoreError: a file is too large, or a link leads out of the tree.
    """
    by_path = {entry.path: entry for entry in entries}
    links = [entry for entry in entries if entry.mode == LINK]
    for entry in entries:
        allowed = MAX_LINK if entry.mode == LINK else MAX_BYTES
        if entry.size > allowed:
            raise objects.refused(commit, f"{entry.path} has {entry.size} bytes, {allowed} are allowed")
    texts = await objects.read(commit, links)
    files = {entry.path: entry for entry in entries if entry.mode in (REGULAR, EXECUTABLE)}
    for link in links:
        found: Entry | None = link
        for _ in range(MAX_HOPS):
            if found is None or found.mode != LINK:
                break
            target = texts[found.object_id].decode("utf-8", "replace")
            path = posixpath.normpath(posixpath.join(posixpath.dirname(found.path), target))
            if path.split("/")[0] not in FOLDERS:
                raise objects.refused(commit, f"{link.path} is a link that leads out of the tree, to {target!r}")
            found = by_path.get(path)
        if found is not None and found.mode in (REGULAR, EXECUTABLE):
            files[link.path] = found
    return files


def _empty(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True, exist_ok=True)
