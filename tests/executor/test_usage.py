"""What tasks use of the host: read of real processes, told when it changes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from executor.api.messages import Phase
from executor.usage import CPU, CPU_TIME, MEMORY, PROCESSES, THREADS, Usage, UsageNews, read_usage, uptime_s

EATER = """
import threading, time
held = bytearray(50_000_000)
threads = [threading.Thread(target=input) for _ in range(3)]
[thread.start() for thread in threads]
while time.process_time() < 0.3: pass
print("ate", flush=True)
"""


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    """A shell and its child, in a session of their own; the child has eaten when the fixture is there."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"{sys.executable} -c '{EATER}'; exit"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdin is not None
    with process.stdout, process.stdin:
        assert process.stdout.readline() == b"ate\n"
        yield process
    process.wait()


def test_the_whole_session_counts_not_only_its_leader(leader: subprocess.Popen[bytes]) -> None:
    usage = read_usage({leader.pid, os.getsid(0)})[leader.pid]
    assert (usage.processes, usage.threads) == (2, 5)
    assert 0.25 < usage.cpu_s < 10
    assert 50e6 < usage.memory_bytes < 500e6
    assert 0 <= uptime_s() - usage.since_s < 60


def test_a_session_without_processes_is_not_told_of() -> None:
    assert read_usage({2**22 + 1}) == {}


def told(news: UsageNews, now_s: float, **usages: Usage) -> dict[str, float]:
    samples = news.take(usages, now_s) + news.take_ended(usages)
    return {f"{sample.task_id} {sample.name}": sample.value for sample in samples}


def usage(cpu_s: float, *, since_s: float = 100.0) -> Usage:
    return Usage(cpu_s=cpu_s, memory_bytes=4096, threads=3, processes=2, since_s=since_s)


def test_the_first_share_of_a_core_is_since_the_start_and_the_next_since_the_last_look() -> None:
    news = UsageNews()
    first = told(news, 110.0, t1=usage(5.0))
    assert first == {
        f"t1 {CPU}": 50.0, f"t1 {CPU_TIME}": 5.0, f"t1 {MEMORY}": 4096, f"t1 {THREADS}": 3, f"t1 {PROCESSES}": 2,
    }  # fmt: skip
    assert told(news, 115.0, t1=usage(15.0)) == {f"t1 {CPU}": 200.0, f"t1 {CPU_TIME}": 15.0}


def test_what_stays_as_it_was_is_not_told_again_unless_there_is_a_new_listener() -> None:
    news = UsageNews()
    told(news, 110.0, t1=usage(0.0), t2=usage(0.0))
    assert told(news, 115.0, t1=usage(0.0), t2=usage(0.0)) == {}
    news.tell_all()
    assert len(told(news, 120.0, t1=usage(0.0), t2=usage(0.0))) == 10
    assert told(news, 125.0, t1=usage(0.0), t2=usage(0.0)) == {}


def test_a_task_without_a_process_uses_nothing_once_and_its_next_process_begins_anew() -> None:
    news = UsageNews()
    told(news, 110.0, t1=usage(5.0))
    gone = {f"t1 {name}": 0 for name in (CPU, MEMORY, THREADS, PROCESSES)}
    assert told(news, 115.0) == gone
    assert told(news, 120.0) == {}
    again = told(news, 140.0, t1=usage(4.0, since_s=130.0))
    assert (again[f"t1 {CPU}"], again[f"t1 {CPU_TIME}"]) == (40.0, 4.0)
    # between two looks
    assert told(news, 150.0, t1=usage(1.0, since_s=145.0))[f"t1 {CPU}"] == 20.0


def test_cpu_time_that_went_with_a_member_makes_no_negative_share() -> None:
    news = UsageNews()
    told(news, 110.0, t1=usage(5.0))
    assert told(news, 115.0, t1=usage(2.0)) == {f"t1 {CPU}": 0.0, f"t1 {CPU_TIME}": 2.0}


async def test_an_executor_tells_what_its_tasks_use_and_tells_it_again_to_the_next_core(
    core: Any, host: Any, spec: Any
) -> None:
    host.start("--usage-interval", "0.2")
    await core.launch(spec("t1"))
    active = await core.phase("t1", Phase.ACTIVE)

    def values() -> dict[str, float]:
        return {sample.name: sample.value for sample in core.samples() if sample.task_id == "t1"}

    await core.until(lambda: {CPU, CPU_TIME, MEMORY, THREADS, PROCESSES} <= values().keys())
    assert values()[MEMORY] > 1e6 and values()[PROCESSES] == 1
    await core.stop()
    core.reports.clear()
    core.hellos = 0
    await core.start()
    await core.until(lambda: MEMORY in values())
    await asyncio.to_thread(os.kill, active.pid, 9)
    await core.phase("t1", Phase.ENDED)
    await core.until(lambda: values()[MEMORY] == 0)
