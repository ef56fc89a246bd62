"""Repositories over the network with a real core: two revisions at once, a core killed while it clones, the network away."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from facility import Facility, error_info
from git_world import GitServer, Origin

from server.api import o2control_pb2 as pb

HERE = Path(__file__).resolve().parent
FLOWS = "git.example/Org/Flows"


@pytest.fixture
def origins(tmp_path: Path) -> Path:
    (tmp_path / "origins").mkdir()
    return tmp_path / "origins"


@pytest.fixture
async def server(origins: Path) -> AsyncIterator[GitServer]:
    server = GitServer(origins)
    yield server
    server.close()


@pytest.fixture
def origin(origins: Path) -> Origin:
    """Return the repository of these tests at two revisions, whose tasks have different classes."""
    origin = Origin(origins, "Org/Flows")
    shutil.copytree(HERE / "repository", origin.tree, dirs_exist_ok=True)
    origin.commit({}, tag="v1")
    flow = (origin.tree / "workflows" / "flow.yaml").read_text()
    origin.commit({"workflows/flow.yaml": flow.replace("A source and a sink", "Another source and a sink")})
    return origin


@pytest.fixture
async def facility(
    tmp_path: Path, server: GitServer, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Facility]:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    facility = Facility(tmp_path, Path(FLOWS), reposGitConfig=",".join(server.configuration), reposFetchTimeout="30s")
    async with facility:
        yield facility


async def test_two_environments_use_two_revisions_at_once(facility: Facility) -> None:
    code, told = await facility.aliecs("repo", "ls", "--revisions")
    assert code == 0 and told.splitlines()[-1].split() == ["0", FLOWS, "YES", "master", "master"]
    old, new = await asyncio.gather(
        facility.create(f"{FLOWS}/workflows/flow@v1", ["flp001"]), facility.create("flow", ["flp002"])
    )
    assert [one.description.partition(" source")[0] for one in (old, new)] == ["A", "Another"]
    hashes = [{task.className.rpartition("@")[2] for task in environment.tasks} for environment in (old, new)]
    assert [len(one) for one in hashes] == [1, 1] and hashes[0] != hashes[1]
    worktrees = facility.state / "worktrees"
    assert {path.name for path in worktrees.iterdir()} == hashes[0] | hashes[1]
    code, told = await facility.aliecs("templ", "ls", "--all-tags")
    assert code == 0 and "[revision] v1" in told and "flow  A source and a sink on every host" in told
    for environment in (old, new):
        assert (await facility.ask(environment.id, "START_ACTIVITY")).state == "RUNNING"
    await facility.control.RefreshRepos(pb.RefreshReposRequest(index=-1), timeout=60)
    for environment in (old, new):
        await facility.destroy(environment.id, allowInRunningState=True, force=True)


async def test_the_console_adds_chooses_and_removes(facility: Facility, origins: Path) -> None:
    Origin(origins, "Org/Other", branch="main").templates(other="theirs")
    code, told = await facility.aliecs("repo", "add", "git.example/Org/Other", "--yes")
    assert code == 0 and "a fallback, main, as there is no master" in told
    code, told = await facility.aliecs("repo", "add", "git.example/Org/Other", "--yes")
    assert code and "Repo already present: git.example/Org/Other" in told
    code, told = await facility.aliecs("repo", "default-revision", "0", "nope", "--confirm", "nope")
    assert code == 5 and f"{FLOWS} has no revision nope\n  next:  it has master, v1" in told
    code, told = await facility.aliecs("repo", "default-revision", "0", "v*", "--confirm", "v*")
    assert code == 0 and "v1" in told
    code, told = await facility.aliecs("repo", "default-revision", "0", "[", "--confirm", "[")
    assert code and "bad pattern" in told
    code, told = await facility.aliecs("templ", "ls")
    assert code == 0 and "[revision] v1" in told and "other  theirs" in told
    code, told = await facility.aliecs("repo", "rm", "1", "--confirm", "1", "--reason", "no longer needed")
    assert code == 0 and not (facility.state / "repos" / "git.example" / "Org" / "Other").exists()


async def test_a_core_that_is_killed_while_it_clones_starts_again_and_leaves_nothing(
    facility: Facility, origins: Path, server: GitServer
) -> None:
    Origin(origins, "Org/Other").templates(other="")
    server.asked.clear()
    server.hold.clear()
    adding = asyncio.ensure_future(
        facility.control.AddRepo(pb.AddRepoRequest(name="git.example/Org/Other"), timeout=60)
    )
    assert await asyncio.to_thread(server.asked.wait, 60)
    incoming = facility.state / "repos" / ".incoming"
    assert list(incoming.iterdir())
    await facility.kill()
    (lost,) = await asyncio.gather(adding, return_exceptions=True)
    assert isinstance(lost, grpc.aio.AioRpcError | asyncio.CancelledError), "the core or the channel went first"
    await until_gone(facility)  # while the other end still says nothing
    server.hold.set()
    await facility.start()
    assert list(incoming.iterdir()) == []
    assert [one.name for one in (await facility.control.ListRepos(pb.ListReposRequest(), timeout=60)).repos] == [FLOWS]
    await facility.control.AddRepo(pb.AddRepoRequest(name="git.example/Org/Other"), timeout=60)


async def test_with_the_network_away_a_core_starts_and_works(facility: Facility, server: GitServer) -> None:
    await facility.stop(drain=False)
    server.close()
    await facility.start()
    environment = await facility.create("flow@v1", ["flp001"])
    await facility.destroy(environment.id)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await facility.control.RefreshRepos(pb.RefreshReposRequest(index=-1), timeout=60)
    assert (caught.value.code().name, error_info(caught.value).reason) == ("UNKNOWN", "REPOSITORY")
    code, told = await facility.aliecs("repo", "refresh")
    assert code and f"git fetch of https://{FLOWS}.git failed" in told and "is the network there?" in told


async def until_gone(facility: Facility) -> None:
    """Wait until git has followed the core that was killed, with all that it started."""
    for pid in facility.processes():
        if b"git" in command_of(pid):
            await asyncio.to_thread(wait_for_end, pid)


def wait_for_end(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 60)[0], f"process {pid} goes on: {command_of(pid)!r}"
    finally:
        os.close(descriptor)


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
