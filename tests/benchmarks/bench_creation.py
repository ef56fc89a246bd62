"""G3: from nothing to CONFIGURED, against the plain start of as many of the same processes and the plain fan-out of the same
calls to them. On this machine and on the double of a Mesos cluster, executors warm; interleaved, medians of ratios.
"""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import pytest
from benchmark_rig import DEVICE, HOSTS, Baseline, loop_ms, shown, world
from facility import Facility
from free_ports import free_slices
from mesos.double import MesosDouble
from mesos.executor_run import VirtualAgent

PACE = 20.0


@asynccontextmanager
async def backend(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Facility]:
    if kind == "local":
        async with world(folder, monkeypatch, deployTimeout="280s") as facility:
            yield facility
        return
    agents = []
    for host, (data, control) in zip(HOSTS, free_slices(len(HOSTS), data=10, control=200), strict=True):
        ports = f"ports:[{data[0]}-{data[1]},{control[0]}-{control[1]}]"
        agents.append(VirtualAgent(host, {"machine_id": host}, f"cpus:16;mem:65536;{ports}"))
    async with MesosDouble(agents, folder / "agents", pace=PACE) as double:
        settings = {"mesos": double.address, "mesosFrameworkUser": getpass.getuser(), "deployTimeout": "280s"}
        settings["executor"] = ""  # an agent starts it without arguments
        async with world(folder, monkeypatch, **settings) as facility:
            yield facility


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kind", "tasks", "cycles"),
    [
        ("local", 10, 6), ("local", 64, 6), ("local", 100, 4), ("local", 250, 2), ("local", 500, 2),
        ("mesos", 10, 4), ("mesos", 64, 4), ("mesos", 250, 2),
    ],
)  # fmt: skip
async def test_creation_against_plain_start_and_calls(
    kind: str, tasks: int, cycles: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with backend(kind, tmp_path, monkeypatch) as facility:
        hosts = HOSTS if tasks >= 64 else HOSTS[:2]
        await facility.destroy((await facility.create("many", hosts, per_host="1")).id)
        plain = await Baseline.start("plain.py", str(tasks), *DEVICE)
        ours, theirs, loops = [], [], [loop_ms()]
        for cycle in range(cycles):
            for turn in ("ours", "plain") if cycle % 2 else ("plain", "ours"):
                if turn == "plain":
                    theirs.append(await plain.round_ms("start"))
                    await plain.round_ms("end")
                    continue
                began = perf_counter()
                environment = await facility.create(
                    "many", hosts, per_host=str(tasks // len(hosts)), deploy_timeout="280s"
                )
                ours.append((perf_counter() - began) * 1000)
                assert environment.numberOfActiveTasks == tasks // len(hosts) * len(hosts)
                await facility.destroy(environment.id)
        await plain.stop()
        loops.append(loop_ms())
        ratios = [own / other for own, other in zip(ours, theirs, strict=True)]
        print(
            f"\nG3 {kind} N={tasks}: ours/plain {shown(ratios)} | ours {shown(ours, '.0f')} ms,"
            f" plain {shown(theirs, '.0f')} ms | loop {shown(loops, '.0f')} ms"
        )
