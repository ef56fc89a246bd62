"""G1: a transition of N real tasks, from the call at the core to its answer, against plain fan-outs.

A is the plain fan-out to the same processes of a call that they answer without moving, the kindest there is; B the plain
fan-out of the same moves, with their state streams read, to as many processes of the same program. Interleaved in one run,
the order alternating; medians of ratios and ratios of CPU time, never absolute times. ``make bench`` prints.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from time import perf_counter

import pytest
from benchmark_rig import DEVICE, HOSTS, Baseline, Parts, cpu_ms, loop_ms, ports_of, shown, world

CYCLES = 8
WITH_B = 100
"""B doubles the number of processes; beyond so many tasks it is left out."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("tasks", "executors"), [(10, 1), (64, 1), (64, 4), (250, 1), (500, 1)])
async def test_transition_against_fan_outs(
    tmp_path: Path, tasks: int, executors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, monkeypatch, deployTimeout="280s") as facility:
        hosts = HOSTS[:executors]
        environment = await facility.create("many", hosts, per_host=str(tasks // executors), deploy_timeout="280s")
        fan = await Baseline.start("fan.py", *await ports_of(facility))
        plain = await Baseline.start("plain.py", str(tasks), *DEVICE)
        if tasks <= WITH_B:
            await plain.round_ms("start")
        parts = Parts(facility)
        assert len(parts.tasks) == tasks
        fanned, moved = [fan.parent, *parts.tasks], [plain.parent, *plain.parent.children()]
        wall: dict[str, list[float]] = {"ours": [], "A": [], "B": []}
        cpu: Counter[str] = Counter()
        loops = [loop_ms()]
        for cycle in range(2 * CYCLES):
            event, before, after = (
                ("START_ACTIVITY", "CONFIGURED", "RUNNING"), ("STOP_ACTIVITY", "RUNNING", "CONFIGURED"),
            )[cycle % 2]  # fmt: skip
            turns = ["ours", "A"] if cycle % 4 < 2 else ["A", "ours"]
            for turn in [*turns, "B"] if tasks <= WITH_B else turns:
                counted = {"ours": parts.all, "A": fanned, "B": moved}[turn]
                spent = cpu_ms(counted)
                if turn == "ours":
                    began = perf_counter()
                    assert (await facility.ask(environment.id, event)).state == after
                    wall[turn].append((perf_counter() - began) * 1000)
                elif turn == "A":
                    wall[turn].append(await fan.round_ms(before if turns[0] == "A" else after))
                else:
                    wall[turn].append(await plain.round_ms("move"))
                cpu[turn] += cpu_ms(counted) - spent
        loops.append(loop_ms())
        await fan.stop()
        await plain.stop()
        ratios = {one: [x / y for x, y in zip(wall["ours"], wall[one], strict=True)] for one in "AB" if wall[one]}
        line = f"\nG1 N={tasks} executors={executors}: ours/A {shown(ratios['A'])}"
        line += f", CPU {cpu['ours'] / cpu['A']:.2f}"
        if "B" in ratios:
            line += f"; ours/B {shown(ratios['B'])}, CPU {cpu['ours'] / cpu['B']:.2f}"
        per_task = {one: f"{1000 * cpu[one] / len(wall[one]) / tasks:.0f}" for one in cpu}
        print(
            f"{line} | ours {shown(wall['ours'], '.1f')} ms | CPU us a task {per_task} | loop {shown(loops, '.0f')} ms"
        )


@pytest.mark.timeout(300)
async def test_histogram_of_transitions_shows_no_timer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path, monkeypatch) as facility:
        environment = await facility.create("many", HOSTS, per_host="3")
        times = []
        for _ in range(100):
            for event in ("START_ACTIVITY", "STOP_ACTIVITY"):
                began = perf_counter()
                await facility.ask(environment.id, event)
                times.append((perf_counter() - began) * 1000)
        bins = Counter(int(one) for one in times)
        print("\n200 transitions of 12 tasks, ms:")
        for value in range(min(bins), max(bins) + 1):
            print(f"{value:4d} {'#' * bins[value]}")
