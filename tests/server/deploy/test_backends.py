"""What holds for every backend: on this machine, on the Mesos double, and on a real cluster where there is one."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import aiohttp
import pytest
from deploy_ear import DEADLINE_S, Ear
from deploy_stages import Stage

from executor.api.messages import Kill, Phase, Target, Transition
from occ.errors import LinkError, RefusedError
from server.deploy.backend import Backend, Demand, ExecutorState
from server.deploy.ranges import count
from server.ids import new_id

CYCLE = (
    ("CONFIGURE", "STANDBY", "CONFIGURED"),
    ("START", "CONFIGURED", "RUNNING"),
    ("STOP", "RUNNING", "CONFIGURED"),
    ("RESET", "CONFIGURED", "STANDBY"),
)


def transition(number: int, *task_ids: str) -> Transition:
    event, source, destination = CYCLE[number]
    return Transition(
        command_id=f"c{number}", environment_id="2env", event=event, source=source, destination=destination,
        targets=tuple(Target(task_id=one) for one in task_ids), timeout_s=DEADLINE_S,
    )  # fmt: skip


async def carried_out(backend: Backend, ear: Ear, host: str, command: Transition) -> dict[str, tuple[str, str]]:
    """Send a command; return state and error of each of its tasks."""
    before = len(ear.replies)
    assert backend.send(host, command)
    await ear.until(lambda: len(ear.replies) > before)
    return {one.task_id: (one.state, one.error) for one in ear.replies[-1].results}


async def test_a_launch_starts_the_executor_of_its_host_and_the_tasks_come_up(stage: Stage[Any]) -> None:
    backend, ear = await stage.start()
    await backend.offers()
    assert backend.state == "CONNECTED" and backend.framework_id
    assert [(one.name, one.state) for one in backend.hosts()] == [(host, ExecutorState.NONE) for host in stage.hosts]
    await stage.launch(backend, ear, "t1", "t2")
    assert (ear.tasks["t1"].state, ear.tasks["t1"].environment_id) == ("STANDBY", "2env")
    host = stage.info(backend)
    assert (host.state, host.executor_id) == (ExecutorState.ATTACHED, ear.hellos[0].executor_id)
    assert list(stage.known) == [host.executor_id]
    await stage.launch(backend, ear, "t3")
    assert len(ear.hellos) == 1
    assert stage.info(backend, stage.hosts[1]).state is ExecutorState.NONE


async def test_executors_of_several_hosts_start_at_the_same_time_and_each_once(stage: Stage[Any]) -> None:
    backend, ear = await stage.start()
    await backend.offers()
    specs = [(host, stage.spec(backend, host, f"{host}-{n}")) for host in stage.hosts for n in range(2)]
    await asyncio.gather(*(backend.launch(host, "o", [spec], new_id(), timeout_s=DEADLINE_S) for host, spec in specs))
    await ear.until(lambda: all(ear.is_active(spec.task_id) for _, spec in specs))
    assert sorted(hello.host for hello in ear.hellos) == stage.hosts


async def test_tasks_are_taken_through_a_cycle_and_killed(stage: Stage[Any]) -> None:
    backend, ear = await stage.start()
    before = await backend.offers()
    await stage.launch(backend, ear, "t1", "t2")
    for number, (_, _, destination) in enumerate(CYCLE):
        states = await carried_out(backend, ear, stage.hosts[0], transition(number, "t1", "t2"))
        assert states == {"t1": (destination, ""), "t2": (destination, "")}
    assert backend.send(stage.hosts[0], Kill(command_id="k1", task_ids=("t1", "t2")))
    await ear.until(lambda: all(ear.tasks[task_id].phase is Phase.ENDED for task_id in ("t1", "t2")))
    await ear.until(lambda: len(ear.replies) == 5)
    backend.release(["t1", "t2"])
    after = {one.host: one for one in await backend.offers()}
    assert {one.host: (round(one.cpus, 3), count(one.ports)) for one in before} == {
        host: (round(one.cpus, 3), count(one.ports)) for host, one in after.items()
    }
    assert ear.lost == []


async def test_what_a_task_writes_can_be_read_at_its_url(stage: Stage[Any]) -> None:
    backend, ear = await stage.start()
    await stage.launch(backend, ear, "t1")
    async with aiohttp.ClientSession() as session, session.get(backend.stdout_url("t1")) as answer:
        assert (answer.status, await answer.text()) == (200, "here\n")


async def test_a_killed_task_is_told_with_its_signal(stage: Stage[Any]) -> None:
    backend, ear = await stage.start()
    await stage.launch(backend, ear, "t1", "t2")
    os.kill(ear.tasks["t1"].pid, signal.SIGKILL)
    await ear.until(lambda: ear.tasks["t1"].phase is Phase.ENDED)
    assert (ear.tasks["t1"].final_status, ear.tasks["t1"].signal) == ("TASK_FAILED", signal.SIGKILL)
    assert ear.is_active("t2") and ear.lost == []


async def test_tasks_outlive_the_core_and_the_next_one_finds_them_as_they_were(stage: Stage[Any]) -> None:
    backend, ear = await stage.start()
    await stage.launch(backend, ear, "t1")
    await carried_out(backend, ear, stage.hosts[0], transition(0, "t1"))
    pid, executor_id = ear.tasks["t1"].pid, stage.info(backend).executor_id
    await backend.close()
    assert ear.lost == [] and ear.silent == []

    again, new_ear = await stage.start()
    await new_ear.until(lambda: new_ear.hellos)
    (task,) = new_ear.hellos[0].tasks
    assert (task.task_id, task.state, task.pid, task.phase) == ("t1", "CONFIGURED", pid, Phase.ACTIVE)
    host = stage.info(again)
    assert (host.state, host.executor_id) == (ExecutorState.ATTACHED, executor_id)
    assert again.send(stage.hosts[0], transition(0, "t1"))
    await new_ear.until(lambda: new_ear.replies)
    assert new_ear.replies == ear.replies, "the same command id gives the same reply"
    await stage.launch(again, new_ear, "t2")
    assert len(new_ear.hellos) == 1
    assert new_ear.is_active("t1") and new_ear.lost == []


async def test_a_core_that_knows_nothing_of_what_runs_ends_it(stage: Stage[Any]) -> None:
    backend, ear = await stage.start()
    await stage.launch(backend, ear, "t1")
    await backend.close()
    stage.known, stage.occupied = {}, []
    await stage.start()
    await stage.empty()


async def test_a_killed_executor_is_lost_at_once_with_all_of_its_and_its_host_gets_a_new_one(
    stage: Stage[Any],
) -> None:
    backend, ear = await stage.start()
    await stage.launch(backend, ear, "t1")
    first = stage.info(backend).executor_id
    await backend.offers()
    spec = stage.spec(backend, stage.hosts[0], "t2")
    os.kill(ear.hellos[0].pid, signal.SIGKILL)
    await ear.until(lambda: ear.lost)
    reason = f"executor {first} on host {stage.hosts[0]} was killed by signal 9 (SIGKILL)"
    assert ear.lost == [(stage.hosts[0], first, reason)]
    assert (stage.info(backend).state, stage.known) == (ExecutorState.LOST, {})
    await stage.empty()
    with pytest.raises(LinkError, match="that was to run t2 is gone"):
        await backend.launch(stage.hosts[0], "o1", [spec], "c1", timeout_s=DEADLINE_S)
    backend.release(["t1", "t2"])
    await stage.launch(backend, ear, "t3")
    assert stage.info(backend).executor_id not in ("", first)


async def test_a_stopped_executor_is_silent_and_back_when_it_goes_on(stage: Stage[Any]) -> None:
    backend, ear = await stage.start(heartbeat_s=0.1, silent_s=1.0)
    await stage.launch(backend, ear, "t1")
    os.kill(ear.hellos[0].pid, signal.SIGSTOP)
    await ear.until(lambda: stage.info(backend).state is ExecutorState.SILENT)  # it may have been before, and back
    assert ear.silent
    told = len(ear.back)
    os.kill(ear.hellos[0].pid, signal.SIGCONT)
    await ear.until(lambda: stage.info(backend).state is ExecutorState.ATTACHED and len(ear.back) > told)
    assert (ear.lost, len(ear.hellos)) == ([], 1)
    assert await carried_out(backend, ear, stage.hosts[0], transition(0, "t1")) == {"t1": ("CONFIGURED", "")}


async def test_draining_ends_executors_and_their_tasks(stage: Stage[Any]) -> None:
    backend, ear = await stage.start()
    await stage.launch(backend, ear, "t1")
    await stage.launch(backend, ear, "t2", host=stage.hosts[1])
    await backend.drain()
    assert [one.state for one in backend.hosts()] == [ExecutorState.NONE, ExecutorState.NONE]
    assert stage.known == {}
    await stage.empty()


async def test_what_a_task_holds_is_offered_to_no_other_until_it_is_released(stage: Stage[Any]) -> None:
    backend, _ = await stage.start()
    before = {one.host: one for one in await backend.offers()}[stage.hosts[0]]
    static = before.ports[0][0]
    demand = Demand(cpus=1.5, memory_mb=100, static_ports=[static], channels=2, control=True)
    given = backend.reserve(stage.hosts[0], "t1", demand)
    assert len(given.data_ports) == 2 and given.control_port >= 30000
    after = {one.host: one for one in await backend.offers()}[stage.hosts[0]]
    assert after.cpus == pytest.approx(before.cpus - 1.5 - before.share_cpus)
    assert after.memory_mb == before.memory_mb - 100 - before.share_memory_mb
    assert count(after.ports) == count(before.ports) - 4
    with pytest.raises(RefusedError, match=f"port {static} is used by another task"):
        backend.reserve(stage.hosts[0], "t2", demand)
    backend.release(["t1", "nobody"])
    assert {one.host: one for one in await backend.offers()}[stage.hosts[0]].ports == before.ports


async def test_cores_and_memory_of_a_task_are_free_once_it_has_ended_and_its_ports_once_it_is_released(
    stage: Stage[Any],
) -> None:
    backend, ear = await stage.start()
    before = (await backend.offers())[0]
    await stage.launch(backend, ear, "t1")
    os.kill(ear.tasks["t1"].pid, signal.SIGKILL)
    await ear.until(lambda: ear.has_ended("t1"))
    async with asyncio.timeout(DEADLINE_S):
        while (now := (await backend.offers())[0]).cpus < before.cpus - 1e-6 or now.memory_mb < before.memory_mb:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # a master takes a moment to hear of it
    assert count(now.ports) == count(before.ports) - 2, "who knew the dead one may still call there"
    backend.release(["t1"])
    assert count((await backend.offers())[0].ports) == count(before.ports)


async def test_nothing_is_sent_to_a_host_without_a_link(stage: Stage[Any]) -> None:
    backend, _ = await stage.start()
    assert not backend.send(stage.hosts[0], transition(0))
    assert not backend.send("flp999", transition(0))
