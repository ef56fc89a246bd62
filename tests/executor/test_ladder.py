"""How tasks are ended, pure: step by step, each in its time."""

from __future__ import annotations

from signal import SIGINT, SIGKILL, SIGTERM

from agent_driver import direct, only, replies, reports, results, transition

from executor import stimuli
from executor.api.messages import Kill


def test_the_ladder_walks_down_and_ends_with_the_exit(agent):
    agent.up()
    query = only(agent.command(Kill(command_id="k", task_ids=("t1",))), stimuli.QueryOcc)
    out = agent.replied(query.call_id, "RUNNING", pid=101)
    for state, event, after in (
        ("RUNNING", "STOP", "CONFIGURED"),
        ("CONFIGURED", "RESET", "STANDBY"),
        ("STANDBY", "EXIT", "DONE"),
    ):
        call = only(out, stimuli.CallOcc)
        assert (call.source, call.event, call.destination, call.timeout_s) == (state, event, after, 5.0)
        out = agent.replied(call.call_id, after)
    assert out == [stimuli.CloseOcc("t1"), stimuli.StartTimer("ladder:t1", 1.0)]
    out = agent.exited(exit_code=None, signal=6)
    assert out[0] == stimuli.StopTimer("ladder:t1")
    assert reports(out)[0].final_status == "TASK_FINISHED"
    assert results(out) == [("t1", "DONE", "")]


def test_a_task_that_ends_before_its_answer_to_exit_has_finished(agent):
    agent.up()
    query = only(agent.command(Kill(command_id="k", task_ids=("t1",))), stimuli.QueryOcc)
    agent.replied(query.call_id, "STANDBY")
    assert reports(agent.exited(exit_code=0))[0].final_status == "TASK_FINISHED"


def test_signals_to_the_controlled_process_follow_by_timer(agent):
    agent.up()
    query = only(agent.command(Kill(command_id="k", task_ids=("t1",))), stimuli.QueryOcc)
    out = agent.replied(query.call_id, error="GetState timed out")
    assert out == [stimuli.CloseOcc("t1"), stimuli.Signal("t1", SIGTERM, 101), stimuli.StartTimer("ladder:t1", 2.0)]
    assert agent.fire("ladder:t1") == [stimuli.Signal("t1", SIGINT, 101), stimuli.StartTimer("ladder:t1", 3.0)]
    assert agent.fire("ladder:t1") == [stimuli.Signal("t1", SIGKILL, 101), stimuli.StartTimer("ladder:t1", 5.0)]
    out = agent.exited(exit_code=None, signal=9)
    assert [(r.final_status, r.state) for r in reports(out)] == [("TASK_KILLED", "")]
    assert results(out) == [("t1", "", "")]


def test_a_process_that_survives_sigkill_is_told(agent):
    agent.up()
    query = only(agent.command(Kill(command_id="k", task_ids=("t1",))), stimuli.QueryOcc)
    agent.replied(query.call_id, error="x")
    for _ in range(2):
        agent.fire("ladder:t1")
    assert results(agent.fire("ladder:t1")) == [("t1", "STANDBY", "process 100 is still there after SIGKILL")]
    again = agent.command(Kill(command_id="k2", task_ids=("t1",)))
    assert results(again) == [("t1", "STANDBY", "process 100 is still there after SIGKILL")]
    assert reports(agent.exited(exit_code=None, signal=9))[0].final_status == "TASK_KILLED"


def test_a_step_that_fails_leads_to_signals(agent):
    agent.up()
    query = only(agent.command(Kill(command_id="k", task_ids=("t1",))), stimuli.QueryOcc)
    call = only(agent.replied(query.call_id, "RUNNING"), stimuli.CallOcc)
    assert stimuli.Signal("t1", SIGTERM, 101) in agent.replied(call.call_id, "ERROR", "STOP failed")


def test_a_task_can_be_killed_while_it_is_spawned_or_connected(agent):
    agent.launch(direct("t1"), direct("t2"))
    agent.feed(stimuli.Spawned, task_id="t2", pid=200)
    out = agent.command(Kill(command_id="k", task_ids=("t1", "t2")))
    assert [i for i in out if isinstance(i, stimuli.Signal)] == [stimuli.Signal("t2", SIGTERM)]
    out = agent.feed(stimuli.Spawned, task_id="t1", pid=100)
    assert out == [stimuli.Signal("t1", SIGTERM), stimuli.StartTimer("ladder:t1", 2.0)]
    agent.exited("t1", exit_code=None, signal=15)
    assert results(agent.exited("t2", exit_code=None, signal=15)) == [("t1", "", ""), ("t2", "", "")]


def test_a_task_that_is_killed_at_once_while_it_is_spawned_is_not_asked_by_sigterm_either(agent):
    agent.launch(direct("t1"))
    assert agent.command(Kill(command_id="k1", task_ids=("t1",))) == []
    assert agent.command(Kill(command_id="k2", task_ids=("t1",), at_once=True)) == []
    out = agent.feed(stimuli.Spawned, task_id="t1", pid=100)
    assert out == [stimuli.Signal("t1", SIGKILL), stimuli.StartTimer("ladder:t1", 5.0)]
    out = agent.exited("t1", exit_code=None, signal=9)
    assert (reports(out)[0].final_status, len(replies(out))) == ("TASK_KILLED", 2)


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
