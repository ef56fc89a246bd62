"""Loading at revisions: workflows, their includes and their tasks, of one repository and of several (workflows-config.md 8.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from git_world import TASK, Origin, RepositoryWorld, flow, git

from server.api.errors import CoreError, Reason
from server.template.model import LoadedRole, LoadedWorkflow
from server.workflow.loader import WorkflowLoader
from server.workflow.register import Repositories

FLOWS, OTHER = "git.example/Org/Flows", "git.example/Org/Other"


class Desk:
    """Loads workflows as the core does."""

    def __init__(self, repositories: Repositories, loader: WorkflowLoader) -> None:
        self.repositories = repositories
        self.loader = loader

    async def load(self, expression: str) -> LoadedWorkflow:
        return await self.loader.load(
            expression, user_vars={}, defaults={}, vars={}, repos=self.repositories.describe()
        )

    async def refused(self, expression: str) -> CoreError:
        with pytest.raises(CoreError) as caught:
            await self.load(expression)
        return caught.value


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[RepositoryWorld]:
    world = RepositoryWorld(tmp_path)
    yield world
    world.close()


@pytest.fixture
def origin(world: RepositoryWorld) -> Origin:
    origin = world.origin("Org/Flows")
    origin.templates(flow="first", tag="v1")
    origin.templates(flow="second")
    return origin


@pytest.fixture
async def desk(world: RepositoryWorld, origin: Origin, tmp_path: Path) -> AsyncIterator[Desk]:
    configuration = tmp_path / "configuration.yaml"
    configuration.write_text("o2: {}\n")
    repositories = await world.opened(FLOWS)
    loader = WorkflowLoader(
        configuration=f"file://{configuration}", instance=world.instance, deadline_s=60, repositories=repositories
    )
    await loader.start()
    yield Desk(repositories, loader)
    await loader.close()


def classes(workflow: LoadedWorkflow) -> set[str]:
    """Return the identifiers of the task classes."""
    return {one.identifier for one in workflow.classes.values()}


def loads(role: LoadedRole) -> list[str]:
    return ([role.load] if role.load else []) + [load for child in role.roles for load in loads(child)]


@pytest.mark.parametrize(
    "expression", ["flow@v1", "flow.yaml@v1", f"{FLOWS}/workflows/flow@v1", f"{FLOWS}.git/workflows/flow.yaml@v1"]
)
async def test_a_workflow_is_loaded_at_a_revision_with_its_tasks(desk: Desk, origin: Origin, expression: str) -> None:
    workflow = await desk.load(expression)
    commit = git(origin.bare, "rev-parse", "v1^{commit}")
    told = workflow.template
    assert (told.repo, told.name, told.revision, told.hash) == (FLOWS, "flow", "v1", commit)
    assert told.description == "first"
    assert classes(workflow) == {f"{FLOWS}/tasks/x@{commit}"} == set(loads(workflow.root))


async def test_without_a_revision_it_is_the_default_one_whatever_was_used_last(desk: Desk) -> None:
    await desk.load("flow@v1")
    assert (await desk.load("flow")).template.description == "second"
    await desk.repositories.set_default_revision(0, "v1")
    assert (await desk.load("flow")).template.description == "first"
    assert (await desk.load("flow@master")).template.revision == "master"


async def test_two_revisions_are_loaded_at_once(desk: Desk) -> None:
    expressions = ["flow@v1", "flow@master"] * 4
    loaded = await asyncio.gather(*map(desk.load, expressions))
    assert [one.template.description for one in loaded] == ["first", "second"] * 4
    assert len({frozenset(classes(one)) for one in loaded}) == 2


async def test_includes_are_of_the_revision_of_their_parent(desk: Desk, origin: Origin) -> None:
    include = "name: top\nroles: [{name: i, include: part}]\n"
    origin.commit({"workflows/top.yaml": include, "workflows/part.yaml": flow("part", task="old"),
                   "tasks/old.yaml": TASK.format(name="old")}, tag="v3")  # fmt: skip
    (origin.tree / "tasks" / "old.yaml").unlink()
    origin.commit({"workflows/part.yaml": flow("part", task="x")})
    await desk.repositories.refresh(-1)
    commit = git(origin.bare, "rev-parse", "v3^{commit}")
    assert classes(await desk.load("top@v3")) == {f"{FLOWS}/tasks/old@{commit}"}
    assert classes(await desk.load("top")) == {f"{FLOWS}/tasks/x@{git(origin.bare, 'rev-parse', 'master')}"}


async def test_an_include_may_name_another_revision_whose_tasks_then_count(desk: Desk, origin: Origin) -> None:
    top = f"name: top\nroles:\n - {{name: a, include: flow@v1}}\n - {{name: b, include: {FLOWS}/workflows/flow}}\n"
    commit = origin.commit({"workflows/top.yaml": top, "tasks/x.yaml": TASK.format(name="x") + "vars: {new: '1'}\n"})
    await desk.repositories.refresh(-1)
    workflow = await desk.load("top")
    old = git(origin.bare, "rev-parse", "v1^{commit}")
    assert loads(workflow.root) == [f"{FLOWS}/tasks/x@{old}", f"{FLOWS}/tasks/x@{commit}"]
    assert [workflow.classes[one].vars for one in loads(workflow.root)] == [{}, {"new": "1"}]


async def test_another_repository_has_its_own_default_revision(
    desk: Desk, world: RepositoryWorld, origin: Origin
) -> None:
    theirs = world.origin("Org/Other", branch="main").templates(part="theirs", branch="main")
    top = (
        f"name: top\nroles:\n - {{name: a, include: {OTHER}/workflows/part}}\n"
        f" - {{name: b, task: {{load: {OTHER}/tasks/x}}}}\n"
    )
    ours = origin.commit({"workflows/top.yaml": top})
    await desk.repositories.refresh(-1)
    error = await desk.refused("top")
    assert error.reason is Reason.REPOSITORY and f"unknown repo {OTHER}" in error.message
    assert error.where["role"] == "top.a" and error.where["file"] == "workflows/top.yaml"
    await desk.repositories.add(OTHER, "")
    workflow = await desk.load("top")
    assert loads(workflow.root) == [f"{OTHER}/tasks/x@{theirs}", f"{OTHER}/tasks/x@{ours}"]
    assert classes(workflow) == {f"{OTHER}/tasks/x@{theirs}"}


async def test_a_task_brings_in_its_repository_while_others_load(
    desk: Desk, world: RepositoryWorld, origin: Origin
) -> None:
    theirs = world.origin("Org/Other").templates(part="")
    origin.commit({"workflows/top.yaml": flow("top", task=f"{OTHER}/tasks/x")})
    await desk.repositories.refresh(-1)
    world.server.asked.clear()
    world.server.hold.clear()
    loading = asyncio.ensure_future(desk.load("top"))
    await asyncio.to_thread(world.server.asked.wait, 60)
    assert (await desk.load("flow@v1")).template.description == "first"
    world.server.hold.set()
    assert classes(await loading) == {f"{OTHER}/tasks/x@{theirs}"}
    assert [one.name for one in await desk.repositories.list(with_revisions=False)] == [FLOWS, OTHER]


async def test_two_loads_bring_in_one_repository(desk: Desk, world: RepositoryWorld, origin: Origin) -> None:
    theirs = world.origin("Org/Other").templates(part="")
    origin.commit({"workflows/top.yaml": flow("top", task=f"{OTHER}/tasks/x")})
    await desk.repositories.refresh(-1)
    loaded = await asyncio.gather(*(desk.load("top") for _ in range(3)))
    assert {identifier for one in loaded for identifier in classes(one)} == {f"{OTHER}/tasks/x@{theirs}"}


async def test_a_task_that_is_nowhere_says_where_it_was_looked_for(desk: Desk, origin: Origin) -> None:
    origin.commit({"workflows/top.yaml": flow("top", task="git.example/No/Where/tasks/x")})
    await desk.repositories.refresh(-1)
    error = await desk.refused("top")
    assert error.reason is Reason.REPOSITORY and "git fetch of https://git.example/No/Where.git failed" in error.message
    assert (error.where["role"], error.where["line"]) == ("top.t", "2")


async def test_a_task_brings_in_no_folder_of_this_machine(desk: Desk, origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "secret" / "workflows").mkdir(parents=True)
    origin.commit({"workflows/top.yaml": flow("top", task=f"{tmp_path}/secret/tasks/x")})
    await desk.repositories.refresh(-1)
    assert "unknown repo" in (await desk.refused("top")).message


async def test_a_task_with_a_revision_of_its_own_is_refused(desk: Desk, origin: Origin) -> None:
    origin.commit({"workflows/top.yaml": flow("top", task=f"{FLOWS}/tasks/x@v1")})
    await desk.repositories.refresh(-1)
    error = await desk.refused("top")
    assert (error.reason, error.where["role"]) == (Reason.TEMPLATE_BROKEN, "top.t")
    assert f"'{FLOWS}/tasks/x@v1' is named with a revision" in error.message and error.hint


@pytest.mark.parametrize(
    ("expression", "reason", "why"),
    [
        ("flow@nope", Reason.REPOSITORY, "has no revision 'nope'"),
        ("git.example/No/Where/workflows/flow", Reason.REPOSITORY, "Workflow comes from an unknown repo"),
        ("nowhere/workflows/flow", Reason.REPOSITORY, "Workflow comes from an unknown repo"),
        (f"{FLOWS}/workflows/a/workflows/flow", Reason.BAD_REQUEST, "expected"),
        (f"https://{FLOWS}/workflows/flow", Reason.BAD_REQUEST, "not implemented"),
        ("flow@a@b", Reason.BAD_REQUEST, "expected"),
        ("flo", Reason.TEMPLATE_NOT_FOUND, "no workflow template 'flo'"),
        ("../../etc/passwd", Reason.TEMPLATE_NOT_FOUND, "no workflow template"),
    ],
)
async def test_expressions_that_name_nothing_are_refused(desk: Desk, expression: str, reason: Reason, why: str) -> None:
    error = await desk.refused(expression)
    assert error.reason is reason and why in error.message


async def test_a_hostile_revision_is_refused_and_another_one_loads(desk: Desk, origin: Origin) -> None:
    (origin.tree / "workflows" / "x.yaml").symlink_to("/etc/passwd")
    origin.commit({}, branch="hostile")
    loop = "name: loop\nroles: [{name: a, include: loop}]\n"
    many = "name: many\nroles: [{name: 'a{{ i }}', for: {begin: 0, end: 999999999, var: i}, task: {load: x}}]\n"
    (origin.tree / "workflows" / "x.yaml").unlink()
    origin.commit({"workflows/loop.yaml": loop, "workflows/many.yaml": many}, branch="endless")
    await desk.repositories.refresh(-1)
    error = await desk.refused("flow@hostile")
    assert error.reason is Reason.REPOSITORY and "workflows/x.yaml is a link that leads out" in error.message
    assert "grows deeper" in (await desk.refused("loop@endless")).message
    assert "grows beyond" in (await desk.refused("many@endless")).message
    assert (await desk.load("flow@v1")).template.description == "first"


async def test_a_local_repository_has_its_history_too(desk: Desk, origin: Origin) -> None:
    await desk.repositories.add(str(origin.tree), "")
    await desk.repositories.add(str(origin.bare), "")
    (origin.tree / "workflows" / "flow.yaml").write_text(flow(description="not committed"))
    tree, bare = (f"{folder}/workflows/flow" for folder in (origin.tree, origin.bare))
    for expression, description in (
        (tree, "not committed"), (f"{tree}@local", "not committed"), (f"{tree}@v1", "first"), (f"{tree}@HEAD~1", None),
        (bare, "second"), (f"{bare}@local", "second"), (f"{bare}@v1", "first"), (f"{bare}@nope", None),
    ):  # fmt: skip
        if description is None:
            assert "has no revision" in (await desk.refused(expression)).message
        else:
            assert (await desk.load(expression)).template.description == description
    assert git(origin.tree, "status", "--porcelain") == "M workflows/flow.yaml"
