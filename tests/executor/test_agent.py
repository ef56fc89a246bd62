"""The Agent as a pure state machine: its link, its lease and its own end."""

from __future__ import annotations

from signal import SIGKILL

from agent_driver import direct, local, only, replies, reports, transition

from executor import stimuli
from executor.api.messages import (
    Forget,
    Hello,
    MetricSample,
    MetricSamples,
    Phase,
    Ping,
    Pong,
    Shutdown,
    TaskResult,
    Welcome,
)


def test_a_hello_tells_every_task_until_it_is_forgotten(agent):
    agent.up("t1")
    agent.up("t2")
    agent.exited("t2", exit_code=None, signal=9)
    assert agent.feed(stimuli.LinkDown) == []
    hello = only(agent.feed(stimuli.LinkUp), stimuli.Send).report
    assert isinstance(hello, Hello)
    assert (hello.host, hello.instance, hello.pid) == ("flp001", "i1", 7)
    assert [(t.task_id, t.phase, t.signal) for t in hello.tasks] == [("t1", Phase.ACTIVE, None), ("t2", Phase.ENDED, 9)]
    agent.command(Forget(task_ids=("t1", "t2", "t3")))
    assert [t.task_id for t in only(agent.feed(stimuli.LinkUp), stimuli.Send).report.tasks] == ["t1"]
    assert agent.feed(stimuli.StateSeen, task_id="t2", state="DONE") == []


def test_a_ping_is_answered(agent):
    assert agent.command(Ping(sent_ms=5)) == [stimuli.Send(Pong(sent_ms=5))]


def test_metrics_of_known_tasks_are_sent_on(agent):
    agent.up()
    known, unknown = (MetricSample(task_id=t, name="rate", value=1.0, unit="B/s") for t in ("t1", "t2"))
    assert only(agent.feed(stimuli.MetricsSampled, samples=(known, unknown)), stimuli.Send).report == MetricSamples(
        samples=(known,), timestamp_ms=agent.now_ms
    )


def test_without_a_word_from_the_core_the_lease_ends_all_tasks_and_the_executor(agent):
    agent.launch(local("hook", "h1"))
    agent.up()
    assert agent.command(Welcome(core_epoch="1", lease_s=2.0)) == [stimuli.StartTimer("lease", 2.0)]
    agent.now_ms += 1500
    agent.command(Ping(sent_ms=1))
    agent.now_ms += 500
    (again,) = agent.fire("lease")
    assert isinstance(again, stimuli.StartTimer) and 1.4 < again.after_s < 1.6
    agent.now_ms += 1600
    out = agent.fire("lease")
    assert only(out, stimuli.QueryOcc).task_id == "t1"
    assert [r.task_id for r in reports(out)] == ["h1"]
    assert agent.exited(exit_code=0)[-1] == stimuli.Exit(0)


def test_time_in_which_the_executor_did_not_run_does_not_count_for_the_lease(agent):
    agent.up()
    agent.command(Welcome(core_epoch="1", lease_s=2.0))
    agent.now_ms += 60_000
    agent.feed(stimuli.Paused, for_ms=59_000)
    (again,) = agent.fire("lease")
    assert isinstance(again, stimuli.StartTimer) and 0.9 < again.after_s < 1.1


def test_a_lease_of_zero_is_none(agent):
    agent.command(Welcome(core_epoch="1", lease_s=2.0))
    assert agent.command(Welcome(core_epoch="2", lease_s=0.0)) == [stimuli.StopTimer("lease")]


def test_a_shutdown_with_tasks_ends_them_first_and_refuses_new_ones(agent):
    agent.up()
    assert only(agent.command(Shutdown(kill_tasks=True)), stimuli.QueryOcc)
    assert reports(agent.launch(direct("t2")))[0].error == "this executor is ending"
    out = agent.exited(exit_code=0)
    assert reports(out)[0].task_id == "t1"
    assert out[-1] == stimuli.Exit(0)


def test_a_shutdown_of_an_empty_executor_ends_it_at_once(agent):
    assert agent.command(Shutdown(kill_tasks=True)) == [stimuli.Exit(0)]


def test_the_second_termination_kills_at_once(agent):
    agent.up()
    assert only(agent.feed(stimuli.Terminated), stimuli.QueryOcc)
    out = agent.feed(stimuli.Terminated)
    assert stimuli.Signal("t1", SIGKILL, 101) in out
    assert agent.exited(exit_code=None, signal=9)[-1] == stimuli.Exit(0)


def test_an_executor_that_cannot_kill_a_process_ends_with_code_1(agent):
    agent.up()
    agent.feed(stimuli.Terminated)
    agent.feed(stimuli.Terminated)
    assert agent.fire("ladder:t1")[-1] == stimuli.Exit(1)


def test_results_name_their_task_once_even_if_the_command_names_it_twice(agent):
    agent.up()
    call = only(agent.command(transition("CONFIGURE", "t1", "t1")), stimuli.CallOcc)
    assert replies(agent.replied(call.call_id, "CONFIGURED"))[0].results == (
        TaskResult(task_id="t1", state="CONFIGURED", error=""),
    )
