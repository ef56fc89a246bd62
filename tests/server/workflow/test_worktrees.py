"""The files of commits as folders: what is written, what is kept, and what of a hostile repository is refused."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from git_world import Origin, flow, git

from server.api.errors import CoreError, Reason
from server.workflow import objects as limits
from server.workflow import worktrees as kept
from server.workflow.git import Git, GitSettings
from server.workflow.objects import Objects
from server.workflow.worktrees import Worktrees


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path, "hostile")


@pytest.fixture
async def worktrees(tmp_path: Path) -> Worktrees:
    worktrees = Worktrees(tmp_path / "worktrees")
    await worktrees.open()
    return worktrees


def objects(origin: Origin) -> Objects:
    return Objects(Git(GitSettings()), origin.bare, "hostile", is_local=True)


async def folder(worktrees: Worktrees, origin: Origin, commit: str) -> Path:
    with worktrees.use() as used:
        return await worktrees.folder(objects(origin), commit, used)


async def refusal(worktrees: Worktrees, origin: Origin, commit: str) -> str:
    with pytest.raises(CoreError, match=f"repository hostile at {commit[:12]} is refused") as caught:
        await folder(worktrees, origin, commit)
    assert caught.value.reason is Reason.REPOSITORY
    assert os.listdir(worktrees._root) == [], "nothing of it is written"
    return caught.value.message


def tree_commit(origin: Origin, *entries: tuple[str, str, str]) -> str:
    """Make a commit of one tree by its raw entries (mode, kind and object, name); git itself would refuse some."""
    blob = git(origin.bare, "hash-object", "-w", "--stdin", data=b"name: x\n")
    raw = b"".join(
        f"{mode} {name}".encode() + b"\0" + bytes.fromhex(blob if kind == "blob" else kind)
        for mode, kind, name in entries
    )
    tree = git(origin.bare, "hash-object", "-w", "-t", "tree", "--literally", "--stdin", data=raw)
    return git(origin.bare, "commit-tree", "-m", "hostile", tree)


def inner(origin: Origin, *entries: tuple[str, str, str]) -> str:
    return git(origin.bare, "rev-parse", tree_commit(origin, *entries) + "^{tree}")


async def test_the_files_of_three_folders_are_written(worktrees: Worktrees, origin: Origin) -> None:
    files = {
        "workflows/flow.yaml": flow(),
        "tasks/a/b.yaml": "x",
        "jit/its": "o2 | o2",
        "README.md": "x",
        "src/x.py": "x",
    }
    commit = origin.commit(files)
    made = await folder(worktrees, origin, commit)
    found = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
    assert found == ["jit/its", "tasks/a/b.yaml", "workflows/flow.yaml"]
    assert (made / "workflows" / "flow.yaml").read_text() == flow()
    assert made.name == commit and os.stat(made).st_mode & 0o777 == 0o755


async def test_two_commits_lie_side_by_side_and_one_is_made_once(worktrees: Worktrees, origin: Origin) -> None:
    first, second = origin.templates(flow="first"), origin.templates(flow="second")
    made = await asyncio.gather(*(folder(worktrees, origin, commit) for commit in (first, second, first)))
    assert made[0] == made[2] != made[1]
    assert ["second" in (one / "workflows" / "flow.yaml").read_text() for one in made] == [False, True, False]


async def test_a_link_to_a_file_of_the_tree_is_that_file(worktrees: Worktrees, origin: Origin) -> None:
    (origin.tree / "workflows").mkdir()
    (origin.tree / "workflows" / "alias.yaml").symlink_to("other.yaml")
    (origin.tree / "workflows" / "other.yaml").symlink_to("../tasks/x.yaml")
    (origin.tree / "workflows" / "nowhere.yaml").symlink_to("missing.yaml")
    made = await folder(worktrees, origin, origin.commit({"tasks/x.yaml": "name: x"}))
    assert (made / "workflows" / "alias.yaml").read_text() == "name: x"
    assert not any(path.is_symlink() for path in made.rglob("*"))
    assert not (made / "workflows" / "nowhere.yaml").exists()


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("workflows/x.yaml", "/etc/passwd"),
        ("workflows/x.yaml", "../../../../etc/passwd"),
        ("workflows/x.yaml", "../README.md"),
        ("tasks", "/etc"),
        ("workflows", "../.."),
    ],
)
async def test_a_link_out_of_the_tree_is_refused(worktrees: Worktrees, origin: Origin, link: str, target: str) -> None:
    path = origin.tree / link
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(target)
    message = await refusal(worktrees, origin, origin.commit({"README.md": "x"}))
    assert f"{link} is a link that leads out of the tree, to {target!r}" in message


async def test_links_in_a_circle_are_left_out(worktrees: Worktrees, origin: Origin) -> None:
    (origin.tree / "workflows").mkdir()
    (origin.tree / "workflows" / "a.yaml").symlink_to("b.yaml")
    (origin.tree / "workflows" / "b.yaml").symlink_to("a.yaml")
    made = await folder(worktrees, origin, origin.commit({}))
    assert os.listdir(made / "workflows") == []


async def test_a_huge_file_is_refused_before_it_is_read(worktrees: Worktrees, origin: Origin) -> None:
    commit = origin.commit({"workflows/huge.yaml": "x" * (kept.MAX_BYTES + 1)})
    assert f"workflows/huge.yaml has {kept.MAX_BYTES + 1} bytes" in await refusal(worktrees, origin, commit)
    assert await folder(worktrees, origin, origin.commit({"README.md": "x", "workflows/huge.yaml": "small"}))


async def test_too_many_files_and_too_many_bytes_are_refused(
    worktrees: Worktrees, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.commit({f"tasks/{number}.yaml": "x" * number for number in range(12)})
    monkeypatch.setattr(limits, "MAX_FILES", 11)
    assert "it has 12 files, 11 are allowed" in await refusal(worktrees, origin, commit)
    monkeypatch.setattr(limits, "MAX_FILES", 12)
    monkeypatch.setattr(limits, "MAX_BYTES", 65)
    assert "its files have 66 bytes together" in await refusal(worktrees, origin, commit)


async def test_a_tree_that_multiplies_itself_is_refused_at_once(
    worktrees: Worktrees, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_FILES", 1000)  # of ten thousand million
    tree = inner(origin, *(("100644", "blob", f"{n}.yaml") for n in range(10)))
    for _ in range(9):
        tree = inner(origin, *(("40000", tree, str(n)) for n in range(10)))
    commit = tree_commit(origin, ("40000", tree, "workflows"))
    async with asyncio.timeout(60):
        with pytest.raises(CoreError, match=r"git ls-tree of .* said more than") as caught:
            await folder(worktrees, origin, commit)
    assert caught.value.reason is Reason.REPOSITORY


@pytest.mark.parametrize("name", ["..", ".git", ".", "a\x1b[2J.yaml", "a\nb.yaml"])
async def test_a_name_that_leads_elsewhere_is_refused(worktrees: Worktrees, origin: Origin, name: str) -> None:
    workflows = inner(origin, ("100644", "blob", name))
    message = await refusal(worktrees, origin, tree_commit(origin, ("40000", workflows, "workflows")))
    assert "name that is not taken" in message and message.isprintable()


async def test_a_folder_that_leads_up_is_refused(worktrees: Worktrees, origin: Origin) -> None:
    up = inner(origin, ("40000", inner(origin, ("100644", "blob", "x.yaml")), ".."))
    message = await refusal(worktrees, origin, tree_commit(origin, ("40000", up, "tasks")))
    assert "tasks/../x.yaml" in message


async def test_a_file_that_is_a_folder_too_is_refused(worktrees: Worktrees, origin: Origin) -> None:
    workflows = inner(origin, ("100644", "blob", "a"), ("40000", inner(origin, ("100644", "blob", "x.yaml")), "a"))
    with pytest.raises(CoreError) as caught:
        await folder(worktrees, origin, tree_commit(origin, ("40000", workflows, "workflows")))
    assert caught.value.reason is Reason.REPOSITORY


async def test_submodules_are_not_followed(worktrees: Worktrees, origin: Origin) -> None:
    workflows = inner(origin, ("160000", "1" * 40, "module"), ("100644", "blob", "x.yaml"))
    made = await folder(worktrees, origin, tree_commit(origin, ("40000", workflows, "workflows")))
    assert os.listdir(made / "workflows") == ["x.yaml"]


async def test_what_a_repository_would_run_is_not_run(worktrees: Worktrees, origin: Origin, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    program.chmod(0o755)
    files = {
        "workflows/flow.yaml": flow(), ".gitattributes": "* filter=evil text eol=crlf export-ignore\n",
        ".gitmodules": f'[submodule "m"]\npath = m\nurl = ext::{program}\n',
    }  # fmt: skip
    commit = origin.commit(files)
    for key in (
        "filter.evil.smudge", "filter.evil.clean", "filter.evil.process", "core.fsmonitor", "core.pager", "core.sshCommand",
        "core.alternateRefsCommand", "core.gitProxy", "core.askPass", "credential.helper", "diff.external", "gpg.program",
        "uploadpack.packObjectsHook", "core.editor", "remote.origin.uploadpack",
    ):  # fmt: skip
        git(origin.bare, "config", key, str(program))
    git(origin.bare, "config", "core.hooksPath", str(tmp_path))
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (tmp_path / hook).write_bytes(program.read_bytes())
        (tmp_path / hook).chmod(0o755)
    made = await folder(worktrees, origin, commit)
    await objects(origin).refs()
    await objects(origin).commit("HEAD")
    assert (made / "workflows" / "flow.yaml").read_text() == flow(), "no filter and no end of line"
    assert not ran.exists()


async def test_unused_folders_go_when_there_are_too_many_and_used_ones_stay(
    worktrees: Worktrees, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MAX_KEPT", 1)
    commits = [origin.templates(flow=str(number)) for number in range(4)]
    with worktrees.use() as used:
        oldest = await worktrees.folder(objects(origin), commits[0], used)
        for commit in commits[1:]:
            await folder(worktrees, origin, commit)
        await worktrees.prune()
        assert sorted(os.listdir(oldest.parent)) == sorted((commits[0], commits[3]))
        assert "0" in (oldest / "workflows" / "flow.yaml").read_text()
    assert (await folder(worktrees, origin, commits[1])).is_dir(), "it is made again"
    monkeypatch.setattr(kept, "MAX_UNUSED_S", 0.0)
    await worktrees.prune()
    assert os.listdir(oldest.parent) == []


async def test_what_is_taken_into_use_while_others_are_removed_stays(
    worktrees: Worktrees, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MAX_UNUSED_S", -1.0)
    commits = [origin.templates(flow=str(number)) for number in range(3)]
    for commit in commits:
        await folder(worktrees, origin, commit)
    removing = asyncio.create_task(worktrees.prune())
    await asyncio.sleep(0)  # it has begun with the first
    with worktrees.use() as used:
        made = await worktrees.folder(objects(origin), commits[2], used)
        await asyncio.gather(removing, worktrees.prune())
        assert sorted(os.listdir(made.parent)) == [commits[2]]
        assert "2" in (made / "workflows" / "flow.yaml").read_text()


async def test_nothing_is_remembered_of_what_could_not_be_made_or_is_used_no_more(
    worktrees: Worktrees, origin: Origin
) -> None:
    await refusal(
        worktrees, origin, tree_commit(origin, ("40000", inner(origin, ("100644", "blob", "..")), "workflows"))
    )
    commit = origin.templates(flow="x")
    await folder(worktrees, origin, commit)
    assert (dict(worktrees._users), list(worktrees._making)) == ({}, [commit])


async def test_what_was_removed_by_hand_is_made_again(
    worktrees: Worktrees, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.templates(flow="x")
    shutil.rmtree(await folder(worktrees, origin, commit))
    made = await folder(worktrees, origin, commit)
    assert "x" in (made / "workflows" / "flow.yaml").read_text()
    shutil.rmtree(made)
    monkeypatch.setattr(kept, "MAX_UNUSED_S", -1.0)
    await worktrees.prune()
    assert (await folder(worktrees, origin, commit)).is_dir()
