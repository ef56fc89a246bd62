"""The Agent as a pure state machine: one event in, a list of instructions out."""

from __future__ import annotations

from signal import SIGINT, SIGKILL, SIGTERM
from typing import Any

import pytest
from msgspec.structs import replace

from executor.agent import Agent
from executor.api.messages import (
    CommandReply,
    ControlMode,
    DeviceEvents,
    Forget,
    Hello,
    Kill,
    Launch,
    MetricSample,
    MetricSamples,
    Phase,
    Ping,
    Pong,
    Shutdown,
    Target,
    TaskReport,
    TaskReports,
    TaskResult,
    TaskSpec,
    Termination,
    Transition,
    TriggerHooks,
    Welcome,
)
from executor.settings import Identity, Settings
from executor.stimuli import (
    CallOcc,
    CloseOcc,
    Commanded,
    ConnectOcc,
    Exit,
    Exited,
    LinkDown,
    LinkUp,
    MetricsSampled,
    OccEvent,
    OccReplied,
    Paused,
    PortOpened,
    QueryOcc,
    Ready,
    Send,
    Signal,
    Spawn,
    Spawned,
    SpawnFailed,
    Started,
    StartTimer,
    StateSeen,
    StopTimer,
    Terminated,
    TimerFired,
    Unready,
)

IDENTITY = Identity(executor_id="x1", agent_id="a1", host="flp001", pid=7, instance="i1", version="0")


class Driver:
    """Feeds one Agent and checks its invariants after every event."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.agent = Agent(IDENTITY, settings or Settings())
        self.now_ms = 1000
        self.feed(Started)

    def feed(self, kind: type, **fields: Any) -> list[Any]:
        self.now_ms += 1
        out = self.agent.handle(kind(**fields, at_ms=self.now_ms))
        self.agent.validate()
        return out

    def command(self, command: Any) -> list[Any]:
        return self.feed(Commanded, command=command)

    def launch(self, *specs: TaskSpec) -> list[Any]:
        return self.command(Launch(command_id="l", tasks=specs))

    def up(self, task_id: str = "t1", pid: int = 100) -> None:
        """Bring a direct task to STANDBY."""
        self.launch(direct(task_id))
        self.feed(Spawned, task_id=task_id, pid=pid)
        self.feed(PortOpened, task_id=task_id)
        self.feed(Ready, task_id=task_id, pid=pid + 1, state="STANDBY")

    def exited(
        self, task_id: str = "t1", exit_code: int | None = 0, signal: int | None = None, **output: str
    ) -> list[Any]:
        output = {"stdout": "", "stderr": "", **output}
        return self.feed(Exited, task_id=task_id, exit_code=exit_code, signal=signal, **output)

    def replied(self, call_id: int, state: str = "", error: str = "", task_id: str = "t1", **more: Any) -> list[Any]:
        return self.feed(OccReplied, call_id=call_id, task_id=task_id, state=state, error=error, **more)

    def fire(self, timer_id: str) -> list[Any]:
        return self.feed(TimerFired, timer_id=timer_id)


def direct(task_id: str = "t1", **more: Any) -> TaskSpec:
    more = {"environment_id": "env", "class_name": "c", "value": "task", "control_port": 30000, **more}
    return TaskSpec(task_id=task_id, mode=ControlMode.DIRECT, **more)


def local(mode: str, task_id: str = "t1", **more: Any) -> TaskSpec:
    return TaskSpec(task_id=task_id, environment_id="env", class_name="c", value="run", mode=ControlMode(mode), **more)


def transition(event: str, *task_ids: str, source: str = "STANDBY", destination: str = "CONFIGURED", command_id: str = "c1",
               arguments: dict[str, str] | None = None, timeout_s: float = 9.0) -> Transition:  # fmt: skip
    return Transition(
        command_id=command_id, environment_id="env", event=event, source=source, destination=destination,
        targets=tuple(Target(task_id=t) for t in task_ids or ("t1",)), timeout_s=timeout_s, arguments=arguments or {},
    )  # fmt: skip


def reports(out: list[Any]) -> list[TaskReport]:
    return [r for i in out if isinstance(i, Send) and isinstance(i.report, TaskReports) for r in i.report.tasks]


def replies(out: list[Any]) -> list[CommandReply]:
    return [i.report for i in out if isinstance(i, Send) and isinstance(i.report, CommandReply)]


def results(out: list[Any]) -> list[tuple[str, str, str]]:
    return [(r.task_id, r.state, r.error) for reply in replies(out) for r in reply.results]


def termination(out: list[Any]) -> Termination:
    """Return what the one event of the end of a hook or basic process tells."""
    events = [e for i in out if isinstance(i, Send) and isinstance(i.report, DeviceEvents) for e in i.report.events]
    assert [event.type for event in events] == [2]
    assert events[0].termination
    return events[0].termination


def only(out: list[Any], kind: type) -> Any:
    found = [i for i in out if isinstance(i, kind)]
    assert len(found) == 1, out
    return found[0]


@pytest.fixture
def agent() -> Driver:
    return Driver()


# ---- start -----------------------------------------------------------------------------------


def test_a_direct_task_is_active_only_after_standby(agent):
    spec = direct()
    assert agent.launch(spec) == [Spawn(spec)]
    assert agent.feed(Spawned, task_id="t1", pid=100) == [ConnectOcc("t1", 30000), StartTimer("ready:t1", 45.0)]
    assert agent.feed(PortOpened, task_id="t1") == [StartTimer("ready:t1", 30.0)]
    out = agent.feed(Ready, task_id="t1", pid=101, state="STANDBY")
    assert out[0] == StopTimer("ready:t1")
    assert [(r.phase, r.state, r.pid) for r in reports(out)] == [(Phase.ACTIVE, "STANDBY", 101)]


@pytest.mark.parametrize("mode", ["basic", "hook"])
def test_basic_and_hook_tasks_are_active_at_once_without_a_process(agent, mode):
    out = agent.launch(local(mode), local(mode, "t2"))
    assert len(out) == 1
    assert [(r.task_id, r.phase, r.state, r.pid) for r in reports(out)] == [
        ("t1", Phase.ACTIVE, "STANDBY", 0),
        ("t2", Phase.ACTIVE, "STANDBY", 0),
    ]


def test_a_task_that_is_launched_again_is_reported_and_not_started_again(agent):
    agent.up()
    out = agent.launch(direct())
    assert [r.phase for r in reports(out)] == [Phase.ACTIVE]
    assert len(out) == 1


def test_a_fairmq_task_is_started_and_connected_to_as_a_direct_one(agent):
    agent.launch(replace(direct(), mode=ControlMode.FAIRMQ))
    out = agent.feed(Spawned, task_id="t1", pid=100)
    assert out == [ConnectOcc("t1", 30000), StartTimer("ready:t1", 45.0)]
    agent.feed(PortOpened, task_id="t1")
    assert reports(agent.feed(Ready, task_id="t1", pid=101, state="STANDBY"))[0].phase is Phase.ACTIVE


def test_a_fairmq_task_without_control_port_is_refused(agent):
    out = agent.launch(replace(direct(control_port=0), mode=ControlMode.FAIRMQ))
    assert reports(out)[0].error == "a task in control mode fairmq needs a control port, none was given"


def test_a_fairmq_device_in_error_is_signalled_without_asking_it_to_end(agent):
    agent.launch(replace(direct(), mode=ControlMode.FAIRMQ))
    agent.feed(Spawned, task_id="t1", pid=100)
    agent.feed(Ready, task_id="t1", pid=101, state="STANDBY")
    (query,) = agent.command(Kill(command_id="k", task_ids=("t1",)))
    out = agent.replied(query.call_id, "ERROR", pid=101)
    assert out == [CloseOcc("t1"), Signal("t1", SIGTERM, 101), StartTimer("ladder:t1", 2.0)]


def test_a_direct_task_without_a_control_port_is_refused(agent):
    assert reports(agent.launch(direct(control_port=0)))[0].error.endswith("needs a control port, none was given")


def test_a_spawn_that_fails_ends_the_task(agent):
    agent.launch(direct())
    out = agent.feed(SpawnFailed, task_id="t1", error="command not found")
    assert [(r.phase, r.final_status, r.error, r.state) for r in reports(out)] == [
        (Phase.ENDED, "TASK_FAILED", "command not found", "ERROR")
    ]


def test_an_exit_before_standby_fails_the_task_with_how_it_ended_even_with_code_0(agent):
    agent.launch(direct())
    agent.feed(Spawned, task_id="t1", pid=100)
    out = agent.exited(stderr="bind: address in use")
    assert CloseOcc("t1") in out and StopTimer("ready:t1") in out
    (report,) = reports(out)
    assert (report.final_status, report.exit_code) == ("TASK_FAILED", 0)
    wanted = "ended before its control port 30000 was ready: exit code 0; last line on stderr: bind: address in use"
    assert report.error == wanted


@pytest.mark.parametrize(
    "opened, troubles, error",
    [
        (False, [], "still alive but did not open its control port 30000 within 45 s"),
        (True, [], "opened its control port 30000 but was not in STANDBY after 30 s"),
        (True, ["a", "b"], "opened its control port 30000 but was not in STANDBY after 30 s; last answer: b"),
    ],
)
def test_a_task_that_is_not_ready_in_time_is_ended_and_fails(agent, opened, troubles, error):
    agent.launch(direct())
    agent.feed(Spawned, task_id="t1", pid=100)
    if opened:
        agent.feed(PortOpened, task_id="t1")
    for trouble in troubles:
        assert agent.feed(Unready, task_id="t1", why=trouble) == []
    out = agent.fire("ready:t1")
    assert out == [CloseOcc("t1"), Signal("t1", SIGTERM), StartTimer("ladder:t1", 2.0)]
    (report,) = reports(agent.exited(exit_code=None, signal=15))
    assert (report.final_status, report.signal, report.error) == ("TASK_FAILED", 15, error)


def test_a_task_that_starts_in_a_wrong_state_is_ended_and_fails(agent):
    agent.launch(direct())
    agent.feed(Spawned, task_id="t1", pid=100)
    out = agent.feed(Ready, task_id="t1", pid=101, state="DONE")
    assert Signal("t1", SIGTERM, 101) in out
    assert reports(agent.exited(exit_code=0))[0].error == "started in state DONE, expected STANDBY"


def test_a_task_whose_port_is_answered_by_somebody_else_is_ended_and_fails(agent):
    agent.launch(direct())
    agent.feed(Spawned, task_id="t1", pid=100)
    agent.feed(PortOpened, task_id="t1")
    out = agent.feed(Ready, task_id="t1", pid=0, state="", error="it is somebody else's")
    assert out == [StopTimer("ready:t1"), CloseOcc("t1"), Signal("t1", SIGTERM), StartTimer("ladder:t1", 2.0)]
    (report,) = reports(agent.exited(exit_code=None, signal=15))
    assert (report.final_status, report.error) == ("TASK_FAILED", "it is somebody else's")


# ---- transitions -----------------------------------------------------------------------------


def test_one_command_calls_all_tasks_and_gives_one_reply_at_the_last_answer(agent):
    for task_id in ("t1", "t2", "t3"):
        agent.up(task_id)
    command = transition("CONFIGURE", "t1", "t2", "t3", arguments={"a": "1"})
    out = agent.command(command)
    calls = [i for i in out if isinstance(i, CallOcc)]
    assert [(c.task_id, c.source, c.event, c.destination, c.arguments, c.timeout_s) for c in calls] == [
        (t, "STANDBY", "CONFIGURE", "CONFIGURED", {"a": "1"}, 9.0) for t in ("t1", "t2", "t3")
    ]
    assert out[-1] == StartTimer("command:c1", 9.0)
    assert agent.replied(calls[2].call_id, "CONFIGURED", task_id="t3") == []
    assert agent.replied(calls[0].call_id, "CONFIGURED") == []
    out = agent.replied(calls[1].call_id, "ERROR", "broken", task_id="t2")
    assert out[0] == StopTimer("command:c1")
    assert results(out) == [("t1", "CONFIGURED", ""), ("t2", "ERROR", "broken"), ("t3", "CONFIGURED", "")]


def test_arguments_of_a_target_win_over_the_common_ones(agent):
    agent.up()
    command = Transition(
        command_id="c1", environment_id="env", event="CONFIGURE", source="STANDBY", destination="CONFIGURED", timeout_s=1,
        targets=(Target(task_id="t1", arguments={"b": "own"}),), arguments={"a": "1", "b": "2"},
    )  # fmt: skip
    assert only(agent.command(command), CallOcc).arguments == {"a": "1", "b": "own"}


def test_a_command_without_targets_is_answered_at_once(agent):
    command = Transition(
        command_id="c1", environment_id="e", event="START", source="", destination="", targets=(), timeout_s=1
    )
    assert agent.command(command) == [Send(CommandReply(command_id="c1", results=()))]


def test_a_command_without_a_timeout_gets_the_default_one(agent):
    agent.up()
    assert StartTimer("command:c1", 120.0) in agent.command(transition("CONFIGURE", timeout_s=0))


def test_targets_that_cannot_go_are_answered_with_the_reason_and_the_others_go(agent):
    agent.up("t1")
    agent.launch(direct("t2"))
    agent.up("t3")
    agent.exited("t3", exit_code=None, signal=9)
    agent.up("t4")
    agent.command(Kill(command_id="k", task_ids=("t4",)))
    call = only(agent.command(transition("CONFIGURE", "t1", "t2", "t3", "t4", "t5")), CallOcc)
    assert results(agent.replied(call.call_id, "CONFIGURED")) == [
        ("t1", "CONFIGURED", ""),
        ("t2", "", "task t2 is not ready: being started"),
        ("t3", "ERROR", "task t3 has ended: killed by signal 9 (SIGKILL)"),
        ("t4", "STANDBY", "task t4 is being ended"),
        ("t5", "", "task t5 is not known to this executor"),
    ]


def test_a_second_transition_of_a_busy_task_is_refused_by_the_name_of_the_running_one(agent):
    agent.up()
    agent.command(transition("CONFIGURE"))
    out = agent.command(transition("RESET", command_id="c2"))
    assert results(out) == [("t1", "STANDBY", "task t1 is busy with CONFIGURE")]


def test_a_command_is_answered_at_its_timeout_and_the_late_answer_changes_only_the_state(agent):
    agent.up("t1")
    agent.up("t2")
    calls = [i for i in agent.command(transition("CONFIGURE", "t1", "t2")) if isinstance(i, CallOcc)]
    agent.replied(calls[0].call_id, "CONFIGURED")
    out = agent.fire("command:c1")
    assert results(out) == [("t1", "CONFIGURED", ""), ("t2", "STANDBY", "CONFIGURE timed out")]
    busy = agent.command(transition("CONFIGURE", "t2", command_id="c2"))
    assert results(busy) == [("t2", "STANDBY", "task t2 is busy with CONFIGURE")]
    late = agent.replied(calls[1].call_id, "CONFIGURED", task_id="t2")
    assert [(r.task_id, r.state) for r in reports(late)] == [("t2", "CONFIGURED")] and not replies(late)


def test_a_command_id_that_comes_again_is_answered_alike_and_never_executed_twice(agent):
    agent.up()
    command = transition("CONFIGURE")
    call = only(agent.command(command), CallOcc)
    assert agent.command(command) == []
    first = replies(agent.replied(call.call_id, "CONFIGURED"))
    assert replies(agent.command(command)) == first
    assert agent.command(command) == [Send(first[0])]


def test_a_reply_tells_the_states_of_the_moment_in_which_it_is_sent(agent):
    agent.up()
    agent.up("t2")
    calls = [i for i in agent.command(transition("CONFIGURE", "t1", "t2")) if isinstance(i, CallOcc)]
    agent.replied(calls[0].call_id, "CONFIGURED")
    agent.feed(StateSeen, task_id="t1", state="CONFIGURED")
    agent.feed(StateSeen, task_id="t1", state="ERROR")
    out = agent.replied(calls[1].call_id, "CONFIGURED", task_id="t2")
    assert results(out) == [("t1", "ERROR", ""), ("t2", "CONFIGURED", "")]
    agent.feed(StateSeen, task_id="t2", state="CONFIGURED")
    agent.feed(StateSeen, task_id="t2", state="STANDBY")
    again = agent.command(transition("CONFIGURE", "t1", "t2"))
    assert results(again) == [("t1", "ERROR", ""), ("t2", "STANDBY", "")]


def test_a_task_that_moved_without_answering_in_time_is_where_its_stream_said(agent):
    agent.up()
    call = only(agent.command(transition("CONFIGURE")), CallOcc)
    agent.feed(StateSeen, task_id="t1", state="CONFIGURED")
    assert results(agent.replied(call.call_id, error="CONFIGURE timed out")) == [
        ("t1", "CONFIGURED", "CONFIGURE timed out")
    ]
    assert [r.state for r in reports(agent.feed(StateSeen, task_id="t1", state="STANDBY"))] == ["STANDBY"]


def test_only_a_bounded_number_of_replies_is_remembered():
    agent = Driver(Settings(remembered_replies=2))
    for number in range(4):
        agent.command(transition("START", "nobody", command_id=f"c{number}"))
    orders = agent.agent._orders
    assert [orders.reply(f"c{number}") is not None for number in range(4)] == [False, False, True, True]


def test_a_broken_connection_waits_for_the_end_of_the_process_to_tell_the_cause(agent):
    agent.up()
    call = only(agent.command(transition("CONFIGURE")), CallOcc)
    out = agent.replied(call.call_id, error="Socket closed", lost=True)
    assert out == [StartTimer(f"lost:{call.call_id}", 0.25)]
    out = agent.exited(exit_code=None, signal=11)
    assert results(out) == [("t1", "STANDBY", "ended during CONFIGURE: killed by signal 11 (SIGSEGV)")]
    assert reports(out)[0].final_status == "TASK_FAILED"
    assert agent.fire(f"lost:{call.call_id}") == []


def test_a_broken_connection_of_a_living_process_is_told_as_such(agent):
    agent.up()
    call = only(agent.command(transition("CONFIGURE")), CallOcc)
    agent.replied(call.call_id, error="Socket closed", lost=True)
    assert results(agent.fire(f"lost:{call.call_id}")) == [("t1", "STANDBY", "Socket closed")]


# ---- states by stream ------------------------------------------------------------------------


def test_a_state_that_the_stream_repeats_late_changes_nothing(agent):
    agent.up()
    for event, state in (("CONFIGURE", "CONFIGURED"), ("START", "RUNNING")):
        call = only(agent.command(transition(event, command_id=event)), CallOcc)
        agent.replied(call.call_id, state)
    assert agent.feed(StateSeen, task_id="t1", state="CONFIGURED") == []
    assert agent.feed(StateSeen, task_id="t1", state="RUNNING") == []
    assert agent.agent.tasks["t1"].state == "RUNNING"


def test_a_state_that_the_stream_tells_before_the_reply_is_not_taken_for_a_move_of_the_task(agent):
    agent.up()
    call = only(agent.command(transition("CONFIGURE")), CallOcc)
    assert agent.feed(StateSeen, task_id="t1", state="CONFIGURED") == []
    agent.replied(call.call_id, "CONFIGURED")
    assert [r.state for r in reports(agent.feed(StateSeen, task_id="t1", state="STANDBY"))] == ["STANDBY"]


def test_an_error_by_stream_is_reported_at_once_also_during_a_transition(agent):
    agent.up()
    call = only(agent.command(transition("CONFIGURE")), CallOcc)
    assert [r.state for r in reports(agent.feed(StateSeen, task_id="t1", state="ERROR"))] == ["ERROR"]
    assert results(agent.replied(call.call_id, "ERROR", "failed")) == [("t1", "ERROR", "failed")]
    assert agent.feed(StateSeen, task_id="t1", state="ERROR") == []


def test_device_events_are_passed_on(agent):
    agent.up()
    event = only(agent.feed(OccEvent, task_id="t1", type=1), Send).report.events[0]
    assert (event.task_id, event.environment_id, event.type, event.termination) == ("t1", "env", 1, None)


def test_the_unasked_end_of_an_active_task_is_reported_with_its_exit(agent):
    agent.up()
    agent.up("t2")
    (clean,) = reports(agent.exited(exit_code=0))
    (killed,) = reports(agent.exited("t2", exit_code=None, signal=9))
    assert (clean.phase, clean.final_status, clean.exit_code, clean.state) == (Phase.ENDED, "TASK_FINISHED", 0, "DONE")
    assert (killed.final_status, killed.signal, killed.error) == ("TASK_FAILED", 9, "killed by signal 9 (SIGKILL)")


# ---- kill ladder -----------------------------------------------------------------------------


def test_the_ladder_walks_down_and_ends_with_the_exit(agent):
    agent.up()
    query = only(agent.command(Kill(command_id="k", task_ids=("t1",))), QueryOcc)
    out = agent.replied(query.call_id, "RUNNING", pid=101)
    for state, event, after in (
        ("RUNNING", "STOP", "CONFIGURED"),
        ("CONFIGURED", "RESET", "STANDBY"),
        ("STANDBY", "EXIT", "DONE"),
    ):
        call = only(out, CallOcc)
        assert (call.source, call.event, call.destination, call.timeout_s) == (state, event, after, 5.0)
        out = agent.replied(call.call_id, after)
    assert out == [CloseOcc("t1"), StartTimer("ladder:t1", 1.0)]
    out = agent.exited(exit_code=None, signal=6)
    assert out[0] == StopTimer("ladder:t1")
    assert reports(out)[0].final_status == "TASK_FINISHED"
    assert results(out) == [("t1", "DONE", "")]


def test_a_task_that_ends_before_its_answer_to_exit_has_finished(agent):
    agent.up()
    query = only(agent.command(Kill(command_id="k", task_ids=("t1",))), QueryOcc)
    agent.replied(query.call_id, "STANDBY")
    assert reports(agent.exited(exit_code=0))[0].final_status == "TASK_FINISHED"


def test_signals_follow_by_timer_and_only_sigkill_goes_to_the_whole_group(agent):
    agent.up()
    query = only(agent.command(Kill(command_id="k", task_ids=("t1",))), QueryOcc)
    out = agent.replied(query.call_id, error="GetState timed out")
    assert out == [CloseOcc("t1"), Signal("t1", SIGTERM, 101), StartTimer("ladder:t1", 2.0)]
    assert agent.fire("ladder:t1") == [Signal("t1", SIGINT, 101), StartTimer("ladder:t1", 3.0)]
    assert agent.fire("ladder:t1") == [Signal("t1", SIGKILL, 0), StartTimer("ladder:t1", 5.0)]
    out = agent.exited(exit_code=None, signal=9)
    assert [(r.final_status, r.state) for r in reports(out)] == [("TASK_KILLED", "")]
    assert results(out) == [("t1", "", "")]


def test_a_process_that_survives_sigkill_is_told(agent):
    agent.up()
    query = only(agent.command(Kill(command_id="k", task_ids=("t1",))), QueryOcc)
    agent.replied(query.call_id, error="x")
    for _ in range(2):
        agent.fire("ladder:t1")
    assert results(agent.fire("ladder:t1")) == [("t1", "STANDBY", "process 100 is still there after SIGKILL")]
    again = agent.command(Kill(command_id="k2", task_ids=("t1",)))
    assert results(again) == [("t1", "STANDBY", "process 100 is still there after SIGKILL")]
    assert reports(agent.exited(exit_code=None, signal=9))[0].final_status == "TASK_KILLED"


def test_a_step_that_fails_leads_to_signals(agent):
    agent.up()
    query = only(agent.command(Kill(command_id="k", task_ids=("t1",))), QueryOcc)
    call = only(agent.replied(query.call_id, "RUNNING"), CallOcc)
    assert Signal("t1", SIGTERM, 101) in agent.replied(call.call_id, "ERROR", "STOP failed")


def test_a_task_can_be_killed_while_it_is_spawned_or_connected(agent):
    agent.launch(direct("t1"), direct("t2"))
    agent.feed(Spawned, task_id="t2", pid=200)
    out = agent.command(Kill(command_id="k", task_ids=("t1", "t2")))
    assert [i for i in out if isinstance(i, Signal)] == [Signal("t2", SIGTERM)]
    out = agent.feed(Spawned, task_id="t1", pid=100)
    assert out == [Signal("t1", SIGTERM), StartTimer("ladder:t1", 2.0)]
    agent.exited("t1", exit_code=None, signal=15)
    assert results(agent.exited("t2", exit_code=None, signal=15)) == [("t1", "", ""), ("t2", "", "")]


def test_kill_of_unknown_and_ended_tasks_is_answered_as_done(agent):
    agent.up()
    agent.exited(exit_code=0)
    out = agent.command(Kill(command_id="k", task_ids=("t1", "t9")))
    assert results(out) == [("t1", "DONE", ""), ("t9", "", "")]


def test_two_kills_of_one_task_climb_one_ladder_and_are_both_answered(agent):
    agent.up()
    agent.command(Kill(command_id="k1", task_ids=("t1",)))
    assert agent.command(Kill(command_id="k2", task_ids=("t1",))) == []
    out = agent.exited(exit_code=0)
    assert [reply.command_id for reply in replies(out)] == ["k1", "k2"]


def test_a_kill_answers_the_transition_that_it_interrupts(agent):
    agent.up()
    agent.command(transition("CONFIGURE"))
    agent.command(Kill(command_id="k", task_ids=("t1",)))
    out = agent.exited(exit_code=None, signal=15)
    assert {reply.command_id for reply in replies(out)} == {"c1", "k"}


# ---- basic and hook --------------------------------------------------------------------------


def test_a_basic_task_starts_at_start_and_is_killed_at_stop(agent):
    spec = local("basic")
    agent.launch(spec)
    configured = agent.command(transition("CONFIGURE"))
    assert results(configured) == [("t1", "CONFIGURED", "")]
    start = transition("START", source="CONFIGURED", destination="RUNNING", command_id="c2")
    assert agent.command(start)[0] == Spawn(spec)
    out = agent.feed(Spawned, task_id="t1", pid=100)
    assert results(out) == [("t1", "RUNNING", "")]
    assert reports(out)[0].pid == 100
    stop = agent.command(transition("STOP", source="RUNNING", command_id="c3"))
    assert stop == [Signal("t1", SIGKILL), StartTimer("command:c3", 9.0)]
    out = agent.exited(exit_code=None, signal=9)
    assert results(out) == [("t1", "CONFIGURED", "")]
    end = termination(out)
    assert (end.voluntary, end.final_status) == (False, "TASK_KILLED")
    assert [(one.state, one.signal, one.final_status) for one in reports(out)] == [("CONFIGURED", 9, "")]


def test_a_basic_task_whose_process_does_not_start_stays_configured(agent):
    agent.launch(local("basic"))
    agent.command(transition("CONFIGURE"))
    agent.command(transition("START", source="CONFIGURED", destination="RUNNING", command_id="c2"))
    out = agent.feed(SpawnFailed, task_id="t1", error="command not found")
    assert results(out) == [("t1", "CONFIGURED", "command not found")]


def test_a_basic_process_that_ends_by_itself_leaves_the_task_active(agent):
    agent.launch(local("basic"))
    agent.command(transition("START", source="CONFIGURED", destination="RUNNING"))
    agent.feed(Spawned, task_id="t1", pid=100)
    out = agent.exited(exit_code=3, stdout="o", stderr="e")
    end = termination(out)
    assert [(one.phase, one.exit_code) for one in reports(out)] == [(Phase.ACTIVE, 3)]
    assert (end.exit_code, end.stdout, end.stderr, end.voluntary, end.final_status) == (
        3,
        "o",
        "e",
        True,
        "TASK_FAILED",
    )
    out = agent.command(transition("STOP", source="RUNNING", command_id="c2"))
    assert results(out) == [("t1", "CONFIGURED", "")]


def test_a_hook_is_answered_as_it_has_started_and_told_as_it_has_ended(agent):
    spec = local("hook", timeout_s=5)
    agent.launch(spec)
    assert agent.command(TriggerHooks(command_id="h", environment_id="env", task_ids=("t1",))) == [Spawn(spec)]
    out = agent.feed(Spawned, task_id="t1", pid=100)
    assert results(out) == [("t1", "STANDBY", "")]
    assert StartTimer("run:t1", 5) in out
    out = agent.fire("run:t1")
    assert out == [Signal("t1", SIGKILL)]
    end = termination(agent.exited(exit_code=None, signal=9))
    assert (end.exit_code, end.voluntary, end.final_status) == (-1, True, "TASK_FAILED")


def test_a_trigger_that_cannot_be_is_answered_with_the_reason(agent):
    agent.launch(local("hook", "t1"), local("basic", "t2"))
    agent.command(TriggerHooks(command_id="h1", environment_id="env", task_ids=("t1",)))
    agent.feed(Spawned, task_id="t1", pid=100)
    out = agent.command(TriggerHooks(command_id="h2", environment_id="env", task_ids=("t1", "t2", "t3")))
    assert results(out) == [
        ("t1", "STANDBY", "task t1 runs already as process 100"),
        ("t2", "STANDBY", "task t2 is a basic task, only hooks can be triggered"),
        ("t3", "", "task t3 is not known to this executor"),
    ]


@pytest.mark.parametrize("mode", ["basic", "hook"])
def test_kill_of_a_basic_or_hook_task_kills_its_group_and_ends_it(agent, mode):
    agent.launch(local(mode), local(mode, "t2"))
    if mode == "basic":
        agent.command(transition("START"))
    else:
        agent.command(TriggerHooks(command_id="h", environment_id="env", task_ids=("t1",)))
    agent.feed(Spawned, task_id="t1", pid=100)
    out = agent.command(Kill(command_id="k", task_ids=("t1", "t2")))
    assert Signal("t1", SIGKILL) in out
    assert [(r.task_id, r.final_status) for r in reports(out)] == [("t2", "TASK_FINISHED")]
    out = agent.exited(exit_code=None, signal=9)
    assert [(r.task_id, r.final_status) for r in reports(out)] == [("t1", "TASK_KILLED")]
    assert [task_id for task_id, _, _ in results(out)] == ["t1", "t2"]


# ---- link, lease, end ------------------------------------------------------------------------


def test_a_hello_tells_every_task_until_it_is_forgotten(agent):
    agent.up("t1")
    agent.up("t2")
    agent.exited("t2", exit_code=None, signal=9)
    assert agent.feed(LinkDown) == []
    hello = only(agent.feed(LinkUp), Send).report
    assert isinstance(hello, Hello)
    assert (hello.host, hello.instance, hello.pid) == ("flp001", "i1", 7)
    assert [(t.task_id, t.phase, t.signal) for t in hello.tasks] == [("t1", Phase.ACTIVE, None), ("t2", Phase.ENDED, 9)]
    agent.command(Forget(task_ids=("t1", "t2", "t3")))
    assert [t.task_id for t in only(agent.feed(LinkUp), Send).report.tasks] == ["t1"]
    assert agent.feed(StateSeen, task_id="t2", state="DONE") == []


def test_a_ping_is_answered(agent):
    assert agent.command(Ping(sent_ms=5)) == [Send(Pong(sent_ms=5))]


def test_metrics_of_known_tasks_are_sent_on(agent):
    agent.up()
    known, unknown = (MetricSample(task_id=t, name="rate", value=1.0, unit="B/s") for t in ("t1", "t2"))
    assert only(agent.feed(MetricsSampled, samples=(known, unknown)), Send).report == MetricSamples(
        samples=(known,), timestamp_ms=agent.now_ms
    )


def test_without_a_word_from_the_core_the_lease_ends_all_tasks_and_the_executor(agent):
    agent.launch(local("hook", "h1"))
    agent.up()
    assert agent.command(Welcome(core_epoch="1", lease_s=2.0)) == [StartTimer("lease", 2.0)]
    agent.now_ms += 1500
    agent.command(Ping(sent_ms=1))
    agent.now_ms += 500
    (again,) = agent.fire("lease")
    assert isinstance(again, StartTimer) and 1.4 < again.after_s < 1.6
    agent.now_ms += 1600
    out = agent.fire("lease")
    assert only(out, QueryOcc).task_id == "t1"
    assert [r.task_id for r in reports(out)] == ["h1"]
    assert agent.exited(exit_code=0)[-1] == Exit(0)


def test_time_in_which_the_executor_did_not_run_does_not_count_for_the_lease(agent):
    agent.up()
    agent.command(Welcome(core_epoch="1", lease_s=2.0))
    agent.now_ms += 60_000
    agent.feed(Paused, for_ms=59_000)
    (again,) = agent.fire("lease")
    assert isinstance(again, StartTimer) and 0.9 < again.after_s < 1.1


def test_a_lease_of_zero_is_none(agent):
    agent.command(Welcome(core_epoch="1", lease_s=2.0))
    assert agent.command(Welcome(core_epoch="2", lease_s=0.0)) == [StopTimer("lease")]


def test_a_shutdown_with_tasks_ends_them_first_and_refuses_new_ones(agent):
    agent.up()
    assert only(agent.command(Shutdown(kill_tasks=True)), QueryOcc)
    assert reports(agent.launch(direct("t2")))[0].error == "this executor is ending"
    out = agent.exited(exit_code=0)
    assert reports(out)[0].task_id == "t1"
    assert out[-1] == Exit(0)


def test_a_shutdown_of_an_empty_executor_ends_it_at_once(agent):
    assert agent.command(Shutdown(kill_tasks=True)) == [Exit(0)]


def test_the_second_termination_kills_at_once(agent):
    agent.up()
    assert only(agent.feed(Terminated), QueryOcc)
    out = agent.feed(Terminated)
    assert Signal("t1", SIGKILL) in out
    assert agent.exited(exit_code=None, signal=9)[-1] == Exit(0)


def test_an_executor_that_cannot_kill_a_process_ends_with_code_1(agent):
    agent.up()
    agent.feed(Terminated)
    agent.feed(Terminated)
    assert agent.fire("ladder:t1")[-1] == Exit(1)


def test_results_name_their_task_once_even_if_the_command_names_it_twice(agent):
    agent.up()
    call = only(agent.command(transition("CONFIGURE", "t1", "t1")), CallOcc)
    assert replies(agent.replied(call.call_id, "CONFIGURED"))[0].results == (
        TaskResult(task_id="t1", state="CONFIGURED", error=""),
    )
