"""What the core asks for, pure: transitions, basic tasks and hooks; each command is answered once."""

from __future__ import annotations

from signal import SIGKILL

import pytest
from agent_driver import Driver, direct, local, only, replies, reports, results, termination, transition

from executor import stimuli
from executor.api.messages import CommandReply, Kill, Phase, Target, Transition, TriggerHooks
from executor.settings import Settings


def test_one_command_calls_all_tasks_and_gives_one_reply_at_the_last_answer(agent):
    for task_id in ("t1", "t2", "t3"):
        agent.up(task_id)
    command = transition("CONFIGURE", "t1", "t2", "t3", arguments={"a": "1"})
    out = agent.command(command)
    calls = [i for i in out if isinstance(i, stimuli.CallOcc)]
    assert [(c.task_id, c.source, c.event, c.destination, c.arguments, c.timeout_s) for c in calls] == [
        (t, "STANDBY", "CONFIGURE", "CONFIGURED", {"a": "1"}, 9.0) for t in ("t1", "t2", "t3")
    ]
    assert out[-1] == stimuli.StartTimer("command:c1", 9.0)
    assert agent.replied(calls[2].call_id, "CONFIGURED", task_id="t3") == []
    assert agent.replied(calls[0].call_id, "CONFIGURED") == []
    out = agent.replied(calls[1].call_id, "ERROR", "broken", task_id="t2")
    assert out[0] == stimuli.StopTimer("command:c1")
    assert results(out) == [("t1", "CONFIGURED", ""), ("t2", "ERROR", "broken"), ("t3", "CONFIGURED", "")]


def test_arguments_of_a_target_win_over_the_common_ones(agent):
    agent.up()
    command = Transition(
        command_id="c1", environment_id="env", event="CONFIGURE", source="STANDBY", destination="CONFIGURED", timeout_s=1,
        targets=(Target(task_id="t1", arguments={"b": "own"}),), arguments={"a": "1", "b": "2"},
    )  # fmt: skip
    assert only(agent.command(command), stimuli.CallOcc).arguments == {"a": "1", "b": "own"}


def test_a_command_without_targets_is_answered_at_once(agent):
    command = Transition(
        command_id="c1", environment_id="e", event="START", source="", destination="", targets=(), timeout_s=1
    )
    assert agent.command(command) == [stimuli.Send(CommandReply(command_id="c1", results=()))]


def test_a_command_without_a_timeout_gets_the_default_one(agent):
    agent.up()
    assert stimuli.StartTimer("command:c1", 120.0) in agent.command(transition("CONFIGURE", timeout_s=0))


def test_targets_that_cannot_go_are_answered_with_the_reason_and_the_others_go(agent):
    agent.up("t1")
    agent.launch(direct("t2"))
    agent.up("t3")
    agent.exited("t3", exit_code=None, signal=9)
    agent.up("t4")
    agent.command(Kill(command_id="k", task_ids=("t4",)))
    call = only(agent.command(transition("CONFIGURE", "t1", "t2", "t3", "t4", "t5")), stimuli.CallOcc)
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
    calls = [i for i in agent.command(transition("CONFIGURE", "t1", "t2")) if isinstance(i, stimuli.CallOcc)]
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
    call = only(agent.command(command), stimuli.CallOcc)
    assert agent.command(command) == []
    first = replies(agent.replied(call.call_id, "CONFIGURED"))
    assert replies(agent.command(command)) == first
    assert agent.command(command) == [stimuli.Send(first[0])]


def test_a_reply_tells_the_states_of_the_moment_in_which_it_is_sent(agent):
    agent.up()
    agent.up("t2")
    calls = [i for i in agent.command(transition("CONFIGURE", "t1", "t2")) if isinstance(i, stimuli.CallOcc)]
    agent.replied(calls[0].call_id, "CONFIGURED")
    agent.feed(stimuli.StateSeen, task_id="t1", state="CONFIGURED")
    agent.feed(stimuli.StateSeen, task_id="t1", state="ERROR")
    out = agent.replied(calls[1].call_id, "CONFIGURED", task_id="t2")
    assert results(out) == [("t1", "ERROR", ""), ("t2", "CONFIGURED", "")]
    agent.feed(stimuli.StateSeen, task_id="t2", state="CONFIGURED")
    agent.feed(stimuli.StateSeen, task_id="t2", state="STANDBY")
    again = agent.command(transition("CONFIGURE", "t1", "t2"))
    assert results(again) == [("t1", "ERROR", ""), ("t2", "STANDBY", "")]


def test_a_task_that_moved_without_answering_in_time_is_where_its_stream_said(agent):
    agent.up()
    call = only(agent.command(transition("CONFIGURE")), stimuli.CallOcc)
    agent.feed(stimuli.StateSeen, task_id="t1", state="CONFIGURED")
    assert results(agent.replied(call.call_id, error="CONFIGURE timed out")) == [
        ("t1", "CONFIGURED", "CONFIGURE timed out")
    ]
    assert [r.state for r in reports(agent.feed(stimuli.StateSeen, task_id="t1", state="STANDBY"))] == ["STANDBY"]


def test_a_task_that_moved_on_before_its_reply_arrived_is_where_it_moved_to(agent):
    """Its states come another way than its reply, and sooner if it fails as soon as it has done what it was asked for."""
    for task_id, then in (("t1", "ERROR"), ("t2", "STANDBY")):
        agent.up(task_id)
        call = only(agent.command(transition("CONFIGURE", task_id, command_id=task_id)), stimuli.CallOcc)
        for state in ("CONFIGURED", then):
            agent.feed(stimuli.StateSeen, task_id=task_id, state=state)
        assert results(agent.replied(call.call_id, "CONFIGURED", task_id=task_id)) == [(task_id, then, "")]
        assert agent.agent.tasks[task_id].state == then
        assert [r.state for r in reports(agent.feed(stimuli.StateSeen, task_id=task_id, state="RUNNING"))] == [
            "RUNNING"
        ]


def test_only_a_bounded_number_of_replies_is_remembered():
    agent = Driver(Settings(remembered_replies=2))
    for number in range(4):
        agent.command(transition("START", "nobody", command_id=f"c{number}"))
    orders = agent.agent._orders
    assert [orders.reply(f"c{number}") is not None for number in range(4)] == [False, False, True, True]


def test_a_broken_connection_waits_for_the_end_of_the_process_to_tell_the_cause(agent):
    agent.up()
    call = only(agent.command(transition("CONFIGURE")), stimuli.CallOcc)
    out = agent.replied(call.call_id, error="Socket closed", lost=True)
    assert out == [stimuli.StartTimer(f"lost:{call.call_id}", 3.0)]
    out = agent.exited(exit_code=None, signal=11)
    assert results(out) == [("t1", "STANDBY", "ended during CONFIGURE: killed by signal 11 (SIGSEGV)")]
    assert reports(out)[0].final_status == "TASK_FAILED"
    assert agent.fire(f"lost:{call.call_id}") == []


def test_a_broken_connection_of_a_living_process_is_told_as_such(agent):
    agent.up()
    call = only(agent.command(transition("CONFIGURE")), stimuli.CallOcc)
    agent.replied(call.call_id, error="Socket closed", lost=True)
    assert results(agent.fire(f"lost:{call.call_id}")) == [("t1", "STANDBY", "Socket closed")]


def test_a_basic_task_starts_at_start_and_is_killed_at_stop(agent):
    spec = local("basic")
    agent.launch(spec)
    configured = agent.command(transition("CONFIGURE"))
    assert results(configured) == [("t1", "CONFIGURED", "")]
    start = transition("START", source="CONFIGURED", destination="RUNNING", command_id="c2")
    assert agent.command(start)[0] == stimuli.Spawn(spec)
    out = agent.feed(stimuli.Spawned, task_id="t1", pid=100)
    assert results(out) == [("t1", "RUNNING", "")]
    assert reports(out)[0].pid == 100
    stop = agent.command(transition("STOP", source="RUNNING", command_id="c3"))
    assert stop == [stimuli.Signal("t1", SIGKILL), stimuli.StartTimer("command:c3", 9.0)]
    out = agent.exited(exit_code=None, signal=9)
    assert results(out) == [("t1", "CONFIGURED", "")]
    end = termination(out)
    assert (end.voluntary, end.final_status) == (False, "TASK_KILLED")
    assert [(one.state, one.signal, one.final_status) for one in reports(out)] == [("CONFIGURED", 9, "")]


def test_a_basic_task_whose_process_does_not_start_stays_configured(agent):
    agent.launch(local("basic"))
    agent.command(transition("CONFIGURE"))
    agent.command(transition("START", source="CONFIGURED", destination="RUNNING", command_id="c2"))
    out = agent.feed(stimuli.SpawnFailed, task_id="t1", error="command not found")
    assert results(out) == [("t1", "CONFIGURED", "command not found")]


def test_a_basic_process_that_ends_by_itself_leaves_the_task_active(agent):
    agent.launch(local("basic"))
    agent.command(transition("START", source="CONFIGURED", destination="RUNNING"))
    agent.feed(stimuli.Spawned, task_id="t1", pid=100)
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
    assert agent.command(TriggerHooks(command_id="h", environment_id="env", task_ids=("t1",))) == [stimuli.Spawn(spec)]
    out = agent.feed(stimuli.Spawned, task_id="t1", pid=100)
    assert results(out) == [("t1", "STANDBY", "")]
    assert stimuli.StartTimer("run:t1", 5) in out
    out = agent.fire("run:t1")
    assert out == [stimuli.Signal("t1", SIGKILL)]
    end = termination(agent.exited(exit_code=None, signal=9))
    assert (end.exit_code, end.voluntary, end.final_status) == (-1, True, "TASK_FAILED")


def test_a_trigger_that_cannot_be_is_answered_with_the_reason(agent):
    agent.launch(local("hook", "t1"), local("basic", "t2"))
    agent.command(TriggerHooks(command_id="h1", environment_id="env", task_ids=("t1",)))
    agent.feed(stimuli.Spawned, task_id="t1", pid=100)
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
    agent.feed(stimuli.Spawned, task_id="t1", pid=100)
    out = agent.command(Kill(command_id="k", task_ids=("t1", "t2")))
    assert stimuli.Signal("t1", SIGKILL) in out
    assert [(r.task_id, r.final_status) for r in reports(out)] == [("t2", "TASK_FINISHED")]
    out = agent.exited(exit_code=None, signal=9)
    assert [(r.task_id, r.final_status) for r in reports(out)] == [("t1", "TASK_KILLED")]
    assert [task_id for task_id, _, _ in results(out)] == ["t1", "t2"]
