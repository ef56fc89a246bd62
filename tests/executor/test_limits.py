"""Limits of tasks: real processes in real control groups, and what is told where none may be had."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from executor import cgroups
from executor.api.messages import ControlMode, Phase, TaskSpec
from executor.cgroups import CPU, MEMORY, Tree
from executor.folders import TaskFolders
from executor.limits import TaskLimits
from executor.process import Ending, Processes

EATER = "held = bytearray(100_000_000)"
DEADLINE_S = 60.0


def _writable() -> list[Tree]:
    found = []
    for tree in cgroups.find_trees():
        try:
            cgroups.Folder(tree, "probe").close()
        except OSError:
            continue
        found.append(tree)
    return found


@pytest.fixture(scope="module")
def trees() -> Iterator[list[Tree]]:
    """Those of this machine in which we may make groups."""
    found = _writable()
    if {CPU, MEMORY} - {name for tree in found for name in tree.controllers}:
        pytest.skip("no control groups for cpu and memory may be made on this machine")
    yield found
    for tree in found:
        cgroups.remove_stale(tree)


class Children:
    """Starts hooks with limits and waits for their ends."""

    def __init__(self, folder: Path, *, off: str = "") -> None:
        self.ends: asyncio.Queue[Ending] = asyncio.Queue()
        self.limits = TaskLimits("x1", off=off)
        self.processes = Processes(TaskFolders(folder), "i1", 500_000, self.ends.put_nowait, task_limits=self.limits)

    def start(self, value: str, *arguments: str, **more: Any) -> str:
        """Start a process; return what is told of its limits."""
        more = {"task_id": "t1", "mode": ControlMode.HOOK, "shell": False, **more}
        spec = TaskSpec(environment_id="e1", class_name="c", value=value, arguments=arguments, **more)
        return self.processes.spawn(spec).confinement.told

    async def end(self) -> Ending:
        async with asyncio.timeout(DEADLINE_S):
            return await self.ends.get()


@pytest.fixture
async def children(tmp_path: Path) -> AsyncIterator[Callable[..., Children]]:
    made: list[Children] = []

    def make(**options: Any) -> Children:
        made.append(Children(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.processes.close()


def ours(trees: list[Tree], pid: int = os.getpid()) -> list[Path]:
    """Return the groups of tasks of the executor with this pid."""
    return [group for tree in trees for group in tree.own.glob(f"aliecs.*.{pid}/t1*")]


async def gone(found: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while await asyncio.to_thread(found):
            pass


async def test_a_task_is_in_its_group_from_its_first_instruction_and_the_group_ends_with_it(
    children: Callable[..., Children], trees: list[Tree]
) -> None:
    one = children()
    environment = ("odd.name=stays",)
    told = one.start(
        "cat",
        "/proc/self/cgroup",
        "/proc/self/environ",
        cpu_limit=0.5,
        memory_limit_mb=64,
        environment=environment,
    )
    groups = ours(trees)
    assert told == "cpu 0.5 enforced; memory 64 MB enforced"
    assert {group.name for group in groups} == {"t1"}
    end = await one.end()
    assert end.stdout.count(f"/aliecs.x1.{os.getpid()}/t1\n") == len(groups)
    assert "\0odd.name=stays\0" in end.stdout
    await gone(lambda: ours(trees))


async def test_a_task_without_limits_has_no_group(children: Callable[..., Children], trees: list[Tree]) -> None:
    one = children()
    assert one.start("true") == ""
    assert ours(trees) == []
    assert (await one.end()).exit_code == 0


async def test_a_task_over_its_memory_limit_is_killed_and_its_end_says_so(
    children: Callable[..., Children], trees: list[Tree]
) -> None:
    one = children()
    one.start(sys.executable, "-c", EATER, memory_limit_mb=40)
    end = await one.end()
    assert (end.signal, end.out_of_memory) == (signal.SIGKILL, "its memory limit of 40 MB")
    # the next process of the same task has its own count
    one.start("true", memory_limit_mb=40)
    assert (await one.end()).out_of_memory == ""


async def test_a_child_over_the_limit_is_told_of_though_its_parent_lives_on(
    children: Callable[..., Children], trees: list[Tree]
) -> None:
    one = children()
    one.start(f"{sys.executable} -c '{EATER}'; echo $?", shell=True, memory_limit_mb=40)
    end = await one.end()
    assert (end.exit_code, end.stdout, end.out_of_memory) == (0, "137\n", "its memory limit of 40 MB")


async def test_a_task_gets_no_more_cpu_than_its_limit(children: Callable[..., Children], trees: list[Tree]) -> None:
    one = children()
    one.start("sh", "-c", "while :; do :; done", cpu_limit=0.01)
    group = next(group for group in ours(trees) if (group / "cpu.stat").exists())
    async with asyncio.timeout(DEADLINE_S):
        while "nr_throttled 0" in await asyncio.to_thread((group / "cpu.stat").read_text):
            pass
    one.processes.signal("t1", signal.SIGKILL)
    assert (await one.end()).signal == signal.SIGKILL


async def test_what_a_task_leaves_in_a_session_of_its_own_ends_with_it(
    children: Callable[..., Children], trees: list[Tree]
) -> None:
    one = children()
    one.start("setsid sh -c 'echo $$; exec sleep 60' & read line", shell=True, memory_limit_mb=64)
    assert (await one.end()).exit_code == 1
    await gone(lambda: ours(trees))


async def test_a_process_that_ends_while_the_last_is_cleared_away_gets_another_group(
    children: Callable[..., Children], trees: list[Tree]
) -> None:
    one = children()
    for _ in range(3):
        one.start("setsid sleep 60 & exit 0", shell=True, memory_limit_mb=64)
        assert (await one.end()).exit_code == 0
    one.start("echo", "alive", memory_limit_mb=64)
    assert (await one.end()).stdout == "alive\n"
    await gone(lambda: ours(trees))


async def test_the_end_of_a_task_is_told_and_its_group_cleared_later_if_no_descriptor_is_left(
    children: Callable[..., Children], trees: list[Tree]
) -> None:
    one = children()
    one.start("setsid sleep 60 & sleep 60", shell=True, memory_limit_mb=64)
    one.start("echo", "first", memory_limit_mb=64, task_id="t2")
    assert (await one.end()).stdout == "first\n"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        one.processes.signal("t1", signal.SIGKILL)
        assert (await one.end()).signal == signal.SIGKILL
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    one.limits.remove_stale()
    await gone(lambda: ours(trees))


async def test_limits_that_are_switched_off_are_told_to_be_off(children: Callable[..., Children]) -> None:
    one = children(off="switched off")
    assert one.start("true", memory_limit_mb=64) == "memory 64 MB not enforced: switched off"
    assert (await one.end()).exit_code == 0


async def test_a_host_without_such_groups_tells_so(tmp_path: Path) -> None:
    limits = TaskLimits("x1", trees=[])
    spec = TaskSpec(task_id="t1", environment_id="e", class_name="c", mode=ControlMode.HOOK, value="x", cpu_limit=2)
    assert limits.confine(spec).told == ("cpu 2 not enforced: no cpu controller of control groups is to be had here")


async def test_the_next_executor_removes_the_groups_of_one_that_was_killed(
    core: Any, host: Any, spec: Any, trees: list[Tree]
) -> None:
    process = host.start()
    await core.launch(spec("t1", cpu_limit=1.0, memory_limit_mb=500.0))
    report = await core.phase("t1", Phase.ACTIVE)
    assert report.limits == "cpu 1 enforced; memory 500 MB enforced"
    groups = ours(trees, process.pid)
    assert groups
    process.kill()
    await host.wait(process)
    await gone(lambda: [pid for group in groups for pid in cgroups.pids_in(group)])
    host.start()
    await core.until(lambda: core.hellos == 2)
    await gone(lambda: [group for tree in trees for group in tree.own.glob(f"aliecs.*.{process.pid}")])


async def test_a_direct_task_over_its_limit_fails_by_its_name(
    core: Any, host: Any, spec: Any, trees: list[Tree]
) -> None:
    host.start()
    eater = spec("t1", "-c", EATER, value=sys.executable, memory_limit_mb=40.0)
    await core.launch(eater)
    report = await core.phase("t1", Phase.ENDED)
    assert (report.final_status, report.signal) == ("TASK_FAILED", 9)
    assert report.limits == "memory 40 MB enforced; a process was killed by its memory limit of 40 MB"
    assert report.error.endswith("was ready: killed by its memory limit of 40 MB (signal 9)")
