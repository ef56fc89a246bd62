"""G4 and G5: what a task costs its core and its executor, and how long its death takes to reach a client.

Real ``direct`` tasks, all on one executor. None is critical, so that their environment stays in RUNNING while they die.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path
from time import perf_counter

import psutil
import pytest
from benchmark_rig import HOSTS, Parts, loop_ms, percentile, world
from facility import Facility

from console.store import Store
from server.api import live_pb2
from server.api.convert import from_batch

KILLS = 8


class Watcher:
    """A client of the live picture."""

    def __init__(self, facility: Facility) -> None:
        self._call = facility.live.Watch(live_pb2.WatchRequest())
        self.store = Store()

    async def until_ended(self, task_id: str) -> None:
        """Return as soon as a task is shown in ERROR."""
        async with asyncio.timeout(20):
            while (task := self.store.task(task_id)) is None or task.state != "ERROR":
                self.store.apply(from_batch(await self._call.read()))

    async def until_complete(self) -> None:
        async with asyncio.timeout(20):
            while not self.store.is_complete:
                self.store.apply(from_batch(await self._call.read()))


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("tasks", "rounds"), [(10, 5), (100, 1), (500, 1)])
async def test_tasks_cost_little_and_their_death_is_told_at_once(
    tasks: int, rounds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, monkeypatch, deployTimeout="280s") as facility:
        await facility.destroy((await facility.create("spare", HOSTS[:1], per_host="1")).id)
        empty = Parts(facility)
        before = [_used(one) for one in (empty.core, empty.executors[0])]
        watcher, times = Watcher(facility), list[float]()
        await watcher.until_complete()
        for number in range(rounds):
            environment = await facility.create("spare", HOSTS[:1], per_host=str(tasks), deploy_timeout="280s")
            assert environment.numberOfActiveTasks == tasks
            assert (await facility.ask(environment.id, "START_ACTIVITY")).state == "RUNNING"
            if number == 0:
                parts = Parts(facility)
                for name, process, was in zip(
                    ("core", "executor"), (parts.core, parts.executors[0]), before, strict=True
                ):
                    print(f"\nG4 N={tasks} {name}: {_grown(_used(process), was, tasks)}", end="")
            victims = random.sample([(task.taskId, int(task.pid)) for task in await facility.tasks()], KILLS)
            for task_id, pid in victims:
                await asyncio.to_thread(psutil.cpu_percent, 0.05)
                began = perf_counter()
                os.kill(pid, signal.SIGKILL)
                await watcher.until_ended(task_id)
                times.append((perf_counter() - began) * 1000)
            await facility.destroy(environment.id)
        print(
            f"\nG5 N={tasks}: kill -9 to ERROR at a client: median {percentile(times, 50):.1f} ms,"
            f" p95 {percentile(times, 95):.1f} ms, min {min(times):.1f} ms of {len(times)} | loop {loop_ms():.0f} ms"
        )


def _used(process: psutil.Process) -> tuple[float, int, int]:
    memory = process.memory_full_info()
    return memory.uss / 1e6, process.num_threads(), process.num_fds()


def _grown(now: tuple[float, int, int], was: tuple[float, int, int], tasks: int) -> str:
    (memory, threads, descriptors), (memory_was, threads_was, descriptors_was) = now, was
    return (
        f"{memory:.0f} MB of its own ({1000 * (memory - memory_was) / tasks:.1f} kB a task), threads {threads_was} -> {threads},"
        f" descriptors {descriptors_was} -> {descriptors} ({(descriptors - descriptors_was) / tasks:.1f} a task)"
    )
