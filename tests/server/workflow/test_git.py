"""How git is run: with nobody's configuration, with limits, and with errors that people can read."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest
from git_world import Origin, RepositoryWorld, git

from server.api.errors import CoreError, Reason
from server.workflow.addresses import identify
from server.workflow.clones import Clones
from server.workflow.git import Git, GitSettings


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    origin = Origin(tmp_path, "one")
    origin.templates(flow="x")
    return origin


async def test_the_configuration_of_the_user_is_not_read(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = somebody\n")
    for name, value in {
        "HOME": str(tmp_path), "GIT_DIR": "/nowhere", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "other", "GIT_ASKPASS": "/nowhere", "SSH_ASKPASS": "/nowhere",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    told = (await Git(GitSettings(instance="test-git")).ask(origin.bare, "config", "--list")).decode()
    assert "user.name" not in told
    assert {"core.hookspath=/dev/null", "core.fsmonitor=false", "protocol.allow=never"} <= set(told.splitlines())


async def test_a_question_reaches_no_other_machine(origin: Origin, tmp_path: Path) -> None:
    for url in (str(origin.bare), "ext::touch /tmp/x", "https://git.example/a/b.git", "git://git.example/a"):
        with pytest.raises(CoreError, match="not allowed"):
            await Git(GitSettings()).ask(origin.bare, "ls-remote", "--", url)


async def test_a_transfer_is_made_over_https_and_ssh_only(origin: Origin, tmp_path: Path) -> None:
    for url in (
        str(origin.bare),
        f"file://{origin.bare}",
        "ext::touch /tmp/x",
        "git://127.0.0.1:9/a",
        "http://127.0.0.1:9/a",
    ):
        with pytest.raises(CoreError, match="not allowed") as caught:
            await Git(GitSettings()).transfer(origin.bare, url, "+refs/heads/*:refs/x/*")
        assert caught.value.hint == "only https and ssh are"


def test_a_key_that_cannot_be_read_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    Git(GitSettings(ssh_key="/nowhere/id"))
    assert "reposSshKey cannot be read file=/nowhere/id" in caplog.text


async def test_an_answer_past_its_limit_is_refused(origin: Origin) -> None:
    with pytest.raises(CoreError, match="said more than 10 bytes"):
        await Git(GitSettings()).ask(origin.bare, "for-each-ref", limit=10)


async def test_a_question_past_its_deadline_is_ended_with_what_it_started(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {tmp_path}/pid\nwait\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with pytest.raises(CoreError, match=r"took longer than 6 s") as caught:
        await Git(GitSettings(timeout_s=6.0)).ask(origin.bare, "for-each-ref")
    assert caught.value.reason is Reason.REPOSITORY
    assert ends(int((tmp_path / "pid").read_text()))


def ends(pid: int) -> bool:
    """Tell whether a process is gone, or goes within a moment: it is killed, but nobody waits for it."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 60)[0])
    finally:
        os.close(descriptor)


async def test_a_machine_without_git_says_so(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CoreError, match="git is not installed"):
        await Git(GitSettings()).ask(origin.bare, "for-each-ref")


async def test_what_the_other_end_complains_is_told_without_escapes(tmp_path: Path) -> None:
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nprintf 'evil \\033[2J\\033]0;title\\007\\n%01000d' 7 >&2\nexit 1\n")
    program.chmod(0o755)
    folder = tmp_path / "r"
    folder.mkdir()
    git(folder, "init", "--quiet")
    with pytest.raises(CoreError, match="evil") as caught:
        await Git(GitSettings(ssh_command=str(program))).transfer(
            folder / ".git", "ssh://git@host:/a/b.git", "+HEAD:refs/x"
        )
    assert caught.value.message.isprintable() and len(caught.value.message) < 700


async def test_a_clone_that_borrows_from_elsewhere_is_not_taken(tmp_path: Path) -> None:
    world = RepositoryWorld(tmp_path)
    try:
        origin = world.origin("Org/Flows")
        origin.templates(flow="x")
        clone = world.folder / "repos" / "git.example" / "Org" / "Flows"
        clone.parent.mkdir(parents=True)
        git(clone.parent, "clone", "--quiet", "--shared", str(origin.bare), clone.name)
        assert not await (await world.opened()).list(with_revisions=False)
        with pytest.raises(CoreError, match="refers to something else"):
            await (await world.opened()).add("git.example/Org/Flows", "")
    finally:
        world.close()


async def test_the_configuration_of_a_clone_is_written_anew(tmp_path: Path, origin: Origin) -> None:
    address = identify("git.example/Org/Flows")
    clones = Clones(Git(GitSettings()), tmp_path / "repos")
    await clones.open()
    clones.folder(address).parent.mkdir(parents=True)
    git(tmp_path, "clone", "--quiet", str(origin.bare), str(clones.folder(address)))
    git(clones.folder(address), "config", "core.fsmonitor", "/bin/evil")
    git(clones.folder(address), "config", "url.ext::evil.insteadOf", "https://")
    assert await clones.adopt(address)
    told = (clones.folder(address) / ".git" / "config").read_text()
    assert "evil" not in told and "url = https://git.example/Org/Flows.git" in told and "ignorecase = true" in told
