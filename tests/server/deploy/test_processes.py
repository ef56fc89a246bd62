"""Processes on the real machine: start, end, strays."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from server.deploy.processes import (
    EXECUTOR_ID,
    INSTANCE,
    TASK_ID,
    ProcessWatch,
    kill_strays,
    last_line,
    spawn,
    started_ticks,
)

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


class Ends:
    """Collects what a watch tells."""

    def __init__(self, pid: int) -> None:
        self._told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.watch = ProcessWatch(pid, self._told.set_result)

    async def wait(self, deadline_s: float = 60.0) -> str:
        async with asyncio.timeout(deadline_s):
            return await self._told


async def test_a_started_program_leads_its_own_session_and_writes_to_its_log(tmp_path: Path) -> None:
    code = "import os, sys; print('out', os.getsid(0) == os.getpid(), os.environ['A'], flush=True); sys.exit('err')"
    ends = Ends(spawn([sys.executable, "-c", code], {"A": "7"}, tmp_path / "deep" / "x.log"))
    assert await ends.wait() == "ended with exit code 1"
    assert (tmp_path / "deep" / "x.log").read_text() == "out True 7\nerr\n"
    assert last_line(tmp_path / "deep" / "x.log") == "err"


async def test_a_program_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        spawn(["/no/such/program"], {}, tmp_path / "x.log")
    assert last_line(tmp_path / "nothing.log") == ""


async def test_the_end_by_a_signal_is_told_with_its_name(tmp_path: Path) -> None:
    ends = Ends(pid := spawn(SLEEP, os.environ, tmp_path / "x.log"))
    assert started_ticks(pid) is not None
    ends.watch.kill()
    assert await ends.wait() == "was killed by signal 9 (SIGKILL)"
    assert started_ticks(pid) is None


async def test_the_end_of_a_process_that_is_not_our_child_is_told(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    os.mkfifo(told)
    # Their parent stays: where the tests are the first process, as in a container, orphans are their children.
    code = f"import subprocess; child = subprocess.Popen({SLEEP!r}); open({str(told)!r}, 'w').write(str(child.pid)); child.wait()"
    middle = Ends(spawn([sys.executable, "-W", "ignore", "-c", code], os.environ, tmp_path / "x.log"))
    grandchild = int(await asyncio.to_thread(told.read_text))
    ends = Ends(grandchild)
    os.kill(grandchild, signal.SIGKILL)
    assert await ends.wait() == "ended"
    await middle.wait()


async def test_a_closed_watch_lets_the_process_go_on_in_silence(tmp_path: Path) -> None:
    ends = Ends(pid := spawn(SLEEP, os.environ, tmp_path / "x.log"))
    ends.watch.close()
    ends.watch.kill()
    assert started_ticks(pid) is not None
    again = Ends(pid)
    again.watch.kill()
    await again.wait()


async def test_watching_a_process_that_is_gone_is_an_error(tmp_path: Path) -> None:
    ends = Ends(pid := spawn(SLEEP, os.environ, tmp_path / "x.log"))
    ends.watch.kill()
    await ends.wait()
    with pytest.raises(ProcessLookupError):
        Ends(pid)


async def test_strays_are_found_by_instance_and_executor_or_task_and_nothing_else_is_touched(tmp_path: Path) -> None:
    instance = f"test-{os.getpid()}"

    def start(**environment: str) -> Ends:
        return Ends(spawn(SLEEP, {**os.environ, **environment}, tmp_path / "x.log"))

    by_executor = start(**{INSTANCE: instance, EXECUTOR_ID: "x1"})
    by_task = start(**{INSTANCE: instance, TASK_ID: "t1"})
    others = [
        start(**{INSTANCE: instance, EXECUTOR_ID: "x2", TASK_ID: "t2"}),
        start(**{INSTANCE: "another", EXECUTOR_ID: "x1", TASK_ID: "t1"}),
        start(),
    ]
    try:
        assert await asyncio.to_thread(kill_strays, instance, "x1", ["t1"]) == 2
        assert [started_ticks(one.watch.pid) for one in (by_executor, by_task)] == [None, None], "they are dead by then"
        assert "SIGKILL" in await by_executor.wait() and "SIGKILL" in await by_task.wait()
        assert all(started_ticks(one.watch.pid) is not None for one in others)
    finally:
        for one in others:
            one.watch.kill()
            await one.wait()
