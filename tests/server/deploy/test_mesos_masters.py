"""The link to a Mesos master: refused, broken, silent, moved; restarts of both of its ends."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from deploy_ear import DEADLINE_S
from deploy_stages import PACE, TIMING, DoubleStage, agent, command_of, not_accepted, settled
from mesos.double import MesosDouble
from mesos.scheduler_door import Mood
from mesos.streams import EventStream

from executor.api.messages import Phase
from occ.errors import LinkError
from server.ids import new_id


async def test_a_scheduler_process_that_is_killed_comes_back_and_tasks_go_on(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    framework_id, pid = backend.framework_id, backend.scheduler_pid
    os.kill(pid, signal.SIGKILL)
    await settled(lambda: backend.scheduler_pid != pid)
    await cluster.launch(backend, ear, "t2")
    assert (backend.framework_id, len(ear.hellos), ear.lost) == (framework_id, 1, [])
    assert ear.is_active("t1")


async def test_a_new_master_is_told_of_us_and_tasks_go_on(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    await cluster.mesos.restart_master(agents_return=False)
    await settled(lambda: cluster.framework_id in cluster.mesos.master.ledger.frameworks)
    cluster.mesos.return_agents()
    await cluster.launch(backend, ear, "t2")
    assert (ear.is_active("t1"), ear.lost) == (True, [])


async def test_a_task_that_no_master_knows_any_more_is_lost_after_a_while(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start(unknown_s=2.0)
    await cluster.launch(backend, ear, "t1")
    await cluster.mesos.restart_master(agents_return=False)
    await ear.until(lambda: ear.tasks["t1"].phase is Phase.ENDED)
    assert ear.tasks["t1"].final_status == "TASK_LOST"
    assert "REASON_RECONCILIATION" in ear.tasks["t1"].error


async def test_a_broken_connection_to_the_master_is_made_again(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    before = cluster.mesos.scheduler_stream(cluster.framework_id)
    before.cut()
    await connected_again(cluster, before)
    await cluster.launch(backend, ear, "t2")
    assert (ear.is_active("t1"), len(ear.hellos), ear.lost) == (True, 1, [])


async def test_a_standby_sends_us_to_the_master_that_leads(cluster: DoubleStage) -> None:
    cluster.master = replace(cluster.master, address=await cluster.mesos.start_standby())
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")


async def test_a_master_that_does_not_lead_yet_is_asked_again_with_pauses(cluster: DoubleStage) -> None:
    cluster.mesos.set_mood(Mood.LEADERLESS)
    backend, ear = await cluster.start()
    await not_accepted(backend)
    assert backend.state == "INITIAL"
    cluster.mesos.set_mood(Mood.LEADING)
    await cluster.launch(backend, ear, "t1")
    assert backend.state == "CONNECTED"
    cluster.mesos.set_mood(Mood.LEADERLESS)
    cluster.mesos.scheduler_stream(cluster.framework_id).cut()
    assert backend.state == "CONNECTED"


async def test_a_framework_that_the_master_has_removed_begins_anew(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    first, pid = cluster.framework_id, ear.tasks["t1"].pid
    cluster.mesos.remove_framework(first)
    await ear.until(lambda: ear.lost)
    await settled(lambda: cluster.framework_id != first and command_of(pid) == b"")
    backend.release(["t1"])
    await cluster.launch(backend, ear, "t2")
    assert cluster.framework_id == backend.framework_id


async def test_a_login_is_told_to_a_master_that_asks_for_it(tmp_path: Path) -> None:
    async with MesosDouble(
        [agent(1)], tmp_path / "agents", pace=PACE, timing=TIMING, credentials=("aliecs", "sesame")
    ) as mesos:
        cluster = DoubleStage(tmp_path, mesos)
        cluster.master = replace(cluster.master, username="aliecs", secret="sesame")
        backend, _ = await cluster.start()
        assert [one.host for one in await backend.offers()] == ["host1"]
        await backend.close()
        cluster.master = replace(cluster.master, secret="wrong")
        backend, _ = await cluster.start()
        await not_accepted(backend)
        await backend.close()


async def test_a_connection_on_which_nothing_is_heard_is_broken_and_made_again(tmp_path: Path) -> None:
    timing = replace(TIMING, heartbeat_s=2 * PACE)
    async with MesosDouble([agent(1)], tmp_path / "agents", pace=PACE, timing=timing) as mesos:
        cluster = DoubleStage(tmp_path, mesos)
        backend, ear = await cluster.start()
        await cluster.launch(backend, ear, "t1")
        before = mesos.scheduler_stream(cluster.framework_id)
        before.silence()
        await connected_again(cluster, before)
        await cluster.launch(backend, ear, "t2")
        assert (ear.is_active("t1"), ear.lost) == (True, [])
        await backend.close()


async def test_a_launch_that_the_master_does_not_answer_fails_in_time_and_leaves_nothing(cluster: DoubleStage) -> None:
    cluster.master = replace(cluster.master, call_s=12.0)
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    await backend.offers()
    spec = cluster.spec(backend, "host1", "t2")
    before = cluster.mesos.scheduler_stream(cluster.framework_id)
    cluster.mesos.hang()
    with pytest.raises(LinkError, match="Mesos did not take the tasks of host host1"):
        await backend.launch("host1", "o1", [spec], new_id(), timeout_s=DEADLINE_S)
    backend.release(["t2"])
    cluster.mesos.go_on()  # what waited there is carried out now, if at all
    await connected_again(cluster, before)
    await cluster.launch(backend, ear, "t3")
    running = sorted(one.pid for task_id, one in ear.tasks.items() if task_id in ("t1", "t3"))
    devices = [pid for pid in cluster.processes() if str(cluster.device).encode() in command_of(pid)]
    await settled(lambda: all(command_of(pid) == b"" for pid in set(devices) - set(running)))
    assert ear.is_active("t1") and ear.is_active("t3") and ear.lost == []


async def test_a_connection_made_again_while_the_new_id_is_being_stored_waits_for_that_too(
    cluster: DoubleStage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "server.deploy.mesos_scheduler")
    store, may_store = cluster._store, asyncio.Event()

    async def store_late(framework_id: str) -> None:
        await may_store.wait()
        await store(framework_id)

    monkeypatch.setattr(cluster, "_store", store_late)
    backend, ear = await cluster.start()
    await settled(lambda: caplog.text.count("mesos master has accepted us") == 1)
    cluster.mesos.scheduler_stream(backend.framework_id).cut()
    await settled(lambda: caplog.text.count("mesos master has accepted us") == 2)
    assert backend.state == "INITIAL"
    may_store.set()
    await cluster.launch(backend, ear, "t1")
    assert (cluster.framework_id, ear.lost) == (backend.framework_id, [])


async def test_calls_after_idle_connections_were_closed_are_not_lost(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    for number in range(2, 5):
        cluster.mesos.close_idle_connections()
        await cluster.launch(backend, ear, f"t{number}")
    assert len(ear.hellos) == 1 and ear.lost == []


async def test_a_core_that_wants_no_failover_begins_as_a_new_framework(cluster: DoubleStage) -> None:
    cluster.master = replace(cluster.master, failover_timeout_s=0.0)
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    first = cluster.framework_id
    await backend.close()
    await cluster.empty()  # the master ended it all as soon as the core was gone
    again, ear = await cluster.start()
    await ear.until(lambda: ear.lost)
    again.release(["t1"])
    await cluster.launch(again, ear, "t2")
    assert cluster.framework_id not in ("", first)


async def connected_again(cluster: DoubleStage, before: EventStream) -> None:
    """Wait until the core has another connection to its master: what it asks for on the old one is lost."""
    framework = cluster.mesos.master.ledger.frameworks[cluster.framework_id]
    await settled(lambda: framework.stream is not None and framework.stream is not before)
