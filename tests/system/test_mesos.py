"""What whole environments can suffer on a cluster only, here the Mesos double; what holds for all backends: test_run.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import psutil
import pytest
from deploy_stages import PACE, TIMING
from facility import HOSTS as DETECTORS
from facility import Facility, error_info
from facility_backends import agents_named, settings_for
from mesos.double import MesosDouble

from server.api import o2control_pb2 as pb

HOSTS = ["flp001", "flp002"]


@pytest.fixture
async def mesos(tmp_path: Path) -> AsyncIterator[MesosDouble]:
    async with MesosDouble(agents_named(*DETECTORS), tmp_path / "agents", pace=PACE, timing=TIMING) as double:
        yield double


@pytest.fixture
async def cluster(tmp_path: Path, repository: Path, mesos: MesosDouble) -> AsyncIterator[Facility]:
    """Return a facility whose core drives the double."""
    async with Facility(tmp_path, repository, **settings_for(mesos.address)) as facility:
        yield facility


async def test_a_lost_agent_leads_to_error_with_its_name(cluster: Facility, mesos: MesosDouble) -> None:
    environment = await cluster.create("flow", HOSTS)
    await cluster.ask(environment.id, "START_ACTIVITY")
    sink = await cluster.task("sink", "flp002")
    executor = psutil.Process(psutil.Process(int(sink.pid)).ppid())
    await mesos.lose_agent("flp002")
    mesos.remove_agent("flp002")
    key = ("environment", environment.id)
    things = await cluster.watch_until(lambda seen: key in seen and seen[key].state == "ERROR")
    fault = things["fault", environment.id]
    assert fault.host == "flp002"
    assert "Agent flp002 is unreachable" in fault.what
    await mesos.restart_agent("flp002")
    await asyncio.to_thread(executor.wait, 60)


async def test_what_mesos_refuses_is_told_with_its_reason(tmp_path: Path, repository: Path) -> None:
    # Too little memory for the executor and its share in every task.
    agents = agents_named(*HOSTS, resources="cpus:8;mem:200")
    async with MesosDouble(agents, tmp_path / "agents", pace=PACE, timing=TIMING) as mesos:
        async with Facility(tmp_path, repository, **settings_for(mesos.address)) as facility:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await facility.create("flow", HOSTS)
            assert "MB of memory" in str(refused.value.details())
            assert error_info(refused.value).reason
            assert not await facility.tasks()


async def test_a_scheduler_process_that_is_killed_in_a_run_changes_nothing(
    cluster: Facility, mesos: MesosDouble
) -> None:
    environment = await cluster.create("flow", HOSTS)
    await cluster.ask(environment.id, "START_ACTIVITY")
    assert cluster.process
    children = psutil.Process(cluster.process.pid).children()
    (driver,) = [one for one in children if "server.deploy.mesos_driver" in one.cmdline()]
    driver.kill()
    assert (await cluster.ask(environment.id, "STOP_ACTIVITY")).state == "CONFIGURED"
    assert not [task for task in await cluster.tasks() if task.state == "ERROR"]


async def test_a_core_without_a_master_starts_and_says_why_nothing_can_be_placed(
    tmp_path: Path, repository: Path
) -> None:
    settings = {"mesos": "127.0.0.1:1", "deployTimeout": "15s"}
    async with Facility(tmp_path, repository, **settings) as facility:
        info = await facility.control.GetFrameworkInfo(pb.GetFrameworkInfoRequest(), timeout=60)
        assert (info.state, info.frameworkId) == ("INITIAL", "")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await facility.create("flow", HOSTS)
        assert "Mesos master 127.0.0.1:1 has not accepted this core within 5 s" in str(refused.value.details())
