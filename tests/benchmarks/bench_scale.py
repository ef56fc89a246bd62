"""G1, G2, G4 at scale: transitions of up to 10,000 tasks that are simulated inside their executors.

What is measured is the core: its CPU time and the time to the answer, by task; its messages; its memory. With ``watched`` a
client reads the live picture meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

import pytest
import simulated_executor
from benchmark_rig import Parts, cpu_ms, loop_ms, world
from facility import Facility

from server.journal import Journal, Table
from server.task.roster import Roster
from server.task.task import from_record

CYCLES = 5


@contextlib.asynccontextmanager
async def watching(facility: Facility, watched: bool) -> AsyncIterator[None]:
    watcher = asyncio.create_task(facility.watch_until(lambda things: False, 600)) if watched else None
    try:
        yield
    finally:
        if watcher:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("tasks", "hosts", "watched"),
    [(100, 10, False), (1000, 10, False), (1000, 40, False), (1000, 10, True), (3000, 30, False), (10_000, 40, False)],
)
async def test_transitions_of_simulated_tasks(
    tasks: int, hosts: int, watched: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"flp{number:03}" for number in range(hosts)]
    settings = {"executor": simulated_executor.program_in(tmp_path), "deployTimeout": "280s"}
    async with world(tmp_path, monkeypatch, names, **settings) as facility:
        began = perf_counter()
        environment = await facility.create("simulated", names, per_host=str(tasks // hosts))
        created_s = perf_counter() - began
        core = [Parts(facility).core]
        wall, spent = [], []
        async with watching(facility, watched):
            for _ in range(CYCLES):
                for event in ("START_ACTIVITY", "STOP_ACTIVITY"):
                    messages = simulated_executor.messages_in(facility.state)
                    cpu, began = cpu_ms(core), perf_counter()
                    await facility.ask(environment.id, event)
                    wall.append((perf_counter() - began) * 1000)
                    await facility.state_of(environment.id)  # what the core does after its answer counts too
                    spent.append(cpu_ms(core) - cpu)
                    sent = simulated_executor.messages_in(facility.state) - messages
                    assert sent == {"Transition": hosts, "CommandReply": hosts}
        await facility.destroy(environment.id)
    print(
        f"\nG1 N={tasks} simulated on {hosts} hosts{', watched' if watched else ''}: core CPU"
        f" {1000 * statistics.median(spent) / tasks:.0f} us a task (min {1000 * min(spent) / tasks:.0f}), answer after"
        f" {statistics.median(wall):.0f} ms (min {min(wall):.0f}), {2 * hosts} messages | create"
        f" {created_s:.1f} s | loop {loop_ms():.0f} ms"
    )


async def test_memory_of_an_idle_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The roster's records of 1,000 tasks, read back from a journal as a core does that starts again."""
    settings = {"executor": simulated_executor.program_in(tmp_path)}
    async with world(tmp_path, monkeypatch, ["flp001"], **settings) as facility:
        await facility.create("simulated", ["flp001"], per_host="1000")
        await facility.kill()
        journal = await Journal.open(facility.state / "journal.sqlite")
        records = list((await journal.load(Table.TASKS)).values())
        await journal.close()
        await facility.start()
    assert len(records) == 1000
    roster = Roster()
    tracemalloc.start()
    roster.restore([from_record(record) for record in records])
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"\nG4 a record of the roster: {size / len(records) / 1000:.2f} kB")
