"""The double against recordings of a real master and agent: the same calls, answers, events and order (golden/mesos)."""

from __future__ import annotations

from pathlib import Path

import pytest
from mesos.clock import HandClock
from mesos.double import MesosDouble
from mesos.replay import RECORDED_AGENT, Intervention, Replay, ticks_of
from mesos.terms import Timing
from mesos.transcript import Side, Step, merged, read_transcript

pytestmark = pytest.mark.reference

HOST = RECORDED_AGENT.hostname


def both_sides(reference: Path, name: str) -> list[Step]:
    """Return what scheduler and executor did in a recording; some have no executor."""
    folder = reference / "golden" / "mesos"
    executor = folder / f"{name}-executor-api.txt"
    return merged(
        read_transcript(folder / f"{name}-scheduler-api.txt", Side.SCHEDULER),
        read_transcript(executor, Side.EXECUTOR) if executor.exists() else [],
    )


async def replayed(
    reference: Path, tmp_path: Path, name: str, interventions: list[Intervention] | None = None, **delays: float
) -> str:
    """Return what differed."""
    steps = both_sides(reference, name)
    ticks = ticks_of(steps)
    clock = HandClock(ticks.start_s)
    timing = Timing(allocation_interval_s=ticks.interval_s, **delays)
    async with MesosDouble([RECORDED_AGENT], tmp_path, clock=clock, timing=timing) as mesos:
        replay = Replay(mesos, clock, tmp_path, steps)
        await replay.run(interventions)
    return "\n".join(replay.problems)


@pytest.mark.parametrize(
    "name",
    [
        "01-command-tasks",
        "02-custom-executor",
        "03-badroles",
        "03-die",
        "03-failover",
        "03-noreg",
        "03-refused",
        "05-framework-disconnect-failover-timeout-5s",
        "10-unacknowledged-updates-retry",
    ],
)
async def test_drivers_see_what_they_saw_with_a_real_cluster(reference: Path, tmp_path: Path, name: str) -> None:
    assert await replayed(reference, tmp_path, name) == ""


async def test_a_killed_agent_is_missed_at_once_and_removed_later(reference: Path, tmp_path: Path) -> None:
    async def kill(mesos: MesosDouble) -> None:
        await mesos.lose_agent(HOST)

    assert await replayed(reference, tmp_path, "07-agent-killed", [(39.84, kill)]) == ""


async def test_a_restarted_agent_finds_its_executors_again(reference: Path, tmp_path: Path) -> None:
    async def kill(mesos: MesosDouble) -> None:
        await mesos.lose_agent(HOST)

    async def restart(mesos: MesosDouble) -> None:
        await mesos.restart_agent(HOST)

    interventions: list[Intervention] = [(11.9, kill), (17.2, restart)]
    name = "08-agent-restart-checkpoint"
    assert await replayed(reference, tmp_path, name, interventions, recovery_s=15.0) == ""


async def test_a_new_master_knows_nothing_until_the_agents_are_back(reference: Path, tmp_path: Path) -> None:
    async def stop(mesos: MesosDouble) -> None:
        await mesos.stop_master()

    async def start(mesos: MesosDouble) -> None:
        await mesos.start_master(agents_return=False)

    async def come_back(mesos: MesosDouble) -> None:
        mesos.return_agents()

    interventions: list[Intervention] = [(9.95, stop), (16.45, start), (82.74, come_back)]
    assert await replayed(reference, tmp_path, "13-master-restart", interventions) == ""
