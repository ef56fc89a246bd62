"""What executors tell by themselves: tasks that nobody knows, events, metrics, that they are gone."""

from __future__ import annotations

from commander_bench import Bench, mute

from executor.api.messages import (
    DeviceEvent,
    DeviceEvents,
    Forget,
    Hello,
    Kill,
    MetricSample,
    MetricSamples,
    Phase,
    TaskReport,
    TaskReports,
)
from server.deploy.backend import ExecutorState, HostInfo


async def test_strangers_of_an_attaching_executor_are_killed_and_forgotten_when_ended() -> None:
    bench = Bench(mute)
    alive = TaskReport(task_id="s1", environment_id="", phase=Phase.ACTIVE)
    ended = TaskReport(task_id="s2", environment_id="", phase=Phase.ENDED, final_status="TASK_FAILED")
    hello = Hello(executor_id="x", agent_id="a", host="a", pid=1, instance="i", version="v", tasks=(alive, ended))
    bench.reception.executor_attached("a", hello, ())
    assert [command.task_ids for _, command in bench.commands(Kill)] == [("s1",)]  # type: ignore[union-attr]
    assert [command.task_ids for _, command in bench.commands(Forget)] == [("s2",)]  # type: ignore[union-attr]
    end = TaskReport(task_id="s1", environment_id="", phase=Phase.ENDED, final_status="TASK_KILLED")
    bench.reception.reported("a", TaskReports(tasks=(end,)))
    assert [command.task_ids for _, command in bench.commands(Forget)] == [("s2",), ("s1",)]  # type: ignore[union-attr]


async def test_a_task_that_comes_up_after_it_was_killed_and_forgotten_is_killed_again() -> None:
    bench = Bench(mute)
    up = TaskReport(task_id="late", environment_id="", phase=Phase.ACTIVE, state="STANDBY", pid=4)
    bench.reception.reported("a", TaskReports(tasks=(up,)))
    assert [command.task_ids for _, command in bench.commands(Kill)] == [("late",)]  # type: ignore[union-attr]


async def test_device_events_and_metrics_find_their_way() -> None:
    bench = Bench(a=1)
    event = DeviceEvent(task_id="a-0", environment_id="2env", type=1)
    bench.reception.reported("a", DeviceEvents(events=(event,)))
    sample = MetricSample(task_id="a-0", name="rate", value=1.0, unit="Hz")
    bench.reception.reported("a", MetricSamples(samples=(sample,), timestamp_ms=1))
    assert bench.events == [event]
    assert bench.roster.get("a-0").metrics["rate"].value == 1.0  # type: ignore[union-attr]


async def test_after_a_restart_tasks_of_executors_that_nobody_has_are_lost() -> None:
    bench = Bench(a=1, b=1)
    info = HostInfo(name="a", address="127.0.0.1", state=ExecutorState.SILENT, executor_id="x-a")
    bench.reception.check([info, HostInfo(name="b", address="127.0.0.1")])
    assert not bench.roster.get("a-0").ended  # type: ignore[union-attr]
    assert bench.roster.get("b-0").error == "executor x-b on host b ended while no core was there"  # type: ignore[union-attr]
