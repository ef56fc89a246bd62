"""The double fails as it is asked to: agents, masters, connections, and what passes between them."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from mesos.client import ExecutorClient, SchedulerClient, amounts
from mesos.clock import HandClock
from mesos.courier import Parcel
from mesos.double import MesosDouble
from mesos.played import launch_played, task_info
from mesos.scheduler_door import Mood
from mesos.terms import PACE, PATIENT, Json, new_uuid, value


async def updates_of(scheduler: SchedulerClient, count: int) -> list[Json]:
    """Return the next updates in the order in which they come."""
    return [(await scheduler.next("UPDATE"))["update"]["status"] for _ in range(count)]


async def test_an_offer_may_promise_more_than_there_is(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    mesos.overcommit("host2", "cpus:10")
    offer = await scheduler.offer("host2")
    await scheduler.call("DECLINE", decline={"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0}})
    offer = await scheduler.offer("host2")
    promised = {each["name"]: each["scalar"]["value"] for each in offer["resources"] if "scalar" in each}
    assert promised["cpus"] == 12
    task = {**task_info("t1"), "resources": amounts(11, 64), "command": {"value": "true"}}
    await scheduler.launch(offer, task)
    assert (await scheduler.update("t1", "TASK_ERROR"))["reason"] == "REASON_TASK_INVALID"


async def test_offers_are_taken_back_and_no_longer_valid(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    offer = await scheduler.offer("host1")
    assert mesos.rescind_offers("host1") == 1
    assert (await scheduler.next("RESCIND"))["rescind"]["offer_id"] == offer["id"]
    await scheduler.launch(offer, {**task_info("t1"), "command": {"value": "true"}})
    assert (await scheduler.update("t1", "TASK_DROPPED"))["reason"] == "REASON_INVALID_OFFERS"


async def test_updates_are_doubled(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1") as executor:
        mesos.courier.duplicate(Parcel.UPDATE)
        await executor.send_update("t1", "TASK_RUNNING", new_uuid())
        first, second = await updates_of(scheduler, 2)
        assert first == second


@pytest.mark.parametrize("mesos", [{"clock": HandClock()}], indirect=True)
async def test_updates_of_different_tasks_come_out_of_order(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1", "t2", "t3") as executor:
        mesos.courier.reorder(Parcel.UPDATE, 3)
        for task_id in ("t1", "t2", "t3"):
            await executor.send_update(task_id, "TASK_RUNNING", new_uuid())
        tasks = [status["task_id"]["value"] for status in await updates_of(scheduler, 3)]
        assert tasks == ["t3", "t2", "t1"]


@pytest.mark.parametrize("mesos", [{"clock": (clock := HandClock())}], indirect=True)
async def test_a_late_update_is_overtaken(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1", "t2") as executor:
        mesos.courier.delay(Parcel.UPDATE, 5)
        for task_id in ("t1", "t2"):
            await executor.send_update(task_id, "TASK_RUNNING", new_uuid())
        (first,) = await updates_of(scheduler, 1)
        clock.move_to(clock.now() + 5)
        (second,) = await updates_of(scheduler, 1)
        assert [status["task_id"]["value"] for status in (first, second)] == ["t2", "t1"]


async def test_a_lost_update_comes_again_and_a_lost_message_does_not(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1") as executor:
        mesos.courier.drop(Parcel.UPDATE)
        mesos.courier.drop(Parcel.TO_SCHEDULER)
        await executor.send_update("t1", "TASK_RUNNING", new_uuid())
        for data in ("bG9zdA==", "Y29tZXM="):
            await executor.call("MESSAGE", message={"data": data})
        assert (await scheduler.next("MESSAGE"))["message"]["data"] == "Y29tZXM="
        await scheduler.update("t1", "TASK_RUNNING")


async def test_a_lost_launch_leaves_the_task_staging(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    mesos.courier.drop(Parcel.LAUNCH)
    await scheduler.launch(await scheduler.offer("host1"), {**task_info("t1"), "command": {"value": "true"}})
    await scheduler.call("RECONCILE", reconcile={"tasks": []})
    assert (await scheduler.update("t1", "TASK_STAGING"))["reason"] == "REASON_RECONCILIATION"


async def test_tasks_of_a_lost_agent_are_lost_and_the_agent_is_removed_later(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1") as executor:
        await executor.say(scheduler, "t1", "TASK_RUNNING")
        await mesos.lose_agent("host1")
        await asyncio.wait_for(executor.is_over.wait(), 60)
        assert (await scheduler.update("t1", "TASK_LOST"))["reason"] == "REASON_AGENT_DISCONNECTED"
        mesos.remove_agent("host1")
        failure = (await scheduler.next("FAILURE"))["failure"]
        assert failure == {"agent_id": value(mesos.agents["host1"].id)}


@pytest.mark.parametrize("mesos", [{"timing": replace(PATIENT, removal_s=1 * PACE)}], indirect=True)
async def test_checkpointed_tasks_of_a_lost_agent_are_unreachable_in_the_end(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    await scheduler.subscribe(checkpoint=True)
    async with await launch_played(mesos, scheduler, "t1") as executor:
        await executor.say(scheduler, "t1", "TASK_RUNNING")
        await mesos.lose_agent("host1")
        await scheduler.update("t1", "TASK_UNREACHABLE")
        await mesos.restart_agent("host1")
        await executor.subscribe()
        mesos.end_recovery("host1")
        status = await scheduler.update("t1", "TASK_RUNNING")
        assert status["message"] == "Unreachable agent reregistered"


async def test_what_an_executor_says_while_its_agent_is_away_is_told_when_it_is_back(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    await scheduler.subscribe(checkpoint=True)
    async with await launch_played(mesos, scheduler, "t1") as executor:
        await executor.say(scheduler, "t1", "TASK_RUNNING")
        await mesos.lose_agent("host1")
        await mesos.restart_agent("host1", refusal=(503, "Agent has not finished recovery"))
        assert (await executor.call("MESSAGE", message={"data": "eA=="}))[0] == 503
        mesos.accept_executors("host1")
        status = {"task_id": value("t1"), "state": "TASK_FINISHED", "uuid": new_uuid(), "source": "SOURCE_EXECUTOR"}
        await executor.subscribe(updates=[{"status": status}])
        mesos.end_recovery("host1")
        assert (await scheduler.update("t1", "TASK_FINISHED"))["uuid"] == status["uuid"]


@pytest.mark.parametrize("mesos", [{"timing": replace(PATIENT, recovery_s=2)}], indirect=True)
async def test_an_executor_that_does_not_come_back_to_its_agent_is_killed(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    await scheduler.subscribe(checkpoint=True)
    async with await launch_played(mesos, scheduler, "t1") as executor:
        await executor.say(scheduler, "t1", "TASK_RUNNING")
        await mesos.lose_agent("host1")
        await mesos.restart_agent("host1")
        status = await scheduler.update("t1", "TASK_FAILED")
        assert status["reason"] == "REASON_EXECUTOR_REREGISTRATION_TIMEOUT"


async def test_a_task_that_an_executor_never_heard_of_is_dropped_when_it_is_back(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1") as executor:
        await executor.say(scheduler, "t1", "TASK_RUNNING")
        stream = mesos.executor_stream("host1", "ex")
        await executor.hang_up()
        await asyncio.wait_for(stream.ended.wait(), 60)
        second = task_info("t2", executor.run.info)
        await scheduler.launch(await scheduler.offer("host1"), second)
        await executor.subscribe()
        assert (await scheduler.update("t2", "TASK_DROPPED"))["source"] == "SOURCE_AGENT"


async def test_a_new_master_takes_a_framework_by_its_id_and_learns_its_tasks_from_agents(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    framework = await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1") as executor:
        await executor.say(scheduler, "t1", "TASK_RUNNING")
        await mesos.restart_master(agents_return=False)
        await asyncio.wait_for(scheduler.is_over.wait(), 60)
        assert await scheduler.subscribe(framework) == framework
        await scheduler.call("RECONCILE", reconcile={"tasks": [{"task_id": value("t1")}]})
        await scheduler.update("t1", "TASK_UNKNOWN")
        # What is said while there is no master to hear it is kept.
        await executor.send_update("t1", "TASK_FINISHED", new_uuid())
        mesos.return_agents()
        await scheduler.update("t1", "TASK_FINISHED")


async def test_a_framework_that_comes_back_is_told_again_what_it_did_not_acknowledge(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    framework = await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1") as executor:
        await executor.send_update("t1", "TASK_RUNNING", new_uuid())
        first = await scheduler.update("t1", "TASK_RUNNING")
        stream = mesos.scheduler_stream(framework)
        stream.cut()
        await asyncio.wait_for(scheduler.is_over.wait(), 60)
        await asyncio.wait_for(stream.ended.wait(), 60)
        await scheduler.subscribe(framework)
        assert await scheduler.update("t1", "TASK_RUNNING") == first


async def test_a_framework_that_stays_away_is_ended(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    framework = await scheduler.subscribe(failover_timeout=5)
    async with await launch_played(mesos, scheduler, "t1") as executor:
        await scheduler.hang_up()
        await executor.next("SHUTDOWN")
        call = {"type": "REVIVE", "framework_id": value(framework)}
        assert await scheduler.post(call) == (400, "Framework cannot be found")


async def test_a_silent_stream_stays_open_and_says_nothing(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    framework = await scheduler.subscribe()
    mesos.scheduler_stream(framework).silence()
    await scheduler.call("REVIVE")  # what was said before has been heard by then
    scheduler.events.clear()
    heard = asyncio.create_task(scheduler.wait_for(lambda event: event["type"] == "HEARTBEAT", 2.0))
    assert await heard is None
    assert not scheduler.is_over.is_set()
    await scheduler.call("REVIVE")


async def test_idle_connections_are_closed_and_streams_are_not(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    await scheduler.call("SUPPRESS")
    assert mesos.close_idle_connections() == 1
    await scheduler.next("HEARTBEAT")
    assert mesos.cut_connections() == 1
    await asyncio.wait_for(scheduler.is_over.wait(), 60)


async def test_a_master_that_recovers_sends_away(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    framework = await scheduler.subscribe()
    mesos.set_mood(Mood.RECOVERING)
    call = {"type": "REVIVE", "framework_id": value(framework)}
    assert (await scheduler.post(call))[0] == 503
    mesos.set_mood(Mood.LEADING)
    await scheduler.call("REVIVE")


async def test_a_scheduler_without_the_password_is_not_let_in(tmp_path: Path) -> None:
    async with MesosDouble([], tmp_path, credentials=("core", "secret")) as mesos:
        url = f"http://{mesos.address}/api/v1/scheduler"
        subscribe = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "test"}}}
        for password, status in (("wrong", 401), ("secret", 200)):
            login = {"Authorization": "Basic " + base64.b64encode(f"core:{password}".encode()).decode()}
            async with aiohttp.ClientSession(headers=login) as session, session.post(url, json=subscribe) as response:
                assert response.status == status


@pytest.mark.parametrize(("roles", "is_offered"), [([], False), (["*"], False), (["other"], True)])
async def test_a_framework_that_suppresses_its_role_is_not_offered(
    mesos: MesosDouble, scheduler: SchedulerClient, roles: list[str], is_offered: bool
) -> None:
    await scheduler.subscribe()
    offers = (await scheduler.next("OFFERS"))["offers"]["offers"]
    await scheduler.call("SUPPRESS", suppress={"roles": roles})
    decline = {"offer_ids": [offer["id"] for offer in offers], "filters": {"refuse_seconds": 0}}
    await scheduler.call("DECLINE", decline=decline)
    await scheduler.next("HEARTBEAT")
    await scheduler.next("HEARTBEAT")
    assert any(event["type"] == "OFFERS" for event in scheduler.events) is is_offered


async def test_a_second_subscription_of_an_executor_ends_the_first(
    mesos: MesosDouble, scheduler: SchedulerClient
) -> None:
    await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1") as first:
        address = mesos.agents["host1"].door.address
        async with ExecutorClient(address, scheduler.framework_id, "ex") as second:
            await second.subscribe()
            await asyncio.wait_for(first.is_over.wait(), 60)
            await second.send_update("t1", "TASK_RUNNING", new_uuid())
            await second.next("ACKNOWLEDGED")


async def test_a_master_that_hangs_answers_later(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    framework = await scheduler.subscribe()
    mesos.hang()
    call = asyncio.create_task(scheduler.post({"type": "REVIVE", "framework_id": value(framework)}))
    await scheduler.next("HEARTBEAT")
    await scheduler.next("HEARTBEAT")
    assert not call.done()
    mesos.go_on()
    assert await call == (202, "")


async def test_a_framework_at_fault_is_told_and_may_come_back(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    framework = await scheduler.subscribe()
    mesos.send_error(framework, "no more")
    assert (await scheduler.next("ERROR"))["error"] == {"message": "no more"}
    await asyncio.wait_for(scheduler.is_over.wait(), 60)
    assert await scheduler.subscribe(framework) == framework


async def test_a_framework_that_was_removed_may_not_come_back(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    framework = await scheduler.subscribe()
    mesos.remove_framework(framework)
    await asyncio.wait_for(scheduler.is_over.wait(), 60)
    info = {"user": "root", "name": "test", "id": value(framework)}
    subscribe = {"type": "SUBSCRIBE", "framework_id": value(framework), "subscribe": {"framework_info": info}}
    await scheduler.subscribe_with(subscribe)
    assert (await scheduler.next("ERROR"))["error"] == {"message": "Framework has been removed"}


async def test_a_killed_executor_is_told_with_its_signal(mesos: MesosDouble, scheduler: SchedulerClient) -> None:
    await scheduler.subscribe()
    async with await launch_played(mesos, scheduler, "t1"):
        mesos.kill_executor("host1", "ex")
        assert (await scheduler.next("FAILURE"))["failure"]["status"] == 9
        await scheduler.update("t1", "TASK_FAILED")
