"""Real tasks to their end: driven through a run, killed, gone with their executor, kept over a restart of the core."""

from __future__ import annotations

import asyncio
import os
import signal

from task_world import DEADLINE_S, ENVIRONMENT, Facility, wants

from executor.api.messages import ControlMode
from occ.states import TaskState
from server.api.states import Status
from server.ids import new_id
from server.template.model import Command, Inbound, Traits


async def test_tasks_are_acquired_driven_through_a_run_and_killed(facility: Facility) -> None:
    core = await facility.core()
    quiet = facility.direct()
    acquired = await core.acquire(wants(0, quiet), wants(1, quiet, "flp002"), wants(2, quiet))
    tasks = await core.active(acquired)
    assert [(task.host, task.locked, task.role_path) for task in tasks] == [
        ("flp001", True, "top.flp001.0"), ("flp002", True, "top.flp002.1"), ("flp001", True, "top.flp001.2"),
    ]  # fmt: skip
    assert {task.pid for task in tasks} < facility.processes()
    assert len({task.control_port for task in tasks}) == 3
    ids = [task.task_id for task in tasks]
    for event, source, destination in (
        ("CONFIGURE", "STANDBY", "CONFIGURED"),
        ("START", "CONFIGURED", "RUNNING"),
        ("STOP", "RUNNING", "CONFIGURED"),
        ("RESET", "CONFIGURED", "STANDBY"),
    ):
        assert await core.drive(event, source, destination, ids) == dict.fromkeys(ids, "")
        assert {core.task(one).state for one in ids} == {TaskState(destination)}
    core.roster.release(ids)
    killed, remaining = await core.commander.kill(ids, timeout_s=DEADLINE_S)
    assert (sorted(killed), remaining) == (sorted(ids), [])
    assert len(core.roster) == 0 and facility.disk.tasks == {}
    assert [offer.cpus for offer in await core.backend.offers()] == [4.0, 4.0]
    await core.backend.drain()
    assert facility.processes() == set()


async def test_a_command_that_does_not_exist_is_told_by_the_end_of_its_task(facility: Facility) -> None:
    core = await facility.core()
    acquired = await core.acquire(wants(0, facility.direct(command=Command(value="/no/such/program"))))
    task_id = acquired.assigned[0]
    await core.until(lambda: core.task(task_id).ended)
    task = core.task(task_id)
    assert (task.status, task.state, task.final_status) == (Status.INACTIVE, TaskState.ERROR, "TASK_FAILED")
    assert "/no/such/program" in task.error


async def test_hooks_run_when_triggered_and_basic_tasks_with_the_run(facility: Facility) -> None:
    core = await facility.core()
    say = Command(value="/bin/echo", arguments=("hello",))
    basic = facility.direct(mode="basic", command=say)
    hook = wants(0, basic, traits=Traits(trigger="before_START_ACTIVITY", timeout="5s"))
    tasks = await core.active(await core.acquire(hook, wants(1, basic)))
    assert [(task.mode, task.control_port) for task in tasks] == [(ControlMode.HOOK, 0), (ControlMode.BASIC, 0)]
    hook_id, basic_id = (task.task_id for task in tasks)
    errors = await core.commander.trigger_hooks(new_id(), ENVIRONMENT, [hook_id], timeout_s=DEADLINE_S)
    assert errors == {hook_id: ""}
    assert await core.drive("START", "CONFIGURED", "RUNNING", [hook_id, basic_id]) == {hook_id: "", basic_id: ""}
    await core.until(lambda: len(core.events) == 2)
    for event in core.events:
        assert event.termination is not None
        assert (event.termination.exit_code, event.termination.stdout) == (0, "hello\n")


async def test_a_killed_task_is_an_error_at_once_with_its_signal(facility: Facility) -> None:
    core = await facility.core()
    (task,) = await core.active(await core.acquire(wants(0, facility.direct())))
    os.kill(task.pid, signal.SIGKILL)
    await core.until(lambda: core.task(task.task_id).ended)
    dead = core.task(task.task_id)
    assert (dead.state, dead.status, dead.signal) == (TaskState.ERROR, Status.INACTIVE, 9)


async def test_a_killed_executor_takes_its_tasks_and_fails_their_commands(facility: Facility) -> None:
    core = await facility.core()
    quiet = facility.direct()
    one, other = await core.active(await core.acquire(wants(0, quiet), wants(1, quiet, "flp002")))
    (pid,) = {host.pid for host in core.backend.hosts() if host.name == "flp001"}
    os.kill(one.pid, signal.SIGSTOP)
    driving = asyncio.ensure_future(core.drive("CONFIGURE", "STANDBY", "CONFIGURED", [one.task_id, other.task_id]))
    await core.until(lambda: core.task(other.task_id).state is TaskState.CONFIGURED)
    os.kill(pid, signal.SIGKILL)
    errors = await driving
    assert errors[other.task_id] == ""
    assert "host flp001 was killed by signal 9" in errors[one.task_id]
    dead = core.task(one.task_id)
    assert (dead.state, dead.status) == (TaskState.ERROR, Status.INACTIVE)
    assert dead.error == f"executor {one.executor_id} on host flp001 was killed by signal 9 (SIGKILL)"
    async with asyncio.timeout(DEADLINE_S):
        while one.pid in facility.processes():  # noqa: ASYNC110  # the kernel does not tell
            await asyncio.sleep(0.01)
    assert other.pid in facility.processes()


async def test_after_a_restart_of_the_core_the_same_tasks_run_in_the_same_states(facility: Facility) -> None:
    core = await facility.core()
    quiet = facility.direct()
    acquired = await core.acquire(wants(0, quiet, inbound=(Inbound(name="data"),)), wants(1, quiet, "flp002"))
    ids = [task.task_id for task in await core.active(acquired)]
    await core.drive("CONFIGURE", "STANDBY", "CONFIGURED", ids)
    await core.drive("START", "CONFIGURED", "RUNNING", ids)
    before, offers = core.roster.all(), await core.backend.offers()
    pids = facility.processes()
    await core.backend.close()

    again = await facility.core()
    assert again.roster.all() == before
    # Sent before the executors are back: it waits for them.
    assert await again.drive("STOP", "RUNNING", "CONFIGURED", ids) == dict.fromkeys(ids, "")
    assert facility.processes() == pids
    assert [task.state for task in again.roster.all()] == [TaskState.CONFIGURED] * 2
    assert [offer.ports for offer in await again.backend.offers()] == [offer.ports for offer in offers]
    again.roster.release(ids)
    assert sorted((await again.commander.kill(ids, timeout_s=DEADLINE_S))[0]) == sorted(ids)
    await again.backend.drain()
    assert facility.processes() == set()


async def test_what_happened_to_tasks_while_no_core_was_there_is_learned_when_executors_are_back(
    facility: Facility,
) -> None:
    core = await facility.core()
    quiet = facility.direct()
    one, other = await core.active(await core.acquire(wants(0, quiet), wants(1, quiet)))
    await core.backend.close()
    os.kill(one.pid, signal.SIGKILL)
    again = await facility.core()
    await again.until(lambda: again.task(one.task_id).ended)
    assert (again.task(one.task_id).state, again.task(one.task_id).signal) == (TaskState.ERROR, 9)
    assert again.task(other.task_id) == other
