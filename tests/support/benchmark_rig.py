"""What benchmarks of a whole facility share: processes as a baseline, CPU time of processes, how fast the machine is now."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil
import pytest
from deploy_stages import command_of
from facility import CONFIGURATION, Facility

from server.api import o2control_pb2 as pb

HERE = Path(__file__).resolve().parents[1] / "benchmarks"
HOSTS = ["flp001", "flp002", "flp003", "flp004"]
_CPU_CLOCK = 2
"""Clock ids of Linux: the complement of a pid, three bits to the left, and CPUCLOCK_SCHED."""
ROUND_S = 280.0
"""Longest time for one round of a baseline."""
DEVICE = (str(Path(sys.executable).parent / "aliecs-occ"), "run", "occ.device:Device")
"""The program of the tasks."""


class Baseline:
    """A baseline in its own process: a line in, the milliseconds of one round out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.parent = psutil.Process(process.pid)

    @classmethod
    async def start(cls, script: str, *arguments: str) -> Baseline:
        command = (sys.executable, str(HERE / script), *arguments)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout and (await process.stdout.readline()).strip() == b"ready"
        return cls(process)

    async def round_ms(self, said: str) -> float:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{said}\n".encode())
        return float(await asyncio.wait_for(self._process.stdout.readline(), ROUND_S))

    async def stop(self) -> None:
        assert self._process.stdin
        self._process.stdin.write(b"\n")
        await self._process.wait()


def world(folder: Path, monkeypatch: pytest.MonkeyPatch, hosts: Sequence[str] = HOSTS, **settings: str) -> Facility:
    """Return a facility, not started, with the repository of this folder and these hosts."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    repository = shutil.copytree(HERE / "repository", folder / "repository")
    facility = Facility(folder, repository, records=False, **{"executor": _patient_executor(folder)} | settings)
    facility.state.mkdir()
    inventory = ", ".join(f'{host}: {{cards: "{{}}"}}' for host in hosts)
    (facility.state / "configuration.yaml").write_text(f"{CONFIGURATION}      ITS: {{flps: {{{inventory}}}}}\n")
    return facility


def _patient_executor(folder: Path) -> str:
    """Return an executor that waits for the ports of hundreds of tasks, which start at once, on a machine that is busy."""
    program = folder / "patient-executor"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -P -m executor "$@" --port-open-s {ROUND_S} --standby-s {ROUND_S}\n'
    )
    program.chmod(0o755)
    return str(program)


class Parts:
    """The processes of a facility: its core, its executors, their tasks."""

    def __init__(self, facility: Facility) -> None:
        assert facility.process is not None
        self.core = psutil.Process(facility.process.pid)
        executors = (pid for pid in facility.processes() if b"executor" in command_of(pid).split(b"\0"))
        self.executors = [psutil.Process(pid) for pid in executors]
        self.tasks = [task for executor in self.executors for task in executor.children()]

    @property
    def all(self) -> list[psutil.Process]:
        return [self.core, *self.executors, *self.tasks]


def cpu_ms(processes: Iterable[psutil.Process]) -> float:
    """Return the CPU time that all threads of these processes have had, to the microsecond: their own clocks."""
    return sum(time.clock_gettime(~process.pid << 3 | _CPU_CLOCK) for process in processes) * 1000


async def ports_of(facility: Facility) -> list[str]:
    """Return the control ports of all tasks."""
    ports = []
    for task in await facility.tasks():
        reply = await facility.control.GetTask(pb.GetTaskRequest(taskId=task.taskId))
        ports += [one.split("=", 1)[1] for one in reply.task.commandInfo.env if one.startswith("OCC_CONTROL_PORT=")]
    return ports


def loop_ms() -> float:
    """Return how long a loop of pure Python takes now: 10 to 16 ms on a quiet machine; quoted beside every figure."""
    began = time.perf_counter()
    number = 0
    for one in range(200_000):
        number = (number + one) % 1_000_003
    return (time.perf_counter() - began) * 1000


def shown(values: Sequence[float], form: str = ".2f") -> str:
    """Return median and minimum."""
    return f"{statistics.median(values):{form}} (min {min(values):{form}})"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which so many percent lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
