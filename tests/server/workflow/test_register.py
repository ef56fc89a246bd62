"""Repositories: adding, removing, defaults, and what outlives the core (workflows-config.md 8)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from server.api.errors import CoreError
from server.workflow.register import Repositories
from server.workflow.repos import LOCAL


class Store:
    """Runtime entries in memory, and the folder of the core."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self.entries.get(key)

    async def put(self, key: str, value: str) -> None:
        self.entries[key] = value


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "core")


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    for name in ("a", "b", "c"):
        (tmp_path / name / "workflows").mkdir(parents=True)
    return [str(tmp_path / name) for name in ("a", "b", "c")]


async def opened(store: Store, default: str = "") -> Repositories:
    return await Repositories.open(
        store.folder, default_repo=default, global_default_revision="master", get=store.get, put=store.put
    )


def is_folder(path: str) -> bool:
    return Path(path).is_dir()


async def names(repositories: Repositories) -> list[str]:
    return [one.name for one in await repositories.list(with_revisions=False)]


async def test_repositories_are_numbered_by_identifier_and_the_first_is_the_default(
    store: Store, folders: list[str]
) -> None:
    repositories = await opened(store)
    for folder in reversed(folders):
        revision, sentence = await repositories.add(folder, "")
        assert revision == LOCAL
        assert "local" in sentence
    listed = await repositories.list(with_revisions=True)
    assert [one.name for one in listed] == folders
    assert [one.is_default for one in listed] == [False, False, True]
    assert listed[0].revisions == (LOCAL,)


async def test_a_repository_is_added_once(store: Store, folders: list[str]) -> None:
    repositories = await opened(store, folders[0])
    with pytest.raises(CoreError, match="Repo already present"):
        await repositories.add(folders[0] + "/", "")


async def test_a_folder_without_workflows_is_no_repository(store: Store, tmp_path: Path) -> None:
    with pytest.raises(CoreError, match="no folder workflows"):
        await (await opened(store)).add(str(tmp_path), "")


async def test_the_next_default_is_the_first_that_is_left(store: Store, folders: list[str]) -> None:
    repositories = await opened(store, folders[1])
    await repositories.add(folders[0], "")
    await repositories.add(folders[2], "")
    assert await repositories.remove(0) == "", "it was not the default"
    assert await repositories.remove(0) == folders[2], "that one was"
    assert await names(repositories) == [folders[2]]
    assert all(map(is_folder, folders)), "a folder of somebody's is never deleted"


async def test_what_was_set_is_there_after_a_restart(store: Store, folders: list[str]) -> None:
    repositories = await opened(store, folders[0])
    await repositories.add(folders[1], "")
    await repositories.set_default(1)
    await repositories.set_global_default_revision("main")
    again = await opened(store, folders[0])
    assert [one.is_default for one in await again.list(with_revisions=False)] == [False, True]
    assert again.global_default_revision == "main"
    assert json.loads(store.entries["default_revisions"]) == {folders[0]: LOCAL, folders[1]: LOCAL}
    assert "\n    " in store.entries["default_revisions"]


async def test_bad_indices_are_refused(store: Store, folders: list[str]) -> None:
    repositories = await opened(store, folders[0])
    for action in (repositories.remove, repositories.set_default):
        with pytest.raises(CoreError) as caught:
            await action(5)
        assert caught.value.code == "UNKNOWN"
        with pytest.raises(CoreError) as caught:
            await action(-2)
        assert caught.value.code == "INVALID_ARGUMENT"
    with pytest.raises(CoreError, match="already the default repo"):
        await repositories.set_default(0)


async def test_a_revision_that_is_not_there_is_answered_by_those_that_are(store: Store, folders: list[str]) -> None:
    repositories = await opened(store, folders[0])
    assert await repositories.set_default_revision(0, "lo*") == ""
    assert await repositories.set_default_revision(0, "v1") == "local\n"
    assert await repositories.set_default_revision(9, "v1")


async def test_a_local_repository_is_read_as_it_is_at_the_moment(store: Store, folders: list[str]) -> None:
    repositories = await opened(store, folders[0])
    with repositories.lease() as fetch:
        before = await fetch(folders[0], "")
        (Path(folders[0]) / "workflows" / "new.yaml").write_text("name: new")
        after = await fetch(folders[0], LOCAL)
    assert before.hash != after.hash
    assert before.folder == after.folder == folders[0]
