"""A revision of a repository as a folder, for as long as it is looked at."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from server.api.errors import CoreError, Reason
from server.workflow.git import Git, GitSettings
from server.workflow.local import LocalRepository
from server.workflow.worktrees import Worktrees


@contextlib.contextmanager
def written_out(repository: Path, revision: str) -> Iterator[Path]:
    """Give a folder with the templates of a branch, tag or commit; it is removed afterwards.

    Raises:
        CoreError: no git repository, no such revision, or one that is refused.
    """
    with tempfile.TemporaryDirectory(prefix="aliecs-lint-") as folder:
        yield asyncio.run(_write(repository, revision, Path(folder)))


async def _write(repository: Path, revision: str, root: Path) -> Path:
    local = LocalRepository(Git(GitSettings()), str(repository))
    await local.open()
    objects = local.objects
    if objects is None:
        raise CoreError(Reason.REPOSITORY, f"{repository} is no git repository, hence has no revision {revision!r}")
    commit = await objects.commit((await objects.refs()).find(revision) or revision)
    if commit is None:
        raise CoreError(
            Reason.REPOSITORY, f"repository {repository} has no revision {revision!r}",
            hint="a branch, a tag or a commit is expected",
        )  # fmt: skip
    worktrees = Worktrees(root)
    await worktrees.open()
    with worktrees.use() as used:
        return await worktrees.folder(objects, commit, used)
