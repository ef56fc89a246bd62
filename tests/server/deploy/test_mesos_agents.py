"""Agents and executors of Mesos that are lost, restart or are not heard, and messages that are lost between."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from deploy_ear import DEADLINE_S
from deploy_stages import PACE, TIMING, DoubleStage, agent, command_of, settled
from mesos.courier import Parcel
from mesos.double import MesosDouble

from executor.api.messages import Kill, Phase, Target, TaskReports, Transition
from occ.errors import LinkError
from server.deploy.backend import ExecutorState
from server.deploy.mesos_info import ExecutorSettings
from server.ids import new_id


async def test_what_ran_on_a_lost_agent_is_lost(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    executor_id = cluster.info(backend).executor_id
    await cluster.mesos.lose_agent("host1")
    cluster.mesos.remove_agent("host1")
    await ear.until(lambda: ear.lost)
    assert ear.lost[0][:2] == ("host1", executor_id)
    assert "agent" in ear.lost[0][2] and "is lost" in ear.lost[0][2]
    assert [one.host for one in await backend.offers()] == ["host2"]


async def test_an_executors_link_process_that_is_killed_comes_back(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    executor = ear.hellos[0].pid
    children = [pid for pid in cluster.processes() if b"executor.mesos_driver" in command_of(pid)]
    assert len(children) == 1
    os.kill(children[0], signal.SIGKILL)
    assert backend.send("host1", Kill(command_id="k1", task_ids=("t1",)))
    await ear.until(lambda: ear.tasks["t1"].phase is Phase.ENDED and ear.replies)
    assert (ear.lost, ear.hellos[0].pid, len(ear.hellos)) == ([], executor, 1)


async def test_without_checkpoints_tasks_end_with_their_agent(cluster: DoubleStage) -> None:
    cluster.master = replace(cluster.master, checkpoint=False)
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    await cluster.mesos.lose_agent("host1")
    await ear.until(lambda: ear.tasks["t1"].phase is Phase.ENDED)
    assert ear.tasks["t1"].error == "TASK_LOST: Agent host1 disconnected (REASON_AGENT_DISCONNECTED)"
    await settled(lambda: len(cluster.processes()) == 1)


async def test_messages_may_be_lost_doubled_late_and_swapped(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    courier = cluster.mesos.courier
    for parcel in (Parcel.TO_SCHEDULER, Parcel.TO_EXECUTOR):
        courier.drop(parcel, 1)
        courier.duplicate(parcel, 2)
        courier.reorder(parcel, 2)
        courier.delay(parcel, 2.0)
        courier.drop(parcel, 1)
    await cluster.launch(backend, ear, "t1")
    for number, (event, source, destination) in enumerate(
        [("CONFIGURE", "STANDBY", "CONFIGURED"), ("START", "CONFIGURED", "RUNNING"), ("STOP", "RUNNING", "CONFIGURED")]
    ):
        command = Transition(
            command_id=f"c{number}", environment_id="2env", event=event, source=source, destination=destination,
            targets=(Target(task_id="t1"),), timeout_s=DEADLINE_S,
        )  # fmt: skip
        backend.send("host1", command)
        await ear.until(lambda number=number: len(ear.replies) > number)
        assert ear.replies[-1].results[0].state == destination
    assert len(ear.replies) == 3


async def test_tasks_outlive_a_restart_of_their_agent(tmp_path: Path) -> None:
    timing = replace(TIMING, recovery_s=100 * PACE, removal_s=100 * PACE)
    async with MesosDouble([agent(1)], tmp_path / "agents", pace=PACE, timing=timing) as mesos:
        cluster = DoubleStage(tmp_path, mesos)
        backend, ear = await cluster.start()
        await cluster.launch(backend, ear, "t1")
        await mesos.lose_agent("host1")
        await mesos.restart_agent("host1", refusal=(404, ""))
        assert backend.send("host1", Kill(command_id="k1", task_ids=("t1",)))
        mesos.accept_executors("host1")
        (run,) = mesos.agents["host1"].runs.values()
        await settled(lambda: run.is_subscribed)
        mesos.end_recovery("host1")
        await ear.until(lambda: ear.tasks["t1"].phase is Phase.ENDED and ear.replies)
        assert ear.lost == []
        await backend.close()


async def test_updates_may_be_lost_doubled_late_and_swapped_and_no_state_is_taken_back(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    phases: list[tuple[str, Phase]] = []
    ear.heard = lambda report: phases.extend(
        (one.task_id, one.phase) for one in (report.tasks if isinstance(report, TaskReports) else ())
    )
    courier = cluster.mesos.courier
    courier.delay(Parcel.UPDATE, 10.0, 2)  # of those that tell that tasks run: the core hears that they ended before
    courier.drop(Parcel.ACKNOWLEDGEMENT)
    courier.duplicate(Parcel.UPDATE, 2)
    courier.reorder(Parcel.UPDATE, 2)
    courier.drop(Parcel.UPDATE)
    tasks = ("t1", "t2", "t3")
    await cluster.launch(backend, ear, *tasks)
    assert backend.send("host1", Kill(command_id="k1", task_ids=("t1", "t2")))
    await ear.until(lambda: all(ear.tasks[one].phase is Phase.ENDED for one in ("t1", "t2")) and ear.replies)
    framework = cluster.mesos.master.ledger.frameworks[cluster.framework_id]
    await settled(lambda: set(framework.tasks) == {"t3"})  # the master has told all, and all was acknowledged
    for task_id in ("t1", "t2"):
        told = [phase for one, phase in phases if one == task_id]
        assert told[told.index(Phase.ENDED) :] == [Phase.ENDED] * told.count(Phase.ENDED)
        assert ear.tasks[task_id].final_status == "TASK_FINISHED"
    assert ear.is_active("t3") and ear.lost == []


async def test_a_launch_that_is_lost_on_its_way_to_the_agent_is_lost_in_time(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start(attach_s=1.0)
    await backend.offers()
    spec = cluster.spec(backend, "host1", "t1")
    cluster.mesos.courier.drop(Parcel.LAUNCH)
    await backend.launch("host1", "o1", [spec], new_id(), timeout_s=DEADLINE_S)
    await ear.until(lambda: ear.lost)
    assert "did not attach within 1 s" in ear.lost[0][2]
    assert cluster.info(backend).state is ExecutorState.LOST


async def test_an_executor_that_agents_cannot_start_is_lost_at_once_and_the_log_says_why(
    cluster: DoubleStage, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.executor = ExecutorSettings(path="/no/such/executor")
    backend, ear = await cluster.start()
    await backend.offers()
    await backend.launch("host1", "o1", [cluster.spec(backend, "host1", "t1")], new_id(), timeout_s=DEADLINE_S)
    await ear.until(lambda: ear.lost)
    assert ear.lost[0][2].endswith("on host host1 was not started, or ended unseen")
    assert cluster.info(backend).state is ExecutorState.LOST
    await settled(
        lambda: "No such file or directory: '/no/such/executor' (REASON_CONTAINER_LAUNCH_FAILED)" in caplog.text
    )


async def test_what_an_agent_that_was_given_up_brings_back_is_ended(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    pid = ear.tasks["t1"].pid
    await cluster.mesos.lose_agent("host1")
    cluster.mesos.remove_agent("host1")
    await ear.until(lambda: ear.lost)
    backend.release(["t1"])
    await cluster.mesos.restart_agent("host1")
    await settled(lambda: command_of(pid) == b"")
    await cluster.launch(backend, ear, "t2")


async def test_a_restarted_executor_ends_and_the_next_task_starts_another_one(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    before = cluster.info(backend).executor_id
    await backend.restart("host1", "was restarted by a test", at_once=True)
    assert (cluster.info(backend).state, cluster.processes()) == (ExecutorState.NONE, [])
    assert ear.lost == [("host1", before, f"executor {before} on host host1 was restarted by a test")]
    backend.release(["t1"])
    await cluster.launch(backend, ear, "t2")
    assert cluster.info(backend).executor_id != before


async def test_an_executor_that_is_silent_cannot_be_restarted(cluster: DoubleStage) -> None:
    backend, ear = await cluster.start(heartbeat_s=0.1, silent_s=0.6)
    await cluster.launch(backend, ear, "t1")
    pid = ear.hellos[0].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        await ear.until(lambda: cluster.info(backend).state is ExecutorState.SILENT)
        with pytest.raises(LinkError, match="SILENT and cannot be told to end"):
            await backend.restart("host1", "was restarted", at_once=True)
    finally:
        os.kill(pid, signal.SIGCONT)
