"""The objects of a git folder: refs, commits, the files of a commit. Reads only, and nothing is ever checked out.

The files are not trusted: their names, kinds, sizes and number are looked at before any is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from server.api.errors import CoreError, Reason
from server.workflow.git import Git, GitTimeout
from server.workflow.revisions import HEADS, REF_FORMAT, REMOTE_HEADS, TAGS, Refs, is_hash, read_refs

MAX_FILES = 10_000
"""In one commit, of the folders that are read."""
MAX_BYTES = 64 * 1024 * 1024
"""Of all of them together."""
_LINE = 512
"""Bytes that a file may take in a list of files, on average."""
_HEX = re.compile(r"[0-9a-f]{7,40}")
REGULAR, EXECUTABLE, LINK = "100644", "100755", "120000"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a commit."""

    path: str
    mode: str
    object_id: str
    size: int


class Objects:
    """Reads one git folder.

    Args:
        folder: ``.git`` of a clone, or a bare repository.
        name: of the repository, for errors.
        is_local: its branches are its own; else those of its origin count.
    """

    def __init__(self, git: Git, folder: Path, name: str, *, is_local: bool) -> None:
        self.folder = folder
        self.name = name
        self._git = git
        self._branches = (HEADS, REMOTE_HEADS) if is_local else (REMOTE_HEADS,)
        self._commits: dict[str, str] = {}
        """By objects that name them, which is for ever."""

    async def refs(self) -> Refs:
        """Return branches and tags."""
        found = await self._git.ask(
            self.folder, "for-each-ref", f"--format={REF_FORMAT}", *self._branches, TAGS
        )  # fmt: skip
        return read_refs(found.decode("utf-8", "replace"), self._branches)

    async def commit(self, name: str) -> str | None:
        """Return the full hash of the commit that a hash or HEAD names, None if there is none."""
        if name in self._commits:
            return self._commits[name]
        if name != "HEAD" and not _HEX.fullmatch(name):
            return None
        try:
            found = await self._git.ask(
                self.folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
            )
        except GitTimeout:
            raise
        except CoreError:
            return None  # that is how it says that there is none
        commit = found.decode("ascii").strip()
        if is_hash(name):
            self._commits[name] = commit
        return commit

    async def entries(self, commit: str, *folders: str) -> list[Entry]:
        """Return the files and links below some folders; submodules are passed over.

        Raises:
            CoreError: too many, or a name that leads elsewhere.
        """
        listed = await self._git.ask(
            self.folder, "ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", *folders, limit=MAX_FILES * _LINE
        )  # fmt: skip
        entries = []
        for record in listed.split(b"\0")[:-1]:
            facts, _, raw = record.partition(b"\t")
            mode, kind, object_id, size = facts.decode("ascii").split()
            if kind == "blob":
                entries.append(Entry(self._path(commit, raw), mode, object_id, int(size)))
        if len(entries) > MAX_FILES:
            raise self.refused(commit, f"it has {len(entries)} files, {MAX_FILES} are allowed")
        return entries

    async def read(self, commit: str, entries: Sequence[Entry]) -> dict[str, bytes]:
        """Return the content of files by their object.

        Raises:
            CoreError: they are too large together.
        """
        sizes = {entry.object_id: entry.size for entry in entries}
        total = sum(sizes.values())
        if total > MAX_BYTES:
            raise self.refused(commit, f"its files have {total} bytes together, {MAX_BYTES} are allowed")
        if not sizes:
            return {}
        asked = "".join(f"{object_id}\n" for object_id in sizes).encode("ascii")
        answer = await self._git.ask(
            self.folder, "cat-file", "--batch", data=asked, limit=total + len(sizes) * 100
        )  # fmt: skip
        contents: dict[str, bytes] = {}
        at = 0
        for object_id, size in sizes.items():
            start = answer.index(b"\n", at) + 1
            if answer[at:start] != f"{object_id} blob {size}\n".encode("ascii"):
                raise self.refused(commit, f"object {object_id} is missing", "remove the repository and add it again")
            contents[object_id] = answer[start : start + size]
            at = start + size + 1
        return contents

    def refused(self, commit: str, why: str, hint: str = "") -> CoreError:
        """Return the error of a commit that is not taken."""
        return CoreError(Reason.REPOSITORY, f"repository {self.name} at {commit[:12]} is refused: {why}", hint=hint)

    def _path(self, commit: str, raw: bytes) -> str:
        try:
            path = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self.refused(commit, f"the name of file {raw!r} is not UTF-8") from None
        if not path.isprintable() or any(part in ("", ".", "..", ".git") for part in path.split("/")):
            raise self.refused(commit, f"file {path!r} has a name that is not taken")
        return path
