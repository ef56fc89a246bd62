"""The life of tasks on the double: launched on offers, told of, killed, lost with their executor."""

from __future__ import annotations

import asyncio
import os
import select
from pathlib import Path

import psutil
import pytest
from mesos.client import SchedulerClient, amounts
from mesos.double import MesosDouble
from mesos.executor_run import VirtualAgent
from mesos.played import PlayedExecutor, executor_info, launch_played, task_info
from mesos.terms import Timing, new_uuid, value


async def test_a_new_framework_is_offered_everything_at_once(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    offers = (await scheduler.next("OFFERS"))["offers"]["offers"]
    assert [offer["hostname"] for offer in offers] == ["host1", "host2"]
    assert offers[1]["attributes"] == [
        {"name": "machine_id", "type": "TEXT", "text": {"value": "host2"}},
        {"name": "rack", "type": "TEXT", "text": {"value": "b"}},
    ]
    assert {offer["url"]["address"]["port"] for offer in offers} == {agent.door.port for agent in mesos.agents.values()}


async def test_a_task_is_launched_told_of_and_killed(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1") as executor:
        launched = (await executor.next("LAUNCH"))["launch"]["task"]
        assert launched["executor"]["framework_id"] == value(scheduler.framework_id)
        status = await executor.say(scheduler, "t1", "TASK_RUNNING", message="up")
        assert status["message"] == "up"
        assert status["container_status"]["executor_pid"] == executor.run.container.pid
        assert (await executor.next("ACKNOWLEDGED"))["acknowledged"]["uuid"] == status["uuid"]
        await scheduler.call("KILL", kill={"task_id": value("t1")})
        await executor.next("KILL")
        await executor.say(scheduler, "t1", "TASK_KILLED")


async def test_messages_go_both_ways(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1") as executor:
        message = {"agent_id": value(mesos.agents["host1"].id), "executor_id": value("ex"), "data": "cGluZw=="}
        await scheduler.call("MESSAGE", message=message)
        assert (await executor.next("MESSAGE"))["message"] == {"data": "cGluZw=="}
        assert await executor.call("MESSAGE", message={"data": "cG9uZw=="}) == (202, "")
        assert (await scheduler.next("MESSAGE"))["message"] == {**message, "data": "cG9uZw=="}


async def test_the_end_of_an_executor_is_told_before_that_of_its_tasks(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1", "t2") as executor:
        await executor.say(scheduler, "t1", "TASK_RUNNING")
        scheduler.events.clear()
        executor.exit(7)
        await scheduler.next("FAILURE")
        last = await scheduler.update("t2", "TASK_FAILED")
        first = await scheduler.update("t1", "TASK_FAILED")
    assert first["reason"] == last["reason"] == "REASON_EXECUTOR_TERMINATED"
    assert "uuid" in first


async def test_an_executor_that_ignores_shutdown_is_killed_with_all_its_session(
    mesos: MesosDouble, scheduler: SchedulerClient, tmp_path: Path
) -> None:
    await scheduler.subscribe()
    offer = await scheduler.offer("host1")
    os.mkfifo(tmp_path / "ready")
    stubborn = executor_info("ex", command=f"trap '' TERM; sleep 600 & echo $! > {tmp_path}/ready; sleep 600")
    await scheduler.launch(offer, task_info("t1", stubborn))
    async with PlayedExecutor(mesos, "host1", scheduler.framework_id, "ex") as executor:
        child = int(await asyncio.to_thread((tmp_path / "ready").read_text))
        assert os.getsid(child) == executor.run.container.pid
        end_of_child = os.pidfd_open(child)
        shutdown = {"executor_id": value("ex"), "agent_id": offer["agent_id"]}
        await scheduler.call("SHUTDOWN", shutdown=shutdown)
        await executor.next("SHUTDOWN")
        assert (await scheduler.next("FAILURE"))["failure"]["status"] == 9
        await scheduler.update("t1", "TASK_FAILED")
        assert select.select([end_of_child], [], [], 60)[0]
    os.close(end_of_child)


async def test_an_update_comes_again_until_it_is_acknowledged_and_the_next_waits(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1") as executor:
        await executor.send_update("t1", "TASK_STARTING", new_uuid())
        await executor.send_update("t1", "TASK_RUNNING", new_uuid())
        first = await scheduler.update("t1", "TASK_STARTING")
        assert await scheduler.update("t1", "TASK_STARTING") == first
        states = [e["update"]["status"]["state"] for e in scheduler.events if e["type"] == "UPDATE"]
        assert "TASK_RUNNING" not in states
        await scheduler.acknowledge(first)
        await scheduler.update("t1", "TASK_RUNNING")


async def test_more_than_was_offered_is_refused(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    offer = await scheduler.offer("host2")
    await scheduler.launch(offer, {**task_info("t1"), "resources": amounts(3, 64), "command": {"value": "true"}})
    status = await scheduler.update("t1", "TASK_ERROR")
    assert status["reason"] == "REASON_TASK_INVALID"
    assert "uuid" not in status
    assert "cpus(allocated: *):3" in status["message"]


async def test_tasks_of_one_accept_share_what_is_offered(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    offer = await scheduler.offer("host2")
    command = {"value": "sleep 600"}
    tasks = [
        {**task_info(f"t{n}", command=command), "resources": amounts(0.9, 64, (9000 + n, 9000 + n))} for n in range(3)
    ]
    await scheduler.launch(offer, *tasks)
    await scheduler.update("t2", "TASK_ERROR")
    again = {**task_info("t3", command=command), "resources": amounts(0.1, 64, (9001, 9001))}
    await scheduler.launch(await scheduler.offer("host2"), again)
    assert "ports" in (await scheduler.update("t3", "TASK_ERROR"))["message"]


async def test_an_executor_inherits_nothing_and_gets_its_files(
    mesos: MesosDouble, scheduler: SchedulerClient, tmp_path: Path
) -> None:
    program = tmp_path / "program.sh"
    program.write_text("#!/bin/sh\nenv > environment\n")
    await scheduler.subscribe()
    offer = await scheduler.offer("host1")
    executor = executor_info(
        "ex",
        command="exec ./program.sh",
        uris=[{"value": str(program), "executable": True}],
        environment={"variables": [{"name": "EXTRA", "value": "a b"}, {"name": "MESOS_CHECKPOINT", "value": "9"}]},
    )
    await scheduler.launch(offer, task_info("t1", executor))
    run = mesos.agents["host1"].runs[scheduler.framework_id, "ex"]
    assert (await scheduler.next("FAILURE"))["failure"]["status"] == 0
    lines = (run.container.sandbox / "environment").read_text().splitlines()
    assert (run.container.sandbox.parent / "latest").resolve() == run.container.sandbox
    environment = dict(line.split("=", 1) for line in lines)
    assert environment.pop("EXTRA") == "a b"
    assert environment.pop("MESOS_CHECKPOINT") == "9"
    assert environment["MESOS_AGENT_ENDPOINT"] == mesos.agents["host1"].door.address
    assert environment["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] == "250ms"
    allowed = ("MESOS_", "LIBPROCESS_", "PATH", "PWD", "_", "SHLVL", "OLDPWD")
    assert [name for name in environment if not name.startswith(allowed)] == []


async def test_what_cannot_be_fetched_fails_the_task(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    offer = await scheduler.offer("host1")
    executor = executor_info("ex", uris=[{"value": "/no/such/file"}])
    await scheduler.launch(offer, task_info("t1", executor))
    await scheduler.next("FAILURE")
    assert (await scheduler.update("t1", "TASK_FAILED"))["reason"] == "REASON_CONTAINER_LAUNCH_FAILED"


async def test_a_task_killed_before_its_executor_subscribes_was_never_there(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    await scheduler.subscribe()
    executor = await launch_played(mesos, scheduler, "t1")
    await scheduler.call("KILL", kill={"task_id": value("t1")})
    status = await scheduler.update("t1", "TASK_KILLED")
    assert (status["source"], status["reason"]) == ("SOURCE_AGENT", "REASON_TASK_KILLED_DURING_LAUNCH")
    await scheduler.next("FAILURE")
    await executor.close()


@pytest.mark.parametrize("mesos", [{"timing": Timing()}], indirect=True)
async def test_an_executor_that_never_subscribes_is_killed(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    executor = await launch_played(mesos, scheduler, "t1")
    assert (await scheduler.next("FAILURE"))["failure"]["status"] == 9
    assert (await scheduler.update("t1", "TASK_FAILED"))["reason"] == "REASON_EXECUTOR_REGISTRATION_TIMEOUT"
    await executor.close()


async def test_nothing_is_left_when_the_double_is_over(tmp_path: Path) -> None:
    async with MesosDouble([VirtualAgent("host1")], tmp_path) as mesos, SchedulerClient(mesos.address) as scheduler:
        await scheduler.subscribe()
        async with await launch_played(mesos, scheduler, "t1") as executor:
            pid = executor.run.container.pid
    assert pid is not None and not psutil.pid_exists(pid)
    async with asyncio.timeout(60):
        while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110  # those that have been cancelled
            await asyncio.sleep(0)


async def test_what_an_executor_left_behind_in_other_sessions_ends_with_the_double(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ready")
    command = f"setsid sleep 600 & echo $! > {tmp_path}/ready; exit 3"
    async with MesosDouble([VirtualAgent("host1")], tmp_path) as mesos, SchedulerClient(mesos.address) as scheduler:
        await scheduler.subscribe()
        await scheduler.launch(await scheduler.offer(), task_info("t1", executor_info("ex", command=command)))
        child = int(await asyncio.to_thread((tmp_path / "ready").read_text))
        end_of_child = os.pidfd_open(child)
        assert (await scheduler.next("FAILURE"))["failure"]["status"] == 3 << 8
    assert select.select([end_of_child], [], [], 60)[0]
    os.close(end_of_child)


async def test_a_call_of_a_thousand_tasks_is_taken(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    offer = await scheduler.offer("host1")
    data = "A" * 4000
    tasks = [{**task_info(f"t{n}", data=data), "resources": amounts(0.001, 1)} for n in range(1000)]
    executor = executor_info("ex", command="sleep 600")
    await scheduler.launch(offer, *({**task, "executor": executor} for task in tasks))
    async with PlayedExecutor(mesos, "host1", scheduler.framework_id, "ex") as played:
        await played.next("LAUNCH", lambda event: event["launch"]["task"]["task_id"]["value"] == "t999")


async def test_a_command_that_is_killed_at_once_is_killed(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    offer = await scheduler.offer("host1")
    await scheduler.launch(offer, {**task_info("t1"), "command": {"value": "trap 'exit 0' TERM; sleep 600 & wait"}})
    await scheduler.call("KILL", kill={"task_id": value("t1")})
    for state in ("TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"):
        await scheduler.acknowledge(await scheduler.update("t1", state))


async def test_what_is_torn_down_before_it_started_does_not_start(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    framework = await scheduler.subscribe()
    await scheduler.launch(await scheduler.offer("host1"), task_info("t1", executor_info("ex", command="sleep 600")))
    run = mesos.agents["host1"].runs[framework, "ex"]
    await scheduler.call("TEARDOWN")
    await asyncio.wait_for(run.container.is_over.wait(), 60)
