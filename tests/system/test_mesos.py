"""Whole runs with tasks on a cluster: what holds on this machine holds there, and what only a cluster can suffer.

The cluster is the double of tests/support/mesos, or for the former a real one with agents on this machine, whose machine_id are
those of the facility, where ALIECS_TEST_MESOS names its master.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import psutil
import pytest
from deploy_stages import PACE, TIMING
from facility import HOSTS as DETECTORS
from facility import Facility, error_info
from free_ports import free_slices
from mesos.double import MesosDouble
from mesos.executor_run import VirtualAgent

HERE = Path(__file__).resolve().parent
HOSTS = ["flp001", "flp002"]


def agents_named(*hosts: str, resources: str = "cpus:8;mem:16384") -> list[VirtualAgent]:
    """Return agents with ports of their own: all of them share this machine."""
    agents = []
    for host, (data, control) in zip(hosts, free_slices(len(hosts), data=100, control=50), strict=True):
        ports = f"ports:[{data[0]}-{data[1]},{control[0]}-{control[1]}]"
        attributes = {"machine_id": host, "machine_type": "flp"}
        agents.append(VirtualAgent(host, attributes, f"{resources};{ports}"))
    return agents


@pytest.fixture
async def mesos(tmp_path: Path) -> AsyncIterator[MesosDouble]:
    async with MesosDouble(agents_named(*DETECTORS), tmp_path / "agents", pace=PACE, timing=TIMING) as double:
        yield double


@pytest.fixture
async def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    shutil.copytree(HERE / "repository", tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
async def cluster(tmp_path: Path, repository: Path, mesos: MesosDouble) -> AsyncIterator[Facility]:
    """Return a facility whose core drives the double."""
    settings = {"mesos": mesos.address, "mesosFrameworkUser": getpass.getuser()}
    facility = Facility(tmp_path, repository, **settings)
    async with facility:
        yield facility


@pytest.fixture(params=["local", "mesos"])
async def facility(
    request: pytest.FixtureRequest, tmp_path: Path, repository: Path, mesos: MesosDouble
) -> AsyncIterator[Facility]:
    """Return a facility on this machine, then one on a cluster."""
    address = os.environ.get("ALIECS_TEST_MESOS") or mesos.address
    settings = {"mesos": address, "mesosFrameworkUser": getpass.getuser()} if request.param == "mesos" else {}
    async with Facility(tmp_path, repository, **settings) as one:
        yield one


async def test_a_workflow_goes_through_a_whole_run_and_moves_data(facility: Facility) -> None:
    environment = await facility.create("flow", HOSTS)
    assert environment.state == "CONFIGURED"
    assert (environment.numberOfTasks, environment.numberOfActiveTasks) == (7, 7)
    assert (await facility.ask(environment.id, "START_ACTIVITY")).state == "RUNNING"
    key = ("environment", environment.id)
    things = await facility.watch_until(lambda seen: key in seen and seen[key].bytes_moved > 20_000)
    assert things[key].tasks_ok == 7
    assert (await facility.ask(environment.id, "STOP_ACTIVITY")).state == "CONFIGURED"
    assert (await facility.ask(environment.id, "RESET")).state == "DEPLOYED"
    reply = await facility.destroy(environment.id)
    assert len(reply.cleanupTasksReply.killedTasks) == 7 and not reply.cleanupTasksReply.runningTasks
    assert not await facility.tasks()


async def test_a_core_killed_in_a_run_comes_back_and_the_run_goes_on(facility: Facility) -> None:
    environment = await facility.create("flow", HOSTS)
    await facility.ask(environment.id, "START_ACTIVITY")
    before = {task.taskId: (task.pid, task.state, task.status) for task in await facility.tasks()}
    await facility.kill()
    await facility.start()
    key = ("environment", environment.id)
    things = await facility.watch_until(
        lambda seen: (
            key in seen and sum(k[0] == "host" and h.executor_state == "ATTACHED" for k, h in seen.items()) == 2
        )
    )
    assert (things[key].state, things[key].run_number) == ("RUNNING", 1)
    assert {task.taskId: (task.pid, task.state, task.status) for task in await facility.tasks()} == before
    moved = things[key].bytes_moved
    await facility.watch_until(lambda seen: seen[key].bytes_moved > moved + 10_000)
    assert (await facility.ask(environment.id, "STOP_ACTIVITY")).state == "CONFIGURED"
    assert len((await facility.destroy(environment.id)).cleanupTasksReply.killedTasks) == 7


async def test_a_killed_executor_leads_to_error_and_its_host_can_be_used_again(facility: Facility) -> None:
    environment = await facility.create("flow", HOSTS)
    await facility.ask(environment.id, "START_ACTIVITY")
    sink = await facility.task("sink", "flp002")
    parent = psutil.Process(int(sink.pid)).ppid()
    os.kill(parent, signal.SIGKILL)
    key = ("environment", environment.id)
    things = await facility.watch_until(lambda seen: key in seen and seen[key].state == "ERROR")
    assert "flp002" in things["fault", environment.id].host
    await facility.destroy(environment.id)
    assert (await facility.create("flow", HOSTS)).state == "CONFIGURED"


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
    await asyncio.to_thread(executor.wait, 20)


async def test_what_mesos_refuses_is_told_with_its_reason(tmp_path: Path, repository: Path) -> None:
    # Too little memory for the executor and its share in every task.
    agents = agents_named(*HOSTS, resources="cpus:8;mem:200")
    async with MesosDouble(agents, tmp_path / "agents", pace=PACE, timing=TIMING) as mesos:
        settings = {"mesos": mesos.address, "mesosFrameworkUser": getpass.getuser()}
        async with Facility(tmp_path, repository, **settings) as facility:
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
    settings = {"mesos": "127.0.0.1:1", "deployTimeout": "3s"}
    async with Facility(tmp_path, repository, **settings) as facility:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await facility.create("flow", HOSTS)
        assert "Mesos master 127.0.0.1:1 has not accepted this core within 1 s" in str(refused.value.details())
