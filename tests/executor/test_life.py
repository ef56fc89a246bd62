"""The life of tasks, pure: how they start, and what they say by themselves."""

from __future__ import annotations

from signal import SIGTERM

import pytest
from agent_driver import direct, local, only, reports, results, transition
from msgspec.structs import replace

from executor import stimuli
from executor.api.messages import ControlMode, Kill, Phase


def test_a_direct_task_is_active_only_after_standby(agent):
    spec = direct()
    assert agent.launch(spec) == [stimuli.Spawn(spec)]
    assert agent.feed(stimuli.Spawned, task_id="t1", pid=100) == [
        stimuli.ConnectOcc("t1", 30000),
        stimuli.StartTimer("ready:t1", 45.0),
    ]
    assert agent.feed(stimuli.PortOpened, task_id="t1") == [stimuli.StartTimer("ready:t1", 30.0)]
    out = agent.feed(stimuli.Ready, task_id="t1", pid=101, state="STANDBY")
    assert out[0] == stimuli.StopTimer("ready:t1")
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
    out = agent.feed(stimuli.Spawned, task_id="t1", pid=100)
    assert out == [stimuli.ConnectOcc("t1", 30000), stimuli.StartTimer("ready:t1", 45.0)]
    agent.feed(stimuli.PortOpened, task_id="t1")
    assert reports(agent.feed(stimuli.Ready, task_id="t1", pid=101, state="STANDBY"))[0].phase is Phase.ACTIVE


def test_a_fairmq_task_without_control_port_is_refused(agent):
    out = agent.launch(replace(direct(control_port=0), mode=ControlMode.FAIRMQ))
    assert reports(out)[0].error == "a task in control mode fairmq needs a control port, none was given"


def test_a_fairmq_device_in_error_is_signalled_without_asking_it_to_end(agent):
    agent.launch(replace(direct(), mode=ControlMode.FAIRMQ))
    agent.feed(stimuli.Spawned, task_id="t1", pid=100)
    agent.feed(stimuli.Ready, task_id="t1", pid=101, state="STANDBY")
    (query,) = agent.command(Kill(command_id="k", task_ids=("t1",)))
    out = agent.replied(query.call_id, "ERROR", pid=101)
    assert out == [stimuli.CloseOcc("t1"), stimuli.Signal("t1", SIGTERM, 101), stimuli.StartTimer("ladder:t1", 2.0)]


def test_a_direct_task_without_a_control_port_is_refused(agent):
    assert reports(agent.launch(direct(control_port=0)))[0].error.endswith("needs a control port, none was given")
    out = agent.launch(direct("t2", control_port=65536))
    assert reports(out)[0].error.endswith("needs a control port, 65536 is none")


def test_a_spawn_that_fails_ends_the_task(agent):
    agent.launch(direct())
    out = agent.feed(stimuli.SpawnFailed, task_id="t1", error="command not found")
    assert [(r.phase, r.final_status, r.error, r.state) for r in reports(out)] == [
        (Phase.ENDED, "TASK_FAILED", "command not found", "ERROR")
    ]


def test_an_exit_before_standby_fails_the_task_with_how_it_ended_even_with_code_0(agent):
    agent.launch(direct())
    agent.feed(stimuli.Spawned, task_id="t1", pid=100)
    out = agent.exited(stderr="bind: address in use")
    assert stimuli.CloseOcc("t1") in out and stimuli.StopTimer("ready:t1") in out
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
    agent.feed(stimuli.Spawned, task_id="t1", pid=100)
    if opened:
        agent.feed(stimuli.PortOpened, task_id="t1")
    for trouble in troubles:
        assert agent.feed(stimuli.Unready, task_id="t1", why=trouble) == []
    out = agent.fire("ready:t1")
    assert out == [stimuli.CloseOcc("t1"), stimuli.Signal("t1", SIGTERM), stimuli.StartTimer("ladder:t1", 2.0)]
    (report,) = reports(agent.exited(exit_code=None, signal=15))
    assert (report.final_status, report.signal, report.error) == ("TASK_FAILED", 15, error)


def test_a_task_that_starts_in_a_wrong_state_is_ended_and_fails(agent):
    agent.launch(direct())
    agent.feed(stimuli.Spawned, task_id="t1", pid=100)
    out = agent.feed(stimuli.Ready, task_id="t1", pid=101, state="DONE")
    assert stimuli.Signal("t1", SIGTERM, 101) in out
    assert reports(agent.exited(exit_code=0))[0].error == "started in state DONE, expected STANDBY"


def test_a_task_whose_port_is_answered_by_somebody_else_is_ended_and_fails(agent):
    agent.launch(direct())
    agent.feed(stimuli.Spawned, task_id="t1", pid=100)
    agent.feed(stimuli.PortOpened, task_id="t1")
    out = agent.feed(stimuli.Ready, task_id="t1", pid=0, state="", error="it is somebody else's")
    assert out == [
        stimuli.StopTimer("ready:t1"),
        stimuli.CloseOcc("t1"),
        stimuli.Signal("t1", SIGTERM),
        stimuli.StartTimer("ladder:t1", 2.0),
    ]
    (report,) = reports(agent.exited(exit_code=None, signal=15))
    assert (report.final_status, report.error) == ("TASK_FAILED", "it is somebody else's")


def test_a_state_that_the_stream_repeats_late_changes_nothing(agent):
    agent.up()
    for event, state in (("CONFIGURE", "CONFIGURED"), ("START", "RUNNING")):
        call = only(agent.command(transition(event, command_id=event)), stimuli.CallOcc)
        agent.replied(call.call_id, state)
    assert agent.feed(stimuli.StateSeen, task_id="t1", state="CONFIGURED") == []
    assert agent.feed(stimuli.StateSeen, task_id="t1", state="RUNNING") == []
    assert agent.agent.tasks["t1"].state == "RUNNING"


def test_a_state_that_the_stream_tells_before_the_reply_is_not_taken_for_a_move_of_the_task(agent):
    agent.up()
    call = only(agent.command(transition("CONFIGURE")), stimuli.CallOcc)
    assert agent.feed(stimuli.StateSeen, task_id="t1", state="CONFIGURED") == []
    agent.replied(call.call_id, "CONFIGURED")
    assert [r.state for r in reports(agent.feed(stimuli.StateSeen, task_id="t1", state="STANDBY"))] == ["STANDBY"]


def test_an_error_by_stream_is_reported_at_once_also_during_a_transition(agent):
    agent.up()
    call = only(agent.command(transition("CONFIGURE")), stimuli.CallOcc)
    assert [r.state for r in reports(agent.feed(stimuli.StateSeen, task_id="t1", state="ERROR"))] == ["ERROR"]
    assert results(agent.replied(call.call_id, "ERROR", "failed")) == [("t1", "ERROR", "failed")]
    assert agent.feed(stimuli.StateSeen, task_id="t1", state="ERROR") == []


def test_device_events_are_passed_on(agent):
    agent.up()
    event = only(agent.feed(stimuli.OccEvent, task_id="t1", type=1), stimuli.Send).report.events[0]
    assert (event.task_id, event.environment_id, event.type, event.termination) == ("t1", "env", 1, None)


def test_the_unasked_end_of_an_active_task_is_reported_with_its_exit(agent):
    agent.up()
    agent.up("t2")
    (clean,) = reports(agent.exited(exit_code=0))
    (killed,) = reports(agent.exited("t2", exit_code=None, signal=9))
    assert (clean.phase, clean.final_status, clean.exit_code, clean.state) == (Phase.ENDED, "TASK_FINISHED", 0, "DONE")
    assert (killed.final_status, killed.signal, killed.error) == ("TASK_FAILED", 9, "killed by signal 9 (SIGKILL)")
