"""G4 and G5: what a task costs its core and its executor, and how long its death takes to reach a client.

Real ``direct`` tasks, all on one executor. None is critical, so that their environment stays in RUNNING while they die.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import psutil
import pytest
from benchmark_rig import HOSTS, Parts, loop_ms, percentile, world
from facility import Facility

from console.store import Store
from server.api import live_pb2
from server.api.convert import from_batch

LONGEST_PAUSE_S = 0.25
"""Between two kills, at random: the looks of the executor, every 5 s, fall between them as they come."""


class Watcher:
    """A client of the live picture, which reads all the time."""

    def __init__(self, facility: Facility) -> None:
        self._call = facility.live.Watch(live_pb2.WatchRequest())
        self._store = Store()
        self._read = asyncio.Event()
        self._reading = asyncio.create_task(self._keep_reading())

    async def until_ended(self, task_id: str) -> None:
        """Return as soon as a task is shown in ERROR."""
        await self.until(lambda store: (task := store.task(task_id)) is not None and task.state == "ERROR")

    async def until(self, wanted: Callable[[Store], bool]) -> None:
        async with asyncio.timeout(20):
            while not wanted(self._store):
                self._read.clear()
                await self._read.wait()

    async def close(self) -> None:
        self._call.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _keep_reading(self) -> None:
        async for batch in self._call:
            self._store.apply(from_batch(batch))
            self._read.set()


class Death:
    """When the kernel tells of the end of a process, which it has to take apart first."""

    def __init__(self, pid: int) -> None:
        self.at_s = float("inf")
        self._pidfd = os.pidfd_open(pid)

    def __enter__(self) -> Death:
        asyncio.get_running_loop().add_reader(self._pidfd, self._ended)
        return self

    def __exit__(self, *error: object) -> None:
        self._ended()
        os.close(self._pidfd)

    def _ended(self) -> None:
        self.at_s = min(self.at_s, perf_counter())
        asyncio.get_running_loop().remove_reader(self._pidfd)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("tasks", "rounds", "kills"), [(10, 5, 8), (64, 1, 40), (100, 1, 60), (500, 1, 60)])
async def test_tasks_cost_little_and_their_death_is_told_at_once(
    tasks: int, rounds: int, kills: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, monkeypatch, deployTimeout="280s") as facility:
        await facility.destroy((await facility.create("spare", HOSTS[:1], per_host="1")).id)
        empty = Parts(facility)
        before = [_used(one) for one in (empty.core, empty.executors[0])]
        watcher, times, kernel = Watcher(facility), list[float](), list[float]()
        await watcher.until(lambda store: store.is_complete)
        gc.collect()
        gc.freeze()  # the client's own pauses are not the question
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
            victims = random.sample([(task.taskId, int(task.pid)) for task in await facility.tasks()], kills)
            for task_id, pid in victims:
                await asyncio.to_thread(psutil.cpu_percent, random.uniform(0.05, LONGEST_PAUSE_S))
                with Death(pid) as death:
                    began = perf_counter()
                    os.kill(pid, signal.SIGKILL)
                    await watcher.until_ended(task_id)
                    times.append((perf_counter() - began) * 1000)
                    kernel.append((death.at_s - began) * 1000)
            await facility.destroy(environment.id)
        await watcher.close()
        print(
            f"\nG5 N={tasks}: kill -9 to ERROR at a client: median {percentile(times, 50):.1f} ms,"
            f" p95 {percentile(times, 95):.1f} ms, min {min(times):.1f} ms of {len(times)};"
            f" until the kernel tells of it: median {percentile(kernel, 50):.1f} ms, p95 {percentile(kernel, 95):.1f} ms"
            f" | loop {loop_ms():.0f} ms"
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
