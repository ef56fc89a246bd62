"""The record of a task: predicates, name, durable form."""

from __future__ import annotations

import gc
import tracemalloc

from msgspec.structs import replace

from executor.api.messages import ControlMode, TaskSpec
from occ.states import TaskState
from server.api.states import Status
from server.task.task import ChannelInfo, Metric, Task, from_record


def make(task_id: str = "2abc", **fields: object) -> Task:
    spec = TaskSpec(
        task_id=task_id, environment_id="2env", class_name="/r/tasks/readout@local", mode=ControlMode.DIRECT,
        value="/usr/bin/readout", arguments=("--id", task_id), environment=("A=1", f"OCC_CONTROL_PORT={30000}"),
        control_port=30000,
    )  # fmt: skip
    task = Task(
        task_id=task_id, class_id="/r/tasks/readout@local", class_name="readout", host="flp001", address="127.0.0.1",
        agent_id="a1", offer_id="o1", executor_id="x1", environment_id="2env", role_path="top.flp001.readout",
        command=spec, properties={"rate": "10"}, inbound=(ChannelInfo("data", "push"),),
        endpoints={"data": "tcp://*:9000"}, ports=(9000, 30000), cpus=0.5, memory_mb=64.0,
    )  # fmt: skip
    return replace(task, **fields)


def test_a_task_is_locked_while_an_environment_has_it_and_its_place_is_known() -> None:
    assert make().locked
    for missing in ("environment_id", "host", "agent_id", "offer_id", "executor_id"):
        assert not make(**{missing: ""}).locked


def test_an_unlocked_active_task_in_standby_is_claimable_all_other_unlocked_ones_are_orphans() -> None:
    free = make(environment_id="", status=Status.ACTIVE)
    assert free.claimable and not free.orphan
    for other in (replace(free, status=Status.INACTIVE), replace(free, state=TaskState.CONFIGURED)):
        assert other.orphan and not other.claimable
    assert not make().claimable and not make().orphan


def test_the_name_is_class_and_id() -> None:
    assert make().name == "/r/tasks/readout@local#2abc"
    assert make().control_port == 30000
    assert make().mode is ControlMode.DIRECT


def test_a_record_gives_the_same_task_back_without_its_metrics() -> None:
    task = make(state=TaskState.RUNNING, status=Status.ACTIVE, pid=77, error="x", state_since_ms=5)
    assert from_record(task.to_record()) == task
    assert from_record(replace(task, metrics={"rate": Metric(1.0, "Hz")}).to_record()) == task


def test_an_idle_task_takes_at_most_three_kilobytes() -> None:
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tasks = [make(f"2task{number}") for number in range(1000)]
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / len(tasks) <= 3000
