"""Tasks are killed by commands to scripted executors."""

from __future__ import annotations

import asyncio

from commander_bench import Bench, mute, obedient, until

from executor.api.messages import Forget, Kill, Phase, TaskReport, TaskReports
from occ.states import TaskState


async def test_kill_ends_forgets_and_frees_unlocked_tasks_only() -> None:
    bench = Bench(a=2, b=1)
    bench.roster.release(["a-0", "b-0"])
    killed, remaining = await bench.commander.kill(bench.ids, timeout_s=5)
    assert (sorted(killed), remaining) == (["a-0", "b-0"], ["a-1"])
    assert [task.task_id for task in bench.roster.all()] == ["a-1"]
    assert bench.backend.released == killed
    assert {host: command.task_ids for host, command in bench.commands(Forget)} == {"a": ("a-0",), "b": ("b-0",)}  # type: ignore[union-attr]


async def test_a_task_that_has_ended_is_dropped_without_a_kill() -> None:
    bench = Bench(mute, a=1)
    bench.roster.release(["a-0"])
    ended = TaskReport(task_id="a-0", environment_id="", phase=Phase.ENDED, final_status="TASK_FINISHED")
    bench.reception.reported("a", TaskReports(tasks=(ended,)))
    assert await bench.commander.kill(["a-0"], timeout_s=5) == (["a-0"], [])
    assert not bench.commands(Kill) and len(bench.roster) == 0


async def test_what_does_not_end_in_time_remains_and_can_be_killed_again() -> None:
    bench = Bench(mute, a=1)
    bench.roster.release(["a-0"])
    assert await bench.commander.kill(["a-0"], timeout_s=0.05) == ([], ["a-0"])
    task = bench.roster.get("a-0")
    assert task is not None and not task.killing
    bench.backend.answer = obedient
    assert await bench.commander.kill(["a-0"], timeout_s=5) == (["a-0"], [])


async def test_two_kills_of_one_task_send_one_command_and_both_hear_of_the_end() -> None:
    bench = Bench(mute, a=1)
    bench.roster.release(["a-0"])
    kills = [asyncio.ensure_future(bench.commander.kill(["a-0"], timeout_s=60)) for _ in range(2)]
    await until(lambda: bool(bench.commands(Kill)))
    ended = TaskReport(task_id="a-0", environment_id="", phase=Phase.ENDED, final_status="TASK_KILLED")
    bench.reception.reported("a", TaskReports(tasks=(ended,)))
    async with asyncio.timeout(30):
        assert await asyncio.gather(*kills) == [(["a-0"], []), (["a-0"], [])]
    assert len(bench.commands(Kill)) == 1


async def test_a_task_is_dead_when_its_executor_is_lost_while_it_is_killed() -> None:
    bench = Bench(mute, a=1)
    bench.roster.release(["a-0"])
    killing = asyncio.ensure_future(bench.commander.kill(["a-0"], timeout_s=60))
    await until(lambda: bool(bench.commands(Kill)))
    bench.reception.executor_lost("a", "x-a", "gone")
    async with asyncio.timeout(30):
        assert await killing == (["a-0"], [])


async def test_a_kill_is_sent_again_when_the_executor_comes_back() -> None:
    bench = Bench(a=1)
    bench.roster.release(["a-0"])
    bench.backend.down.add("a")
    killing = asyncio.ensure_future(bench.commander.kill(["a-0"], timeout_s=60))
    await asyncio.sleep(0)
    bench.backend.down.clear()
    bench.reception.executor_back("a", "x-a")
    assert await killing == (["a-0"], [])


async def test_a_strike_kills_what_an_environment_has_and_leaves_it_in_the_roster() -> None:
    bench = Bench(a=2)
    assert await bench.commander.strike(bench.ids[0], timeout_s=5)
    ((host, command),) = bench.commands(Kill)
    assert (host, command) == ("a", Kill(command_id=command.command_id, task_ids=(bench.ids[0],), at_once=True))  # type: ignore[union-attr]
    struck = bench.roster.get(bench.ids[0])
    assert struck is not None and (struck.final_status, struck.state) == ("TASK_KILLED", TaskState.ERROR)
    assert await bench.commander.strike(bench.ids[0], timeout_s=5)
    assert len(bench.commands(Kill)) == 1


async def test_a_strike_that_nobody_answers_ends_in_time() -> None:
    bench = Bench(mute, a=1)
    assert not await bench.commander.strike(bench.ids[0], timeout_s=0.05)
