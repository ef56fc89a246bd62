"""Repositories that are folders of this machine: what names their content, and their history."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from git_world import Origin, flow, git

from server.api.errors import CoreError
from server.workflow.git import Git, GitSettings
from server.workflow.local import LocalRepository


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "r" / "workflows").mkdir(parents=True)
    (tmp_path / "r" / "workflows" / "flow.yaml").write_text(flow())
    return tmp_path / "r"


def local(folder: Path) -> LocalRepository:
    return LocalRepository(Git(GitSettings()), str(folder))


async def test_a_folder_without_history_is_named_by_its_content(folder: Path) -> None:
    before = await local(folder).hash()
    assert before == await local(folder).hash()
    (folder / "workflows" / "flow.yaml").write_text(flow(description="other"))
    after = await local(folder).hash()
    assert before != after
    os.mkfifo(folder / "workflows" / "pipe.yaml")
    assert await local(folder).hash() == after, "what is no file is not read"


async def test_a_work_tree_is_named_by_its_commit(folder: Path) -> None:
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    assert await local(folder).hash() == git(folder, "rev-parse", "HEAD")


async def test_a_folder_in_another_work_tree_has_no_commit_of_its_own(folder: Path) -> None:
    git(folder.parent, "init", "--quiet")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "--quiet", "-m", "one")
    one = local(folder)
    assert await one.hash() != git(folder.parent, "rev-parse", "HEAD")
    assert one.objects is None


async def test_a_bare_repository_is_read_by_its_head(tmp_path: Path) -> None:
    origin = Origin(tmp_path, "bare")
    with pytest.raises(CoreError, match="has no commits"):
        await local(origin.bare).hash()
    commit = origin.templates(flow="")
    one = local(origin.bare)
    assert await one.hash() == commit
    assert one.is_bare


async def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CoreError, match="has no folder workflows"):
        await local(tmp_path / "nowhere").hash()
