"""Commands to scripted executors: one message each, answers merged, whoever does not answer named."""

from __future__ import annotations

import asyncio
import sys
from types import FrameType

from commander_bench import Bench, mute, obedient, until

from executor.api.messages import Hello, Phase, TaskReport, TaskReports, TaskResult, Transition, TriggerHooks
from occ.states import TaskState


async def test_one_message_goes_to_each_executor_and_all_replies_are_merged() -> None:
    bench = Bench(a=3, b=2)
    seen: list[tuple[int, int]] = []
    results = await bench.transition(progress=lambda done, total: seen.append((done, total)))
    assert [(host, len(command.targets)) for host, command in bench.backend.sent] == [("a", 3), ("b", 2)]  # type: ignore[union-attr]
    assert {task_id: result.error for task_id, result in results.items()} == dict.fromkeys(bench.ids, "")
    assert all(task.state is TaskState.RUNNING for task in bench.roster.all())
    assert seen == [(3, 5), (5, 5)]


async def test_a_reply_changes_the_roster_in_one_step() -> None:
    bench = Bench(a=3)
    told: list[int] = []
    bench.roster.listen(lambda changes: told.append(len(changes)))
    await bench.transition()
    assert told == [3]


async def test_no_targets_are_done_at_once() -> None:
    bench = Bench(mute)
    assert await bench.transition([]) == {}
    assert not bench.backend.sent


async def test_arguments_common_to_all_travel_once_and_own_ones_with_their_target() -> None:
    bench = Bench(a=2)
    await bench.commander.transition(
        "c", "2env", "CONFIGURE", "STANDBY", "CONFIGURED", arguments={"x": "1"},
        per_task={"a-0": {"y": "2"}, "a-1": {}}, timeout_s=5,
    )  # fmt: skip
    ((_, command),) = bench.backend.sent
    assert isinstance(command, Transition)
    assert command.arguments == {"x": "1"}
    assert [target.arguments for target in command.targets] == [{"y": "2"}, {}]


async def test_who_does_not_answer_in_time_is_named_and_the_others_succeed() -> None:
    bench = Bench(lambda host, command: obedient(host, command) if host == "a" else None, a=1, b=1)
    results = await bench.transition(timeout_s=0.05)
    assert results["a-0"].error == ""
    assert results["b-0"].error == "START timed out after 0.05 s: no answer from host b"
    assert bench.roster.get("b-0").state is TaskState.STANDBY  # type: ignore[union-attr]


async def test_an_answer_that_comes_too_late_still_tells_where_the_task_is() -> None:
    bench = Bench(mute, a=1)
    assert (await bench.transition(timeout_s=0.05))["a-0"].error.startswith("START timed out")
    late = obedient("a", bench.backend.sent[0][1])
    assert late is not None
    bench.reception.reported("a", late)
    assert bench.roster.get("a-0").state is TaskState.RUNNING  # type: ignore[union-attr]


async def test_a_lost_executor_fails_its_targets_at_once() -> None:
    bench = Bench(lambda host, command: obedient(host, command) if host == "a" else None, a=1, b=2)
    asking = asyncio.ensure_future(bench.transition(timeout_s=60))
    await until(lambda: len(bench.backend.sent) == 2)
    bench.reception.executor_lost("b", "x-b", "executor x-b on host b was killed by signal 9 (SIGKILL)")
    async with asyncio.timeout(30):
        results = await asking
    assert results["a-0"].error == ""
    assert results["b-1"].error == "START: executor x-b on host b was killed by signal 9 (SIGKILL)"
    assert bench.roster.get("b-1").state is TaskState.ERROR  # type: ignore[union-attr]
    assert bench.hosts == ["b"]


async def test_a_command_without_a_link_is_sent_when_the_executor_attaches() -> None:
    bench = Bench(a=1)
    bench.backend.down.add("a")
    asking = asyncio.ensure_future(bench.transition(timeout_s=60))
    await asyncio.sleep(0)
    assert not bench.backend.sent
    bench.backend.down.clear()
    known = TaskReport(task_id="a-0", environment_id="2env", phase=Phase.ACTIVE, state="CONFIGURED", pid=3)
    hello = Hello(executor_id="x-a", agent_id="a", host="a", pid=1, instance="i", version="v", tasks=(known,))
    bench.reception.executor_attached("a", hello, ())
    assert (await asking)["a-0"].error == ""


async def test_an_unanswered_command_is_sent_again_with_the_same_id_after_silence() -> None:
    bench = Bench(mute, a=2)
    asking = asyncio.ensure_future(bench.transition(timeout_s=60))
    await until(lambda: bool(bench.backend.sent))
    bench.reception.executor_silent("a", "x-a")
    bench.backend.answer = obedient
    bench.reception.executor_back("a", "x-a")
    results = await asking
    first, second = (command for _, command in bench.backend.sent)
    assert first == second and len(results) == 2


async def test_a_second_reply_to_the_same_command_changes_nothing() -> None:
    bench = Bench(a=1)
    results = await bench.transition()
    reply = obedient("a", bench.backend.sent[0][1])
    assert reply is not None
    bench.reception.reported("a", reply)
    assert results == {"a-0": TaskResult(task_id="a-0", state="RUNNING")}


async def test_a_task_that_has_ended_or_never_was_fails_without_a_message() -> None:
    bench = Bench(a=2)
    ended = TaskReport(task_id="a-0", environment_id="", phase=Phase.ENDED, final_status="TASK_FAILED", exit_code=3)
    bench.reception.reported("a", TaskReports(tasks=(ended,)))
    results = await bench.transition(["a-0", "a-1", "nobody"])
    assert results["a-0"].error == "START: task has ended: ended with exit code 3"
    assert results["nobody"].error == "START: there is no task nobody"
    assert results["a-1"].error == ""
    assert [len(command.targets) for _, command in bench.backend.sent] == [1]  # type: ignore[union-attr]


async def test_commands_of_two_environments_do_not_wait_for_each_other() -> None:
    bench = Bench(lambda host, command: obedient(host, command) if host == "a" else None, a=1, b=1)
    hanging = asyncio.ensure_future(bench.transition(["b-0"], timeout_s=60, command_id="slow"))
    await until(lambda: bool(bench.backend.sent))
    async with asyncio.timeout(30):
        assert (await bench.transition(["a-0"], command_id="quick"))["a-0"].error == ""
    assert not hanging.done()
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)


async def test_hooks_are_triggered_with_one_message_per_executor() -> None:
    bench = Bench(a=2, b=1)
    errors = await bench.commander.trigger_hooks("c", "2env", bench.ids, timeout_s=5)
    assert errors == dict.fromkeys(bench.ids, "")
    assert len(bench.commands(TriggerHooks)) == 2


async def test_tasks_of_a_silent_executor_are_out_of_reach_unless_they_have_ended() -> None:
    bench = Bench(a=1, b=2)
    bench.backend.silent.add("b")
    ended = TaskReport(task_id="b-1", environment_id="", phase=Phase.ENDED, final_status="TASK_FAILED")
    bench.reception.reported("b", TaskReports(tasks=(ended,)))
    assert bench.commander.within_reach(["a-0", "b-0", "b-1", "nobody"]) == ["a-0", "b-1"]


async def test_a_transition_takes_the_core_few_calls_of_functions_for_each_task_however_many_there_are() -> None:
    few, many = await calls_per_task(hosts=5, per_host=50), await calls_per_task(hosts=20, per_host=250)
    assert many <= few <= 20


async def calls_per_task(*, hosts: int, per_host: int) -> float:
    bench = Bench(obedient, **{f"h{number}": per_host for number in range(hosts)})
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        await bench.transition()
    finally:
        sys.setprofile(None)
    return calls / (hosts * per_host)
