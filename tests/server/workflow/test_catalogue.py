"""Listing templates over repositories and revisions (workflows-config.md 4.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from git_world import Origin, RepositoryWorld, flow, git

from server.api.errors import CoreError
from server.workflow.catalogue import Catalogue
from server.workflow.listing import TemplateListing
from server.workflow.loader import WorkflowLoader
from server.workflow.register import Repositories

FLOWS, OTHER = "git.example/Org/Flows", "git.example/Org/Other"


class Desk:
    """Asks a catalogue as a client does."""

    def __init__(self, repositories: Repositories, loader: WorkflowLoader) -> None:
        self.repositories = repositories
        self.loader = loader
        self.vars: dict[str, str] = {}
        self.catalogue = Catalogue(repositories, loader, self.configured)

    async def configured(self) -> dict[str, str]:
        return self.vars

    async def whole(
        self, repo: str = "", revision: str = "", *, branches: bool = False, tags: bool = False, every: bool = False
    ) -> Sequence[TemplateListing]:
        return await self.catalogue.templates(repo, revision, all_branches=branches, all_tags=tags, all_workflows=every)

    async def short(self, repo: str = "", revision: str = "", **flags: bool) -> list[str]:
        found = await self.whole(repo, revision, **flags)
        return [
            f"{one.repo.rpartition('/')[2]}/{one.template}@{one.revision} {one.description}".strip() for one in found
        ]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[RepositoryWorld]:
    world = RepositoryWorld(tmp_path)
    yield world
    world.close()


@pytest.fixture
def origin(world: RepositoryWorld) -> Origin:
    origin = world.origin("Org/Flows")
    origin.templates(flow="first", tag="v1")
    origin.templates(flow="second", calibration="new", tag="v2")
    origin.templates(flow="third", branch="work/deep")
    world.origin("Org/Other").templates(flow="other")
    return origin


@pytest.fixture
async def desk(world: RepositoryWorld, origin: Origin, tmp_path: Path) -> AsyncIterator[Desk]:
    configuration = tmp_path / "configuration.yaml"
    configuration.write_text("o2: {}\n")
    repositories = await world.opened()
    await repositories.add(FLOWS, "")
    await repositories.add(OTHER, "")
    loader = WorkflowLoader(
        configuration=f"file://{configuration}", instance=world.instance, deadline_s=60, repositories=repositories
    )
    await loader.start()
    yield Desk(repositories, loader)
    await loader.close()


async def test_patterns_choose_repositories_and_revisions(desk: Desk) -> None:
    assert await desk.short() == ["Flows/calibration@master new", "Flows/flow@master second", "Other/flow@master other"]
    assert await desk.short("1") == await desk.short("*/Other") == ["Other/flow@master other"]
    assert await desk.short("*/Flows", "v1") == ["Flows/flow@v1 first"]
    assert await desk.short("", "{work/*,v1}") == [
        "Flows/calibration@work/deep new", "Flows/flow@work/deep third", "Flows/flow@v1 first",
    ]  # fmt: skip
    assert [one.partition(" ")[0] for one in await desk.short("0", tags=True)] == [
        "Flows/flow@v1", "Flows/calibration@v2", "Flows/flow@v2",
    ]  # fmt: skip
    assert len(await desk.short(branches=True)) == 5 and len(await desk.short(branches=True, tags=True)) == 8
    assert await desk.short("nothing*") == await desk.short("", "nothing*") == []


async def test_a_full_hash_is_a_revision_and_a_foreign_one_is_none(desk: Desk, origin: Origin) -> None:
    commit = git(origin.bare, "rev-parse", "v1^{commit}")
    assert await desk.short("", commit) == [f"Flows/flow@{commit} first"]
    assert await desk.short("", "0" * 40) == []


@pytest.mark.parametrize(
    ("repo", "revision", "branches", "why"),
    [
        ("7", "", False, "no repository with index 7"),
        ("-1", "", False, "no repository with index -1"),
        ("", "v1", True, "together with all branches or tags"),
        ("[", "", False, "bad pattern"),
        ("", "{", False, "bad pattern"),
    ],
)
async def test_patterns_that_mean_nothing_are_refused(
    desk: Desk, repo: str, revision: str, branches: bool, why: str
) -> None:
    with pytest.raises(CoreError, match=why) as caught:
        await desk.whole(repo, revision, branches=branches)
    assert caught.value.code == "INVALID_ARGUMENT"


async def test_a_broken_file_is_left_out_and_told(desk: Desk, origin: Origin, caplog: pytest.LogCaptureFixture) -> None:
    (origin.tree / "workflows" / "link.yaml").symlink_to("/etc/passwd")
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(8)
    )
    origin.commit(
        {
            "workflows/broken.yaml": "name: !public [\n", "workflows/bomb.yaml": bomb, "workflows/huge.yaml": "x" * 5_000_000,
            "workflows/flow.yaml": flow(description="fine"), "workflows/sub/inner.yaml": flow("inner"),
        },
        branch="master",
    )  # fmt: skip
    await desk.repositories.refresh(-1)
    assert "Flows/flow@master fine" in await desk.short("0", every=True)
    assert not [one for one in await desk.short("0", every=True) if "/flow@" not in one and "/calibration@" not in one]
    assert {f"workflows/{name}.yaml" in caplog.text for name in ("broken", "bomb", "huge")} == {True}


async def test_a_variable_that_is_declared_twice_fails_all_of_it(desk: Desk, origin: Origin) -> None:
    twice = "defaults: {a: !public {}}\nroles: [{vars: {a: !public {}}}]\n"
    origin.commit({"workflows/hidden.yaml": f"name: hidden\n{twice}"}, branch="master")
    await desk.repositories.refresh(-1)
    assert len(await desk.short()) == 3, "it is not public"
    with pytest.raises(CoreError, match=r"Flows@master: workflows/hidden\.yaml:3:.*declared twice"):
        await desk.short(every=True)


async def test_values_of_the_configuration_replace_defaults_but_not_vars(desk: Desk, origin: Origin) -> None:
    text = "name: !public w\ndefaults: {a: !public {value: 1}, b: !public {value: 1}}\nvars: {c: !public {value: 1}}\n"
    origin.commit({"workflows/w.yaml": text}, branch="master")
    await desk.repositories.refresh(-1)
    desk.vars = {"a": "9", "c": "9"}
    (one,) = [one for one in await desk.whole("0") if one.template == "w"]
    assert {name: spec.default for name, spec in one.variables.items()} == {"a": "9", "b": "1", "c": "1"}


async def test_repositories_with_the_same_revision_do_not_mix(desk: Desk) -> None:
    for _ in range(2):
        assert await desk.short("1", "master") == ["Other/flow@master other"]
        assert await desk.short("0", "master") == ["Flows/calibration@master new", "Flows/flow@master second"]


async def test_listing_disturbs_nothing_and_what_is_known_is_not_read_again(desk: Desk, world: RepositoryWorld) -> None:
    await desk.short(branches=True, tags=True)
    assert list((world.folder / "worktrees").iterdir()) == []
    assert not (world.folder / "repos" / FLOWS / "workflows").exists()
    known = dict(desk.catalogue._known)
    await desk.loader.close()
    pid = desk.loader.pid
    assert len(await desk.short(branches=True, tags=True)) == 8
    assert desk.loader.pid == pid, "the loader was not asked"
    assert desk.catalogue._known == known


async def test_a_local_repository_lists_what_is_there_now(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "local"
    (folder / "workflows").mkdir(parents=True)
    (folder / "workflows" / "mine.yaml").write_text(flow("mine"))
    await desk.repositories.add(str(folder), "")
    assert await desk.short(str(folder)) == await desk.short(str(folder), "loc*") == ["local/mine@local"]
    (folder / "workflows" / "mine.yaml").write_text(flow("mine", description="changed"))
    assert await desk.short(str(folder)) == ["local/mine@local changed"]
    assert await desk.short(str(folder), "v1") == []


async def test_tags_that_name_no_commit_do_not_keep_the_others_from_being_listed(desk: Desk, origin: Origin) -> None:
    blob = git(origin.bare, "hash-object", "-w", "--stdin", data=b"a key")
    git(origin.bare, "tag", "key", blob)
    await desk.repositories.refresh(-1)
    assert {one.revision for one in await desk.whole("*Flows", tags=True)} == {"v1", "v2"}
