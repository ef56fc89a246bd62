"""G1, G3: a transition of N real tasks against the plain fan-out of the same calls to the same processes.

Interleaved in one run, the order alternating; medians of ratios, never absolute times. ``make bench`` prints.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from facility import Facility

HERE = Path(__file__).resolve().parent
HOSTS = ["flp001", "flp002", "flp003", "flp004"]
CYCLES = 12
ROUND_S = 60.0
"""Longest time for one round of a baseline."""


class Baseline:
    """A baseline in its own process: a line in, the milliseconds of one round out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, script: str, *arguments: str) -> Baseline:
        command = (sys.executable, str(HERE / script), *arguments)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout and (await process.stdout.readline()).strip() == b"ready"
        return cls(process)

    async def round_ms(self, state: str) -> float:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{state}\n".encode())
        return float(await asyncio.wait_for(self._process.stdout.readline(), ROUND_S))

    async def stop(self) -> None:
        assert self._process.stdin
        self._process.stdin.write(b"\n")
        await self._process.wait()


async def ports_of(facility: Facility) -> list[str]:
    from server.api import o2control_pb2 as pb

    ports = []
    for task in await facility.tasks():
        reply = await facility.control.GetTask(pb.GetTaskRequest(taskId=task.taskId))
        ports += [one.split("=", 1)[1] for one in reply.task.commandInfo.env if one.startswith("OCC_CONTROL_PORT=")]
    return ports


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("tasks", "executors"), [(12, 4), (48, 4), (64, 1), (64, 4), (96, 4)])
async def test_transition_against_fan_out(
    tmp_path: Path, tasks: int, executors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    repository = tmp_path / "repository"
    shutil.copytree(HERE / "repository", repository)
    async with Facility(tmp_path, repository, records=False) as facility:
        began = time.perf_counter()
        environment = await facility.create("many", HOSTS[:executors], per_host=str(tasks // executors))
        created_s = time.perf_counter() - began
        baseline = await Baseline.start("fan.py", *await ports_of(facility))
        ratios, ours, plain = [], [], []
        for cycle in range(CYCLES):
            for event, before in (("START_ACTIVITY", "CONFIGURED"), ("STOP_ACTIVITY", "RUNNING")):
                if cycle % 2:
                    fan_ms = await baseline.round_ms(before)
                began = time.perf_counter()
                reply = await facility.ask(environment.id, event)
                own_ms = (time.perf_counter() - began) * 1000
                if not cycle % 2:
                    fan_ms = await baseline.round_ms(reply.state)
                ours.append(own_ms)
                plain.append(fan_ms)
                ratios.append(own_ms / fan_ms)
        await baseline.stop()
        print(
            f"\nN={tasks} executors={executors}: ours/A median {statistics.median(ratios):.2f} min {min(ratios):.2f}"
            f" | ours {statistics.median(ours):.1f} ms, A {statistics.median(plain):.1f} ms"
            f" | create to CONFIGURED {created_s:.2f} s"
        )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("tasks", [12, 64])
async def test_creation_against_plain_start(tmp_path: Path, tasks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """G3: create to CONFIGURED against the plain start of as many of the same processes, executors warm."""
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    repository = tmp_path / "repository"
    shutil.copytree(HERE / "repository", repository)
    async with Facility(tmp_path, repository, records=False) as facility:
        await facility.destroy((await facility.create("many", HOSTS, per_host="1")).id)
        baseline = await Baseline.start(
            "plain_start.py", str(tasks), str(scripts / "aliecs-occ"), "run", "occ.device:Device"
        )
        ratios = []
        for cycle in range(6):
            if cycle % 2:
                plain_ms = await baseline.round_ms("go")
            began = time.perf_counter()
            environment = await facility.create("many", HOSTS, per_host=str(tasks // 4))
            own_ms = (time.perf_counter() - began) * 1000
            await facility.destroy(environment.id)
            if not cycle % 2:
                plain_ms = await baseline.round_ms("go")
            ratios.append(own_ms / plain_ms)
        await baseline.stop()
        print(
            f"\nN={tasks}: create to CONFIGURED / plain start: median {statistics.median(ratios):.2f} min {min(ratios):.2f}"
        )


@pytest.mark.timeout(300)
async def test_histogram_of_transitions_shows_no_timer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    repository = tmp_path / "repository"
    shutil.copytree(HERE / "repository", repository)
    async with Facility(tmp_path, repository, records=False) as facility:
        environment = await facility.create("many", HOSTS, per_host="3")
        times = []
        for _ in range(100):
            for event in ("START_ACTIVITY", "STOP_ACTIVITY"):
                began = time.perf_counter()
                await facility.ask(environment.id, event)
                times.append((time.perf_counter() - began) * 1000)
        bins = Counter(int(one) for one in times)
        print("\n200 transitions of 12 tasks, ms:")
        for value in range(min(bins), max(bins) + 1):
            print(f"{value:4d} {'#' * bins[value]}")
