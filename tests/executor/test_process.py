"""Child processes: how they are built, what they inherit, how their end is seen."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from executor.api.messages import ControlMode, TaskSpec
from executor.api.output import KeptOutput
from executor.folders import TaskFolders
from executor.output_file import OutputLimits
from executor.process import Ending, Processes
from executor.program import OUR_SETPRIV
from occ.errors import TaskError


class Children:
    """Starts tasks and waits for their ends."""

    def __init__(self, folder: Path, output_bytes: int = 1000, limits: OutputLimits = OutputLimits()) -> None:  # noqa: B008
        self.ends: asyncio.Queue[Ending] = asyncio.Queue()
        self.processes = Processes(TaskFolders(folder), "i1", output_bytes, self.ends.put_nowait, limits)

    async def run(self, value: str, *arguments: str, **more: Any) -> Ending:
        self.start(value, *arguments, **more)
        async with asyncio.timeout(60):
            return await self.ends.get()

    def start(self, value: str, *arguments: str, **more: Any) -> int:
        more = {"mode": ControlMode.HOOK, "shell": False, **more}
        spec = TaskSpec(task_id="t1", environment_id="e1", class_name="c", value=value, arguments=arguments, **more)
        return self.processes.spawn(spec).pid


@pytest.fixture(params=["setpriv", "become"])
async def children(request, tmp_path):
    made: list[Children] = []

    def make(**options: Any) -> Children:
        children = Children(tmp_path, **options)
        if request.param == "become":
            children.processes._setpriv = OUR_SETPRIV
        elif children.processes._setpriv == OUR_SETPRIV:
            pytest.skip("no setpriv with --pdeathsig on this machine")
        made.append(children)
        return children

    yield make
    for one in made:
        one.processes.close()


Make = Callable[..., Children]


async def test_without_a_shell_arguments_stay_as_they_are(children: Make) -> None:
    end = await children().run("printf", "%s|", "a b", "$HOME", "", "--", "-x")
    assert (end.stdout, end.exit_code, end.signal) == ("a b|$HOME||--|-x|", 0, None)


async def test_with_a_shell_everything_is_one_line(children: Make) -> None:
    end = await children().run("X=1; echo $X", "$((1+1));", "exit 4", shell=True)
    assert (end.stdout, end.exit_code) == ("1 2\n", 4)


async def test_the_environment_is_the_executors_then_the_tasks_later_wins_then_our_names(
    children: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    entries = ("A=1", "A=2", "B=x=y", "ALIECS_TASK_ID=forged")
    names = ("INHERITED", "A", "B", "ALIECS_INSTANCE", "ALIECS_TASK_ID", "ALIECS_ENVIRONMENT_ID")
    end = await children().run("echo", *(f"${name}" for name in names), shell=True, environment=entries)
    assert end.stdout.split() == ["yes", "2", "x=y", "i1", "t1", "e1"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch users")
async def test_another_user_brings_its_groups_but_no_environment_and_no_folder_of_its_own(
    children: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/of-the-executor")
    monkeypatch.setenv("USER", "the-executor")
    user = max(pwd.getpwall(), key=lambda one: (one.pw_uid != 0) * len(os.getgrouplist(one.pw_name, one.pw_gid)))
    end = await children().run(
        "id -u; id -g; id -G; echo $HOME $USER; pwd; touch here; echo >/dev/stdout", shell=True, user=user.pw_name
    )
    uid, gid, groups, names, folder, *_ = end.stdout.splitlines()
    assert (end.exit_code, end.stderr) == (0, "")
    assert (int(uid), int(gid)) == (user.pw_uid, user.pw_gid)
    assert {int(group) for group in groups.split()} == {*os.getgrouplist(user.pw_name, user.pw_gid)}
    assert (names, folder) == ("/home/of-the-executor the-executor", str(tmp_path / "t1"))
    assert (tmp_path / "t1" / "here").stat().st_uid == user.pw_uid


@pytest.mark.parametrize("argument", ["no\0byte", "a" * 200_000])
async def test_arguments_that_no_program_can_have_are_told(children: Make, argument: str) -> None:
    one = children()
    with pytest.raises(TaskError, match=r"cannot start 'echo': (embedded null byte|Argument list too long)"):
        one.start("echo", argument)
    assert (await one.run("echo", "next")).stdout == "next\n"


async def test_a_command_is_looked_up_in_the_path_of_the_task(children: Make, tmp_path: Path) -> None:
    program = tmp_path / "own-program"
    program.write_text("#!/bin/sh\necho own\n")
    with pytest.raises(TaskError, match="cannot start 'own-program': command not found"):
        children().start("own-program")
    with pytest.raises(TaskError, match="not an executable file"):
        children().start(str(program))
    program.chmod(0o755)
    end = await children().run("own-program", environment=(f"PATH={tmp_path}:/usr/bin:/bin",))
    assert end.stdout == "own\n"


async def test_only_the_end_of_much_output_is_kept_and_a_second_run_has_only_its_own(children: Make) -> None:
    many = children(output_bytes=10)
    assert (await many.run("seq", "1000")).stdout == "\n998\n999\n1000\n"[-10:]
    assert (await many.run("echo", "again")).stdout == "again\n"


async def test_output_is_turned_while_it_comes_and_all_of_it_is_kept(children: Make, tmp_path: Path) -> None:
    one = children(limits=OutputLimits(100_000, 50))
    end = await one.run("seq 300000; echo over >&2", shell=True)
    assert (end.exit_code, end.stdout.splitlines()[-1], end.stderr) == (0, "300000", "over\n")
    kept = KeptOutput(tmp_path / "t1" / "stdout")
    text = b""
    while piece := kept.read(len(text), 1_000_000):
        text += piece
    kept.close()
    assert text.split() == [str(number).encode() for number in range(1, 300_001)]
    assert (tmp_path / "t1" / "stdout.2").read_bytes().endswith(b"\n")


async def test_output_that_cannot_be_kept_stops_no_task_and_its_end_is_known_all_the_same(
    children: Make, tmp_path: Path
) -> None:
    (tmp_path / "t1" / "stdout").mkdir(parents=True)
    end = await children().run("seq 100000 && echo done", shell=True)
    assert (end.exit_code, end.stdout.splitlines()[-1]) == (0, "done")


async def test_who_writes_nothing_has_empty_files(children: Make, tmp_path: Path) -> None:
    await children().run("true")
    assert [(tmp_path / "t1" / name).stat().st_size for name in ("stdout", "stderr")] == [0, 0]


async def test_a_task_may_open_its_output_by_name(children: Make) -> None:
    end = await children().run("echo one > /dev/stdout; echo two > /dev/stderr", shell=True)
    assert (end.stdout, end.stderr) == ("one\n", "two\n")


async def test_who_was_left_behind_keeps_no_end_waiting(children: Make) -> None:
    end = await children().run("setsid sh -c 'while echo more; do :; done' & sleep 0.1; echo $!", shell=True)
    assert end.exit_code == 0


async def test_the_group_ends_with_its_leader(children: Make) -> None:
    one = children()
    end = await one.run("sleep 60 & echo $!", shell=True)
    member = int(end.stdout)
    async with asyncio.timeout(60):
        while await asyncio.to_thread(_runs, member):
            pass


async def test_a_signal_is_told_as_such(children: Make) -> None:
    one = children()
    one.start("sleep", "60")
    one.processes.signal("t1", 9)
    async with asyncio.timeout(60):
        end = await one.ends.get()
    assert (end.exit_code, end.signal) == (None, 9)
    one.processes.signal("t1", 9)  # gone: nothing happens


async def test_a_task_that_cannot_be_started_leaves_no_descriptor_and_no_empty_folder(
    children: Make, tmp_path: Path
) -> None:
    one = children()
    one.start("true")
    async with asyncio.timeout(60):
        await one.ends.get()
    before = os.listdir("/proc/self/fd")
    for spec in (
        {"value": "no-such-program"},
        {"value": "true", "environment": ("A=\0",)},
        {"value": "true\0", "shell": True},
    ):
        with pytest.raises(TaskError):
            one.processes.spawn(
                TaskSpec(task_id="t2", environment_id="e", class_name="c", mode=ControlMode.BASIC, **spec)
            )
    assert not set(os.listdir("/proc/self/fd")) - set(before)  # others, of tests before, may be closed meanwhile
    assert os.listdir(tmp_path) == ["t1"]
    with pytest.raises(TaskError):
        one.start("no-such-program")
    assert "stdout" in os.listdir(tmp_path / "t1")  # of the process before


async def test_a_pid_outside_the_group_is_never_signalled(children: Make) -> None:
    one = children()
    one.start("sleep", "60")
    stranger = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
    try:
        one.processes.signal("t1", 15, stranger.pid)
        async with asyncio.timeout(60):
            end = await one.ends.get()
        assert end.signal == 15
        assert stranger.returncode is None
    finally:
        stranger.kill()
        await stranger.wait()


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
