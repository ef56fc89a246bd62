"""Repositories over https and ssh, by real git: added, refreshed, removed, found again (workflows-config.md 8)."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from git_world import Origin, RepositoryWorld, false_ssh, flow, git

from server.api.errors import CoreError, Reason
from server.workflow.register import Repositories

FLOWS = "git.example/Org/Flows"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RepositoryWorld]:
    world = RepositoryWorld(tmp_path)
    yield world
    world.close()


@pytest.fixture
def origin(world: RepositoryWorld) -> Origin:
    origin = world.origin("Org/Flows")
    origin.templates(flow="first", tag="v1")
    origin.templates(flow="second", branch="dev")
    origin.templates(flow="third", branch="work/deep")
    git(origin.tree, "checkout", "--quiet", "master")
    return origin


async def described(repositories: Repositories, revision: str, repo: str = FLOWS) -> str:
    """Return the description in the workflow of a revision."""
    with repositories.lease() as fetch:
        source = await fetch(repo, revision)
        return (Path(source.folder) / "workflows" / "flow.yaml").read_text().split("!public ")[2].split("\n")[0]


def clone_of(world: RepositoryWorld, name: str = FLOWS) -> Path:
    return world.folder / "repos" / name


async def test_a_repository_is_cloned_over_https(world: RepositoryWorld, origin: Origin) -> None:
    repositories = await world.opened()
    revision, sentence = await repositories.add(f"{FLOWS}.git", "")
    assert (revision, sentence) == ("master", f"The default revision of {FLOWS} is the global default, master.")
    (listed,) = await repositories.list(with_revisions=True)
    assert (listed.name, listed.is_default, listed.default_revision) == (FLOWS, True, "master")
    assert listed.revisions == ("dev", "master"), "neither tags nor branches with a slash"
    assert [await described(repositories, one) for one in ("", "master", "v1")] == ["first"] * 3


async def test_a_repository_is_cloned_over_ssh_with_the_key_of_the_setting(world: RepositoryWorld) -> None:
    world.origin("srv/Flows").templates(flow="over ssh")
    world.git = replace(
        world.git, ssh_command=false_ssh(world.folder.parent, world.root), ssh_key="/keys/id with space"
    )
    repositories = await world.opened()
    await repositories.add("host.example:/srv/Flows", "")
    assert await described(repositories, "", "host.example:/srv/Flows") == "over ssh"
    (call,) = (world.folder.parent / "ssh-calls").read_text().splitlines()
    assert "git@host.example" in call and "git-upload-pack '/srv/Flows.git'" in call
    assert "-i /keys/id with space" in call
    assert "-oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null" in call and "-oBatchMode=yes" in call
    world.git = replace(world.git, check_host_key=True)
    await (await world.opened()).refresh(0)
    assert "-oStrictHostKeyChecking=yes" in (world.folder.parent / "ssh-calls").read_text().splitlines()[-1]


async def test_every_kind_of_revision_can_be_named(world: RepositoryWorld, origin: Origin) -> None:
    repositories = await world.opened()
    await repositories.add(FLOWS, "")
    head = git(origin.bare, "rev-parse", "work/deep")
    revisions = {
        "work/deep": "third",
        head: "third",
        head[:10]: "third",
        "v1": "first",
        "refs/heads/dev": None,
        "nope": None,
    }
    for revision, description in revisions.items():
        if description:
            assert await described(repositories, revision) == description
            continue
        with pytest.raises(CoreError, match="has no revision") as caught:
            await described(repositories, revision)
        assert caught.value.reason is Reason.REPOSITORY and "master" in caught.value.hint


async def test_a_hostile_revision_is_but_a_name_that_is_not_there(world: RepositoryWorld, origin: Origin) -> None:
    repositories = await world.opened()
    await repositories.add(FLOWS, "")
    for revision in (
        "--output=/tmp/x",
        "-h",
        "HEAD",
        "master^{tree}",
        "master\n",
        "@{-1}",
        ":/x",
        "\x1b[31m",
        "a" * 5000,
    ):
        with pytest.raises(CoreError, match="has no revision") as caught:
            await described(repositories, revision)
        assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("branch", "wanted", "overall", "chosen", "sentence"),
    [
        ("master", "v1", "master", "v1", "the requested one, v1."),
        ("master", "v*", "master", "v1", "the requested one, v1."),
        ("main", "v1", "prod", "v1", "the requested one, v1."),
        ("main", "", "main", "main", "the global default, main."),
        ("main", "nope", "main", "main", "the global default, main, as there is no nope."),
        ("main", "nope", "prod", "main", "a fallback, main, as there is no nope."),
        ("master", "", "prod", "master", "a fallback, master, as there is no prod."),
    ],
)
async def test_the_default_revision_is_the_wanted_the_global_or_a_fallback(
    world: RepositoryWorld, branch: str, wanted: str, overall: str, chosen: str, sentence: str
) -> None:
    world.origin("Org/Flows", branch=branch).templates(flow="x", tag="v1")
    repositories = await world.opened(overall=overall)
    found, told = await repositories.add(FLOWS, wanted)
    assert (found, told) == (chosen, f"The default revision of {FLOWS} is {sentence}")


async def test_a_repository_without_a_usable_revision_is_not_added(world: RepositoryWorld) -> None:
    world.origin("Org/Flows", branch="strange").templates(flow="x")
    repositories = await world.opened()
    with pytest.raises(CoreError, match="no revision nope, master or main") as caught:
        await repositories.add(FLOWS, "nope")
    assert "strange" in caught.value.hint
    assert not await repositories.list(with_revisions=False)
    assert not clone_of(world).exists() and not (world.folder / "repos" / "git.example").exists()
    assert (await repositories.add(FLOWS, "strange"))[0] == "strange"


async def test_a_repository_that_is_not_there_says_so(world: RepositoryWorld) -> None:
    repositories = await world.opened()
    with pytest.raises(CoreError, match=r"git fetch of https://git\.example/Org/Nothing\.git failed") as caught:
        await repositories.add("git.example/Org/Nothing", "")
    assert caught.value.reason is Reason.REPOSITORY and caught.value.code == "UNKNOWN" and caught.value.hint
    assert not await repositories.list(with_revisions=False)
    assert os.listdir(world.folder / "repos") == [".incoming"] and not os.listdir(world.folder / "repos" / ".incoming")


async def test_only_one_of_two_who_add_the_same_does(world: RepositoryWorld, origin: Origin) -> None:
    repositories = await world.opened()
    answers = await asyncio.gather(*(repositories.add(FLOWS, "") for _ in range(2)), return_exceptions=True)
    (refusal,) = [one for one in answers if isinstance(one, CoreError)]
    assert "Repo already present" in refusal.message and "being added" in refusal.message
    with pytest.raises(CoreError, match="Repo already present"):
        await repositories.add(FLOWS, "")


async def test_a_long_clone_holds_up_nothing_else(world: RepositoryWorld, origin: Origin) -> None:
    world.origin("Org/Other").templates(flow="other")
    repositories = await world.opened()
    await repositories.add(FLOWS, "")
    world.server.asked.clear()
    world.server.hold.clear()
    adding = asyncio.ensure_future(repositories.add("git.example/Org/Other", ""))
    await asyncio.to_thread(world.server.asked.wait, 60)
    assert [one.name for one in await repositories.list(with_revisions=True)] == [FLOWS]
    assert await described(repositories, "v1") == "first"
    assert await repositories.set_default_revision(0, "dev") == ""
    world.server.hold.set()
    await adding
    assert await described(repositories, "", "git.example/Org/Other") == "other"


async def test_a_clone_past_its_deadline_is_ended_with_all_its_processes(
    world: RepositoryWorld, origin: Origin
) -> None:
    world.git = replace(world.git, transfer_timeout_s=0.7)
    world.server.hold.clear()
    repositories = await world.opened()
    with pytest.raises(CoreError, match="longer than") as caught:
        await repositories.add(FLOWS, "")
    assert (caught.value.reason, caught.value.code) == (Reason.REPOSITORY, "UNKNOWN")
    assert not world.processes()
    assert not os.listdir(world.folder / "repos" / ".incoming")


async def test_a_clone_that_is_cancelled_leaves_nothing(world: RepositoryWorld, origin: Origin) -> None:
    world.server.hold.clear()
    repositories = await world.opened()
    adding = asyncio.ensure_future(repositories.add(FLOWS, ""))
    await asyncio.to_thread(world.server.asked.wait, 60)
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    assert not world.processes() and not os.listdir(world.folder / "repos" / ".incoming")
    world.server.hold.set()
    await repositories.add(FLOWS, "")


async def test_refreshing_brings_what_is_new_and_drops_what_is_gone(world: RepositoryWorld, origin: Origin) -> None:
    repositories = await world.opened()
    await repositories.add(FLOWS, "")
    origin.templates(flow="newer")
    git(origin.bare, "branch", "-D", "work/deep")
    origin.templates(flow="release", branch="prod", tag="v2")
    assert await described(repositories, "") == "first", "nobody has refreshed it"
    await repositories.refresh(0)
    assert [await described(repositories, one) for one in ("", "v1", "v2", "prod")] == [
        "newer",
        "first",
        "release",
        "release",
    ]
    with pytest.raises(CoreError, match="has no revision 'work/deep'"):
        await described(repositories, "work/deep")


async def test_what_a_load_uses_stays_while_it_is_refreshed(world: RepositoryWorld, origin: Origin) -> None:
    repositories = await world.opened()
    await repositories.add(FLOWS, "")
    with repositories.lease() as fetch:
        source = await fetch(FLOWS, "")
        origin.templates(flow="newer")
        await repositories.refresh(-1)
        assert "first" in (Path(source.folder) / "workflows" / "flow.yaml").read_text()
        assert (await fetch(FLOWS, "")).hash != source.hash
        assert (await fetch(FLOWS, source.hash)).folder == source.folder


async def test_with_the_network_away_all_that_can_be_is_refreshed_and_the_rest_stays(
    world: RepositoryWorld, origin: Origin
) -> None:
    local = world.folder.parent / "local"
    (local / "workflows").mkdir(parents=True)
    repositories = await world.opened()
    await repositories.add(FLOWS, "")
    await repositories.add(str(local), "")
    world.server.close()
    with pytest.raises(CoreError, match="1 of 2 repositories cannot be refreshed") as caught:
        await repositories.refresh(-1)
    assert caught.value.hint
    assert await described(repositories, "dev") == "second"
    again = await world.opened(FLOWS)
    await again.refresh_quietly()
    assert await described(again, "dev") == "second"


async def test_a_default_repository_that_was_never_cloned_must_be_there(world: RepositoryWorld) -> None:
    world.server.close()
    with pytest.raises(CoreError, match="git fetch"):
        await world.opened(FLOWS)


async def test_clones_are_found_again_with_their_revisions(world: RepositoryWorld, origin: Origin) -> None:
    world.origin("Org/Other").templates(flow="other")
    repositories = await world.opened(f"{FLOWS}/")
    await repositories.add("git.example/Org/Other", "")
    await repositories.set_default_revision(0, "v1")
    await repositories.set_default(1)
    stored = world.store.entries["default_revisions"]
    assert stored == '{\n    "git.example/Org/Flows": "v1",\n    "git.example/Org/Other": "master"\n}'
    requests = world.server.requests
    again = await world.opened(FLOWS)
    listed = await again.list(with_revisions=False)
    assert [(one.default_revision, one.is_default) for one in listed] == [("v1", False), ("master", True)]
    assert world.server.requests == requests, "nothing is fetched before the core is up"


async def test_a_clone_that_aliecs_made_is_used(world: RepositoryWorld, origin: Origin) -> None:
    clone = clone_of(world)
    clone.parent.mkdir(parents=True)
    git(clone.parent, "clone", "--quiet", str(origin.bare), clone.name)
    git(clone, "remote", "set-url", "origin", f"https://{FLOWS}.git")
    origin.templates(flow="newer")
    repositories = await world.opened()
    assert [one.name for one in await repositories.list(with_revisions=False)] == [FLOWS]
    assert await described(repositories, "work/deep") == "third"
    await repositories.refresh(-1)
    assert await described(repositories, "") == "newer"
    assert git(clone, "status", "--porcelain") == "", "its own files are as they were"


async def test_removing_deletes_the_clone_and_the_empty_folders_above(world: RepositoryWorld, origin: Origin) -> None:
    world.origin("Org/Other").templates(flow="other")
    repositories = await world.opened(FLOWS)
    await repositories.add("git.example/Org/Other", "")
    assert await repositories.remove(0) == "git.example/Org/Other", "the next one is the default"
    assert not clone_of(world).exists() and clone_of(world, "git.example/Org/Other").exists()
    assert await repositories.remove(0) == ""
    assert not (world.folder / "repos" / "git.example").exists()
    assert world.store.entries["default_repo"] == FLOWS, "the setting is the default again"
    assert json.loads(world.store.entries["default_revisions"]) == {}
    await repositories.add(FLOWS, "")


async def test_of_two_who_remove_the_same_repository_one_is_told(world: RepositoryWorld, origin: Origin) -> None:
    world.origin("Org/Other").templates(flow="other")
    repositories = await world.opened(FLOWS)
    await repositories.add("git.example/Org/Other", "")
    answers = await asyncio.gather(repositories.remove(0), repositories.remove(0), return_exceptions=True)
    assert answers[0] == "git.example/Org/Other"
    assert isinstance(answers[1], CoreError) and answers[1].message == f"{FLOWS} was removed by somebody else"
    assert [one.name for one in await repositories.list(with_revisions=False)] == ["git.example/Org/Other"]


async def test_repositories_do_not_lie_in_one_another(world: RepositoryWorld, origin: Origin) -> None:
    repositories = await world.opened(FLOWS)
    for name in (f"{FLOWS}/Inner", "git.example/Org/Flows/a/b"):
        with pytest.raises(CoreError, match="in one another"):
            await repositories.add(name, "")


async def test_the_answer_to_a_revision_that_is_not_there_lists_all(world: RepositoryWorld, origin: Origin) -> None:
    repositories = await world.opened(FLOWS)
    assert await repositories.set_default_revision(0, "nope") == "dev\nmaster\nwork/deep\nv1\n"
    assert await repositories.set_default_revision(0, "v*") == ""
    assert (await repositories.list(with_revisions=False))[0].default_revision == "v1"
    assert "bad pattern" in await repositories.set_default_revision(0, "[")


async def test_hostile_names_of_branches_do_no_harm(world: RepositoryWorld, origin: Origin) -> None:
    commit = git(origin.bare, "rev-parse", "master")
    names = ("-x", "--upload-pack=evil", "a\u202eb", "$(evil)", "';evil", "HEAD", "refs/heads/x", "a\u2028b", "ünïcode")
    for name in names:
        path = origin.bare / "refs" / "heads" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{commit}\n")
    repositories = await world.opened(FLOWS)
    (listed,) = await repositories.list(with_revisions=True)
    assert set(listed.revisions) == {"$(evil)", "';evil", "dev", "master", "ünïcode"}
    assert await described(repositories, "refs/heads/x") == "first"
    assert "-x" not in await repositories.set_default_revision(0, "nope")


async def test_what_a_killed_git_left_is_cleared(world: RepositoryWorld, origin: Origin) -> None:
    repositories = await world.opened(FLOWS)
    git_dir = clone_of(world) / ".git"
    for lock in ("packed-refs.lock", "config.lock", "refs/remotes/origin/master.lock"):
        (git_dir / lock).parent.mkdir(parents=True, exist_ok=True)
        (git_dir / lock).touch()
    half = world.folder / "repos" / ".incoming" / "Flows-half" / ".git"
    half.mkdir(parents=True)
    (world.folder / "worktrees" / "old").mkdir()
    origin.commit({"workflows/flow.yaml": flow(description="newer")})
    await repositories.refresh(-1)
    assert await described(repositories, "") == "newer"
    again = await world.opened(FLOWS)
    assert not half.exists() and not (world.folder / "worktrees" / "old").exists()
    assert await described(again, "") == "newer"
