"""The double against recordings of a real master and agent: the same calls, answers, events and order (golden/mesos).

Every recording of a scheduler is played, with that of its executor where there is one. Not played: the traffic with
ZooKeeper, which the double has not; logs and callbacks of pymesos, for which see test_pymesos.py; single calls and
redirects, for which see test_status_codes.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mesos.clock import HandClock
from mesos.double import MesosDouble
from mesos.mishaps import agents_of, mishaps_of, recovery_of, ticks_of
from mesos.replay import Replay
from mesos.terms import Timing
from mesos.transcript import Side, Step, merged, read_stub, read_transcript

pytestmark = pytest.mark.reference

FOLDER = Path(os.environ.get("ALIECS_REFERENCE") or Path(__file__).resolve().parents[3] / "shared") / "golden" / "mesos"
ELSEWHERE = {"11-redirect-standby"}
NAMES = sorted(
    {path.name.removesuffix("-scheduler-api.txt") for path in FOLDER.glob("*-scheduler-api.txt")} - ELSEWHERE
)


def both_sides(name: str) -> list[Step]:
    """Return what scheduler and executor did in a recording; some have no executor."""
    driver = FOLDER / f"{name}-executor-api.txt"
    stub = FOLDER / f"{name.partition('-')[0]}-executor-api-probes.txt"
    executor = read_transcript(driver, Side.EXECUTOR) if driver.exists() else []
    return merged(
        read_transcript(FOLDER / f"{name}-scheduler-api.txt", Side.SCHEDULER),
        executor or (read_stub(stub) if stub.exists() else []),
    )


@pytest.mark.parametrize("name", NAMES or ["none"])
async def test_drivers_see_what_they_saw_with_a_real_cluster(reference: Path, tmp_path: Path, name: str) -> None:
    steps = both_sides(name)
    agents, ticks = agents_of(steps), ticks_of(steps)
    clock = HandClock(ticks.start_s)
    timing = Timing(allocation_interval_s=ticks.interval_s, recovery_s=recovery_of(steps))
    async with MesosDouble(list(agents.values()), tmp_path, clock=clock, timing=timing) as mesos:
        replay = Replay(mesos, clock, tmp_path, steps, mishaps_of(steps, ticks, agents))
        await replay.run()
    assert "\n".join(replay.problems) == ""
