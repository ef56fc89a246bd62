"""The master that leads, found by way of a real ZooKeeper: its change, its absence, and ZooKeeper's own death."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from deploy_stages import PACE, TIMING, DoubleStage, not_accepted, settled
from mesos.zookeeper import ZooKeeper, why_none

from executor.api.messages import Phase

pytestmark = pytest.mark.skipif(bool(why_none()), reason=why_none())


@pytest.fixture
def zookeeper(tmp_path: Path) -> Iterator[ZooKeeper]:
    with ZooKeeper(tmp_path / "zookeeper") as one:
        yield one


@pytest.fixture
async def elected(zookeeper: ZooKeeper, cluster: DoubleStage) -> AsyncIterator[DoubleStage]:
    """Return a cluster that is found by way of ZooKeeper only."""
    cluster.master = replace(cluster.master, address=zookeeper.address)
    yield cluster


@pytest.mark.parametrize("gap", [False, True], ids=["at once", "after a while without any"])
async def test_the_leading_master_is_found_and_its_successor_too_and_tasks_go_on(
    zookeeper: ZooKeeper, elected: DoubleStage, gap: bool
) -> None:
    mesos = elected.mesos
    mesos.master._timing = replace(TIMING, heartbeat_s=2 * PACE)  # of which the core misses some before it looks anew
    first = await asyncio.to_thread(zookeeper.stand, mesos.address)
    standby = await asyncio.to_thread(zookeeper.stand, await mesos.start_standby())  # it has a higher number
    backend, ear = await elected.start()
    await elected.launch(backend, ear, "t1")
    framework_id, pid = backend.framework_id, backend.scheduler_pid
    await asyncio.to_thread(zookeeper.fall, standby)
    await mesos.move_master(agents_return=False)
    if gap:
        await asyncio.to_thread(zookeeper.fall, first)
        await settled(lambda: backend.scheduler_pid != pid)  # it has given up looking, and looks anew
        await asyncio.to_thread(zookeeper.stand, mesos.address)
    else:
        await asyncio.to_thread(zookeeper.stand, mesos.address)
        await asyncio.to_thread(zookeeper.fall, first)
    await settled(lambda: framework_id in mesos.master.ledger.frameworks)
    mesos.return_agents()
    await elected.launch(backend, ear, "t2")
    assert (backend.framework_id, ear.is_active("t1"), ear.lost) == (framework_id, True, [])
    assert len(ear.hellos) == 1


async def test_a_core_that_is_there_before_any_master_takes_the_first_that_comes(
    zookeeper: ZooKeeper, elected: DoubleStage
) -> None:
    backend, ear = await elected.start()
    await not_accepted(backend)  # the path does not even exist
    await asyncio.to_thread(zookeeper.stand, elected.mesos.address)
    await elected.launch(backend, ear, "t1")


async def test_tasks_go_on_and_are_commanded_while_zookeeper_is_down(
    zookeeper: ZooKeeper, elected: DoubleStage
) -> None:
    await asyncio.to_thread(zookeeper.stand, elected.mesos.address)
    backend, ear = await elected.start()
    await elected.launch(backend, ear, "t1")
    zookeeper.kill()
    await elected.launch(backend, ear, "t2")
    await asyncio.to_thread(zookeeper.start)
    await elected.launch(backend, ear, "t3")
    assert all(ear.tasks[task_id].phase is Phase.ACTIVE for task_id in ("t1", "t2", "t3"))
    assert (len(ear.hellos), ear.lost) == (1, [])
