"""A whole run on real processes, on every backend, and what happens when some of them are killed."""

from __future__ import annotations

import asyncio
import os
import signal

import psutil
from deploy_stages import command_of
from facility import Facility
from facility_backends import on_every_backend

from console.store import Store

HOSTS = ["flp001", "flp002"]


def executors_of(facility: Facility) -> list[int]:
    """Return the pids of the executors on this machine."""
    return [pid for pid in facility.processes() if b"executor" in command_of(pid).split(b"\0")]


@on_every_backend
async def test_a_workflow_goes_through_a_whole_run_and_moves_data(facility: Facility) -> None:
    environment = await facility.create("flow", HOSTS)
    assert environment.state == "CONFIGURED"
    assert environment.numberOfTasks == 7 and environment.numberOfActiveTasks == 7
    assert list(environment.includedDetectors) == ["ITS", "TPC"]
    started = await facility.ask(environment.id, "START_ACTIVITY")
    assert (started.state, started.currentRunNumber) == ("RUNNING", 1)
    key = ("environment", environment.id)
    things = await facility.watch_until(
        lambda seen: key in seen and seen[key].bytes_moved > 20_000 and seen[key].bytes_per_s > 0
    )
    assert things[key].tasks_ok == 7
    errors = [m.value for k, t in things.items() if k[0] == "task" for m in t.metrics if m.name == "data.sink.errors"]
    assert errors == [0.0, 0.0]
    assert (await facility.ask(environment.id, "STOP_ACTIVITY")).state == "CONFIGURED"
    assert (await facility.ask(environment.id, "START_ACTIVITY")).currentRunNumber == 2
    assert (await facility.ask(environment.id, "STOP_ACTIVITY")).state == "CONFIGURED"
    assert (await facility.ask(environment.id, "RESET")).state == "DEPLOYED"
    reply = await facility.destroy(environment.id)
    assert len(reply.cleanupTasksReply.killedTasks) == 7 and not reply.cleanupTasksReply.runningTasks
    assert not await facility.tasks()


@on_every_backend
async def test_a_killed_critical_task_leads_to_error_and_the_first_fault_names_it(facility: Facility) -> None:
    environment = await facility.create("flow", HOSTS)
    await facility.ask(environment.id, "START_ACTIVITY")
    sink = await facility.task("sink", "flp002")
    os.kill(int(sink.pid), signal.SIGKILL)
    key = ("environment", environment.id)
    things = await facility.watch_until(lambda seen: key in seen and seen[key].state == "ERROR")
    fault = things["fault", environment.id]
    assert (fault.task, fault.host, fault.task_id) == ("sink", "flp002", sink.taskId)
    assert "signal 9" in fault.what
    assert (await facility.destroy(environment.id)).timestamp > 0
    assert not await facility.tasks()


@on_every_backend
async def test_a_killed_task_that_is_not_critical_changes_nothing(facility: Facility) -> None:
    environment = await facility.create("flow", ["flp001"])
    await facility.ask(environment.id, "START_ACTIVITY")
    monitor = await facility.task("quality")
    os.kill(int(monitor.pid), signal.SIGKILL)
    await facility.watch_until(lambda seen: seen["task", monitor.taskId].state == "ERROR")
    assert await facility.state_of(environment.id) == "RUNNING"


@on_every_backend
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


async def test_states_are_known_after_a_restart_before_executors_are_back(facility: Facility) -> None:
    environment = (await facility.create("flow", ["flp001"])).id
    await facility.ask(environment, "START_ACTIVITY")
    before = {task.taskId: (task.pid, task.state, task.status) for task in await facility.tasks()}
    executors = executors_of(facility)
    assert executors
    for pid in executors:
        os.kill(pid, signal.SIGSTOP)
    try:
        await facility.kill()
        await facility.start()
        assert {task.taskId: (task.pid, task.state, task.status) for task in await facility.tasks()} == before
        store = await facility.shows(lambda store: store.environment(environment) is not None)
        assert store.counts(environment).states == {"RUNNING": len(before)}
    finally:
        for pid in executors:
            os.kill(pid, signal.SIGCONT)
    await facility.shows(lambda store: all(host.executor_state != "SILENT" for host in store.hosts.values()))
    assert (await facility.ask(environment, "STOP_ACTIVITY")).state == "CONFIGURED"


async def test_history_variables_and_usual_durations_survive_a_core_that_is_killed(facility: Facility) -> None:
    environment = (await facility.create("flow", HOSTS, rate_hz="20")).id
    await facility.ask(environment, "START_ACTIVITY")

    def is_running(store: Store) -> bool:
        history = store.history(environment)
        return history is not None and history.transitions[-1].event == "START_ACTIVITY"

    before = await facility.shows(is_running)
    history, variables = before.history(environment), before.variables(environment)
    assert history is not None and variables is not None
    assert [(one.event, one.error) for one in history.transitions] == [
        ("DEPLOY", ""), ("CONFIGURE", ""), ("START_ACTIVITY", ""),
    ]  # fmt: skip
    started = history.transitions[-1]
    assert started.run_number == 1 and [len(step.calls) for step in started.steps] == [2, 0, 0, 0, 0]
    assert (started.steps[2].tasks_done, started.steps[2].tasks_total) == (7, 7)
    assert variables.user_vars["rate_hz"] == "20" and variables.vars["run_number"] == "1"
    (root,) = before.children(environment)
    assert before.counts(environment).states == {"RUNNING": 7} and len(before.tasks_below(environment)) == 7
    assert [one.name for one in before.children(environment, root.order)] == [
        "host-flp001", "host-flp002", "header", "order",
    ]  # fmt: skip
    await facility.kill()
    await facility.start()
    after = await facility.shows(lambda store: store.history(environment) is not None)
    assert after.history(environment) == history
    assert (after.variables(environment), after.roles(environment)) == (variables, before.roles(environment))
    await facility.destroy(environment, allowInRunningState=True)
    executors = executors_of(facility)
    for pid in executors:
        os.kill(pid, signal.SIGSTOP)  # it is deployed once that was seen
    try:
        creating = asyncio.create_task(facility.create("flow", HOSTS[:1]))
        seen = await facility.shows(lambda store: any(one.transition for one in store.environments()))
    finally:
        for pid in executors:
            os.kill(pid, signal.SIGCONT)
    (deploying,) = seen.environments()
    assert deploying.transition is not None and deploying.transition.event == "DEPLOY"
    deployed = history.transitions[0]
    assert deploying.transition.usual_ms == deployed.ended_ms - deployed.started_ms
    assert [step.name for step in deploying.transition.steps][2] == "tasks_DEPLOY"
    await creating


@on_every_backend
async def test_a_killed_executor_takes_its_tasks_along_and_is_named(facility: Facility) -> None:
    environment = await facility.create("flow", HOSTS)
    await facility.ask(environment.id, "START_ACTIVITY")
    task = await facility.task("sink", "flp002")
    os.kill(psutil.Process(int(task.pid)).ppid(), signal.SIGKILL)
    key = ("environment", environment.id)
    things = await facility.watch_until(lambda seen: key in seen and seen[key].state == "ERROR")
    fault = things["fault", environment.id]
    assert fault.host == "flp002" and "executor" in fault.cause
    assert int(task.pid) not in facility.processes()
    await facility.destroy(environment.id)
    again = await facility.create("flow", HOSTS)
    assert again.state == "CONFIGURED", "a new executor takes the place of the dead one"
