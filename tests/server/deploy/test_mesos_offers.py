"""Offers of Mesos: what agents have, what is wanted of it, what is given back, refused or taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from deploy_ear import DEADLINE_S
from deploy_stages import PACE, PORTS, TIMING, DoubleStage, agent, settled
from mesos.double import MesosDouble

from executor.api.messages import Phase
from occ.errors import RefusedError
from server.deploy.backend import Demand, ExecutorState
from server.deploy.match import Want, match
from server.deploy.mesos import MesosBackend
from server.ids import new_id


async def test_agents_become_hosts_with_what_they_offer(cluster: DoubleStage) -> None:
    backend, _ = await cluster.start()
    offers = await backend.offers()
    assert [(one.host, one.address, one.attributes["rack"], one.cpus) for one in offers] == [
        ("host1", "127.0.0.1", "a", 3.99),
        ("host2", "127.0.0.1", "a", 3.99),
    ]
    assert offers[0].memory_mb == 4096 - 64
    assert offers[0].ports == PORTS[0]
    assert [(one.name, one.detector) for one in backend.hosts()] == [("host1", "TST"), ("host2", "TST")]
    assert backend.framework_id == cluster.framework_id != ""


async def test_what_nobody_wants_is_given_back_and_not_offered_again(cluster: DoubleStage) -> None:
    backend, _ = await cluster.start()
    await backend.offers()
    framework = cluster.mesos.master.ledger.frameworks[cluster.framework_id]
    await settled(lambda: framework.suppressed and not cluster.mesos.master._allocator.of_framework(framework.id))


async def test_what_a_task_was_promised_that_could_not_be_launched_is_given_back_too(cluster: DoubleStage) -> None:
    backend, _ = await cluster.start()
    before = await backend.offers()
    backend.reserve("host1", "t1", Demand(cpus=1, memory_mb=10))
    backend._hosts["host1"].ended.add("t1")  # its offers were not valid any more, twice; its environment has it still
    assert [offer.cpus for offer in await backend.offers()] == [offer.cpus for offer in before]
    framework = cluster.mesos.master.ledger.frameworks[cluster.framework_id]
    await settled(lambda: framework.suppressed and not cluster.mesos.master._allocator.of_framework(framework.id))


async def test_more_than_there_is_is_refused_and_the_reason_told(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    cluster.mesos.overcommit("host1", "cpus:100")
    await settled_offers(backend, lambda cpus: cpus > 100)
    spec = cluster.spec(backend, "host1", "t1", Demand(cpus=50, memory_mb=10, control=True))
    await backend.launch("host1", "o1", [spec], new_id(), timeout_s=DEADLINE_S)
    await ear.until(lambda: "t1" in ear.tasks)
    assert (ear.tasks["t1"].phase, ear.tasks["t1"].final_status) == (Phase.ENDED, "TASK_ERROR")
    assert ear.tasks["t1"].error.startswith("TASK_ERROR: ")
    assert ear.tasks["t1"].error.endswith("(REASON_TASK_INVALID)")
    assert cluster.info(backend).state is ExecutorState.NONE
    backend.release(["t1"])
    await cluster.launch(backend, ear, "t2")


async def test_a_launch_on_offers_that_were_taken_back_is_done_again(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    await backend.offers()
    master = cluster.mesos.master
    for offer in master._allocator.of_framework(cluster.framework_id):
        master._withdraw(offer.id)  # and the core does not know it yet
    await backend.launch("host1", "o1", [cluster.spec(backend, "host1", "t1")], new_id(), timeout_s=DEADLINE_S)
    await ear.until(lambda: ear.is_active("t1"))


async def test_offers_that_are_rescinded_are_not_used(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    await backend.offers()
    spec = cluster.spec(backend, "host1", "t1")
    cluster.mesos.rescind_offers("host1")
    await backend.launch("host1", "o1", [spec], new_id(), timeout_s=DEADLINE_S)
    await ear.until(lambda: ear.is_active("t1"))


async def test_one_task_more_than_an_agent_has_cores_is_not_placed(cluster: DoubleStage) -> None:
    backend, _ = await cluster.start()
    offers = await backend.offers()
    matched = match([Want(key=key, cpu=1.3) for key in range(7)], offers)
    assert len(matched.placed) == 6
    assert "needs 1.31 cpus" in matched.unplaced[6]


async def test_ports_that_are_not_offered_are_refused(cluster: DoubleStage) -> None:
    backend, _ = await cluster.start()
    await backend.offers()
    with pytest.raises(RefusedError, match="port 8000 is not offered there"):
        backend.reserve("host1", "t1", Demand(static_ports=(PORTS[0][0][0], 8000)))
    with pytest.raises(RefusedError, match="no free port between 9000 and 29999"):
        backend.reserve("host1", "t1", Demand(channels=101))
    assert (await backend.offers())[0].ports == PORTS[0]


@pytest.mark.parametrize("takes_limits", [True, False])
async def test_limits_are_told_to_agents_that_take_them_and_no_others(tmp_path: Path, takes_limits: bool) -> None:
    known = agent(1)
    agents = [known if takes_limits else replace(known, capabilities=("MULTI_ROLE",))]
    async with MesosDouble(agents, tmp_path / "agents", pace=PACE, timing=TIMING) as mesos:
        cluster = DoubleStage(tmp_path, mesos)
        backend, ear = await cluster.start()
        await backend.offers()
        specs = [cluster.spec(backend, "host1", task_id) for task_id in ("t1", "t2")]
        specs[0] = msgspec.structs.replace(specs[0], memory_limit_mb=500.0, cpu_limit=3.0)
        await backend.launch("host1", "o1", specs, new_id(), timeout_s=DEADLINE_S)
        await ear.until(lambda: ear.is_active("t1") and ear.is_active("t2"))
        (run,) = mesos.agents["host1"].runs.values()
        told = {task_id: task.info.get("limits") for task_id, task in run.launched.items()}
        assert told == {
            "t1": {"cpus": {"value": 3.0}, "mem": {"value": 500.0}} if takes_limits else None,
            "t2": {"cpus": {"value": "Infinity"}, "mem": {"value": "Infinity"}} if takes_limits else None,
        }
        await backend.close()


async def settled_offers(backend: MesosBackend, condition: Callable[[float], bool]) -> None:
    """Ask for offers until the cores of the first host are as wanted."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition(max((one.cpus for one in await backend.offers()), default=0.0)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
