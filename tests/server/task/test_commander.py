"""Commands to scripted executors behind an in-process backend."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from executor.api.messages import (
    Command,
    CommandReply,
    ControlMode,
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
    TaskResult,
    TaskSpec,
    Transition,
    TriggerHooks,
)
from occ.states import TaskState
from server.api.states import Status
from server.deploy.backend import Demand, ExecutorState, HostInfo, KnownExecutor, Listener, Offer, Reservation
from server.task.commander import Commander
from server.task.outputs import Outputs
from server.task.reception import Reception
from server.task.roster import Roster
from server.task.task import Task

Answer = Callable[[str, Command], CommandReply | None]


class FakeBackend:
    """Executors that answer by script; ``answer`` returning None leaves a command unanswered."""

    framework_id = "fake"

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.sent: list[tuple[str, Command]] = []
        self.released: list[str] = []
        self.down: set[str] = set()
        self.silent: set[str] = set()
        self.listener: Listener | None = None

    async def start(self, listener: Listener, known: Sequence[KnownExecutor] = ()) -> None:
        self.listener = listener

    async def close(self) -> None: ...

    async def drain(self) -> None: ...

    def hosts(self) -> Sequence[HostInfo]:
        return [HostInfo(name=name, address="", state=ExecutorState.SILENT) for name in self.silent]

    async def offers(self) -> Sequence[Offer]:
        return []

    def reserve(self, host: str, task_id: str, demand: Demand) -> Reservation:
        raise NotImplementedError

    def occupy(self, host: str, task_id: str, demand: Demand, ports: Iterable[int]) -> None: ...

    async def launch(
        self, host: str, offer_id: str, tasks: Sequence[TaskSpec], command_id: str, *, timeout_s: float
    ) -> None: ...

    def send(self, host: str, command: Command) -> bool:
        if host in self.down:
            return False
        self.sent.append((host, command))
        reply = self.answer(host, command)
        if reply is not None and self.listener:
            asyncio.get_running_loop().call_soon(self.listener.reported, host, reply)
        return True

    def release(self, task_ids: Iterable[str]) -> None:
        self.released += task_ids

    def stdout_url(self, task_id: str) -> str:
        return ""


def obedient(host: str, command: Command) -> CommandReply | None:
    match command:
        case Transition():
            results = [TaskResult(task_id=one.task_id, state=command.destination) for one in command.targets]
        case TriggerHooks() | Kill():
            results = [TaskResult(task_id=one, state="") for one in command.task_ids]
        case _:
            return None
    return CommandReply(command_id=command.command_id, results=tuple(results))


def mute(host: str, command: Command) -> None:
    return None


class Bench:
    def __init__(self, answer: Answer = obedient, **hosts: int) -> None:
        self.backend = FakeBackend(answer)
        self.roster = Roster()
        self.commander = Commander(self.backend, self.roster, margin_s=0.0)
        self.outputs = Outputs(self.backend, self.roster, answer_s=0.2, look_s=0.05)
        self.events: list[DeviceEvent] = []
        self.hosts: list[str] = []
        self.backend.listener = self.reception = Reception(
            self.backend, self.roster, self.commander,
            on_device_events=self.events.extend, on_host=self.hosts.append,
            on_output=self.outputs.took,
        )  # fmt: skip
        for host, count in hosts.items():
            self.roster.add(make(f"{host}-{number}", host) for number in range(count))
        self.ids = [task.task_id for task in self.roster.all()]

    async def transition(
        self, ids: Sequence[str] | None = None, *, timeout_s: float = 5.0, command_id: str = "c1",
        progress: Callable[[int, int], None] | None = None, event: str = "START",
    ) -> dict[str, TaskResult]:  # fmt: skip
        return await self.commander.transition(
            command_id, "2env", event, "CONFIGURED", "RUNNING", arguments={"runNumber": "7"},
            per_task={one: {} for one in (self.ids if ids is None else ids)}, timeout_s=timeout_s, progress=progress,
        )  # fmt: skip

    def commands(self, kind: type) -> list[tuple[str, Command]]:
        return [(host, command) for host, command in self.backend.sent if isinstance(command, kind)]


def make(task_id: str, host: str, environment_id: str = "2env") -> Task:
    spec = TaskSpec(task_id=task_id, environment_id="2env", class_name="c", mode=ControlMode.DIRECT, value="v")
    return Task(
        task_id=task_id, class_id="c", class_name="c", host=host, address="127.0.0.1", agent_id="a", offer_id="o",
        executor_id=f"x-{host}", environment_id=environment_id, role_path="r", command=spec, status=Status.ACTIVE,
    )  # fmt: skip


async def until(condition: Callable[[], bool], deadline_s: float = 5.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110  # any condition of the code under test
            await asyncio.sleep(0)


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
    async with asyncio.timeout(1):
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
    async with asyncio.timeout(1):
        assert (await bench.transition(["a-0"], command_id="quick"))["a-0"].error == ""
    assert not hanging.done()
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)


async def test_hooks_are_triggered_with_one_message_per_executor() -> None:
    bench = Bench(a=2, b=1)
    errors = await bench.commander.trigger_hooks("c", "2env", bench.ids, timeout_s=5)
    assert errors == dict.fromkeys(bench.ids, "")
    assert len(bench.commands(TriggerHooks)) == 2


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
    async with asyncio.timeout(1):
        assert await asyncio.gather(*kills) == [(["a-0"], []), (["a-0"], [])]
    assert len(bench.commands(Kill)) == 1


async def test_a_task_is_dead_when_its_executor_is_lost_while_it_is_killed() -> None:
    bench = Bench(mute, a=1)
    bench.roster.release(["a-0"])
    killing = asyncio.ensure_future(bench.commander.kill(["a-0"], timeout_s=60))
    await until(lambda: bool(bench.commands(Kill)))
    bench.reception.executor_lost("a", "x-a", "gone")
    async with asyncio.timeout(1):
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


async def test_tasks_of_a_silent_executor_are_out_of_reach_unless_they_have_ended() -> None:
    bench = Bench(a=1, b=2)
    bench.backend.silent.add("b")
    ended = TaskReport(task_id="b-1", environment_id="", phase=Phase.ENDED, final_status="TASK_FAILED")
    bench.reception.reported("b", TaskReports(tasks=(ended,)))
    assert bench.commander.within_reach(["a-0", "b-0", "b-1", "nobody"]) == ["a-0", "b-1"]


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


async def test_the_core_takes_at_most_ten_microseconds_per_task_of_a_transition() -> None:
    hosts, per_host = 20, 250
    bench = Bench(obedient, **{f"h{number}": per_host for number in range(hosts)})
    times_us = []
    for number in range(5):
        began = time.process_time()
        await bench.transition(command_id=f"c{number}", event="START" if number % 2 == 0 else "STOP")
        times_us.append((time.process_time() - began) / (hosts * per_host) * 1e6)
        bench.roster.apply_results(TaskResult(task_id=one, state="CONFIGURED") for one in bench.ids)
    assert min(times_us) <= 10, times_us


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
