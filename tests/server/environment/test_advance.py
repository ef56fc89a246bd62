"""One environment, decided stimulus by stimulus: order of work, failures, reactions, ends."""

from __future__ import annotations

import pytest
from environment_world import World, call, group, task, variables

from server.environment import stimuli as happened
from server.environment.advance import advance
from server.environment.environment import Environment
from server.environment.instructions import encode


def demo(*more: object, **values: object) -> World:
    return World(group("demo", task("source"), task("sink"), *more), **values)  # type: ignore[arg-type]


def test_creation_deploys_and_configures_and_answers() -> None:
    world = demo().create()
    assert world.state == "CONFIGURED"
    assert [(reply.request_id, reply.error) for reply in world.replies] == [("create", "")]
    assert [command.event for command in world.commands] == ["CONFIGURE"]
    assert world.commands[0].with_properties


def test_moments_follow_each_other_in_the_order_of_aliecs() -> None:
    world = demo().create()
    world.said.clear()
    world.ask("START_ACTIVITY")
    steps = [step for _, step, message in world.said if message == "transition step starting"]
    assert steps == [
        "before_START_ACTIVITY",
        "leave_CONFIGURED",
        "tasks_START_ACTIVITY",
        "enter_RUNNING",
        "after_START_ACTIVITY",
    ]
    assert world.said[0] == ("START_ACTIVITY", "", "transition starting")
    assert world.said[-1] == ("START_ACTIVITY", "", "transition completed successfully")


def test_a_whole_run_sets_and_clears_its_variables() -> None:
    world = demo().create()
    world.ask("START_ACTIVITY")
    assert world.state == "RUNNING"
    assert variables(world)["run_number"] == variables(world)["runNumber"] == "1"
    assert world.commands[-1].arguments["runNumber"] == "1"
    assert variables(world)["run_end_time_ms"] == ""
    world.ask("STOP_ACTIVITY")
    assert world.state == "CONFIGURED"
    assert "run_number" not in variables(world)
    assert variables(world)["last_run_number"] == "1"
    assert int(variables(world)["run_end_completion_time_ms"]) >= int(variables(world)["run_end_time_ms"]) > 0
    assert variables(world)["__fmq_cleanup_count"] == "1"
    runs = [
        (event.transition, event.transition_status.name)
        for event in world.events
        if hasattr(event, "run_number") and not hasattr(event, "message")
    ]
    assert runs == [
        ("START_ACTIVITY", "STARTED"),
        ("START_ACTIVITY", "DONE_OK"),
        ("STOP_ACTIVITY", "STARTED"),
        ("STOP_ACTIVITY", "DONE_OK"),
    ]


def test_hooks_run_by_weight_and_negative_ones_before_the_run_number() -> None:
    world = demo(
        call("b", "before_START_ACTIVITY+10", func="p.b()"),
        call("a", "before_START_ACTIVITY-5", func="p.a()"),
        call("c", "before_START_ACTIVITY", func="p.c()"),
        task("h", trigger="before_START_ACTIVITY+10"),
    ).create()
    world.ask("START_ACTIVITY")
    assert world.calls == ["p.a()", "p.c()", "p.b()", "hook demo.h"]


def test_a_call_is_judged_where_it_is_awaited() -> None:
    world = demo(
        call("slow", "before_START_ACTIVITY", await_="after_START_ACTIVITY+5", func="p.slow()"),
        fail=[("call", "p.slow()")],
    )
    world.create().ask("START_ACTIVITY")
    assert world.state == "ERROR"
    steps = [step for transition, step, _ in world.said if transition == "START_ACTIVITY"]
    assert "enter_RUNNING" in steps, "the failure counted only after RUNNING was reached"


def test_an_await_later_in_the_same_group_is_met() -> None:
    world = demo(call("x", "before_CONFIGURE+1", await_="before_CONFIGURE+7")).create()
    assert world.state == "CONFIGURED"
    assert not world.environment.calls


def test_critical_failure_before_the_move_cancels_it_and_leads_to_error() -> None:
    world = demo(call("guard", "before_START_ACTIVITY", func="p.guard()"), fail=[("call", "p.guard()")]).create()
    reply = world.ask("START_ACTIVITY")
    assert reply.error == "", "a failed transition that reached ERROR is answered OK"
    assert world.state == "ERROR"
    assert not [command for command in world.commands if command.event == "START"]
    assert ("", "", "a critical error occurred, GO_ERROR transition imminent") in world.said
    fault = world.environment.fault
    assert fault and fault.role == "demo.guard" and "it failed" in fault.cause


def test_failure_of_what_is_not_critical_changes_nothing() -> None:
    world = demo(
        call("extra", "before_START_ACTIVITY", critical=False, func="p.extra()"),
        task("monitor", critical=False),
        fail=[("call", "p.extra()"), ("command", "START", "demo.monitor")],
    ).create()
    world.ask("START_ACTIVITY")
    assert world.state == "RUNNING"
    assert world.environment.fault is None
    assert world.environment.tree.root.state.value == "RUNNING"


def test_a_failed_command_of_a_critical_task_names_it() -> None:
    world = demo(fail=[("command", "START", "demo.sink")]).create()
    world.ask("START_ACTIVITY")
    assert world.state == "ERROR"
    fault = world.environment.fault
    assert fault and (fault.task, fault.host, fault.role) == ("sink", "flp002", "demo.sink")
    assert [command.event for command in world.commands][-1] == "STOP", "GO_ERROR stops what runs"


def test_a_hook_task_that_fails_or_is_silent_cancels() -> None:
    for fail, text in ((("hook", "demo.h"), "exit code 3"), (("silent hook", "demo.h"), "timed out after 2s")):
        world = demo(task("h", trigger="before_START_ACTIVITY", timeout="2s"), fail=[fail]).create()
        world.ask("START_ACTIVITY")
        if fail[0] == "silent hook":
            assert world.state == "CONFIGURED"
            world.fire(f"hook:{world.task_of('demo.h')}")
        assert world.state == "ERROR"
        assert world.environment.fault and text in world.environment.fault.cause


def test_death_of_a_critical_task_while_running_is_told_at_once_and_leads_to_error() -> None:
    world = demo().create()
    world.ask("START_ACTIVITY")
    world.kill_task("demo.sink")
    fault = world.environment.fault
    assert world.state == "RUNNING" and world.environment.tree.root.state.value == "ERROR"
    assert fault and fault.host == "flp002" and "signal 9" in fault.what and "critical" in fault.what
    world.fire("go_error")
    assert world.state == "ERROR"
    assert world.environment.run_number == 0 and world.environment.last_run_number == 1


def test_death_of_a_task_that_is_not_critical_is_no_reason() -> None:
    world = World(group("demo", task("source"), task("monitor", critical=False))).create()
    world.ask("START_ACTIVITY")
    world.kill_task("demo.monitor")
    assert not world.timers and world.state == "RUNNING" and world.environment.fault is None


def test_an_illegal_request_is_refused_and_changes_nothing() -> None:
    world = demo().create()
    reply = world.ask("STOP_ACTIVITY")
    assert reply.reason == "ILLEGAL_TRANSITION" and "needs RUNNING" in reply.error
    assert world.state == "CONFIGURED" and world.environment.is_idle


def test_a_request_during_a_transition_is_refused_and_names_it() -> None:
    world = demo(fail=[("silent", "NewRunNumber")]).create()
    world.ask("START_ACTIVITY")
    reply = world.ask("RESET")
    assert reply.reason == "TRANSITION_RUNNING" and "START_ACTIVITY is in progress" in reply.error


def test_a_run_number_that_cannot_be_had_cancels_the_start() -> None:
    world = demo(fail=[("run number",)]).create()
    world.ask("START_ACTIVITY")
    assert world.state == "ERROR"
    assert not [command for command in world.commands if command.event == "START"]


def test_what_cannot_be_deployed_is_torn_down_and_the_caller_learns_why() -> None:
    world = demo(fail=[("acquire", "demo.sink")]).create()
    (reply,) = world.replies
    assert reply.reason == "DEPLOYMENT_FAILED" and "no host flp009" in reply.error and "demo.sink" in reply.error
    assert world.environment.is_gone and world.killed == ("t1",)


def test_a_task_that_never_comes_up_fails_the_deployment_after_the_time_without_news() -> None:
    world = demo(fail=[("start", "demo.sink")]).create()
    assert world.state == "STANDBY" and not world.replies
    world.fire("deploy")
    assert "demo.sink" in world.replies[0].error and "no news for 90 s" in world.replies[0].error


def test_a_task_that_dies_while_deploying_fails_it_at_once() -> None:
    world = demo(fail=[("start", "demo.sink")]).create()
    world.change(
        "demo.sink", state="ERROR", status="INACTIVE", exit_code=3, error="ended with exit code 3: no such file"
    )
    assert world.environment.is_gone and "no such file" in world.replies[0].error


def test_what_is_not_critical_may_stay_away() -> None:
    world = World(
        group("demo", task("source"), task("monitor", critical=False)), fail=[("acquire", "demo.monitor")]
    ).create()
    assert world.state == "CONFIGURED"
    assert world.commands[0].task_ids == ("t1",)


def test_what_is_not_critical_is_waited_for_while_it_comes_up() -> None:
    world = World(
        group("demo", task("source"), task("monitor", critical=False)), fail=[("start", "demo.monitor")]
    ).create()
    world.change("demo.monitor", state="STANDBY", status="INACTIVE")
    assert world.state == "STANDBY"
    world.change("demo.monitor", status="ACTIVE")
    assert world.state == "CONFIGURED" and len(world.commands[0].task_ids) == 2


def test_what_is_not_critical_and_never_comes_up_is_given_up_in_the_end() -> None:
    world = World(
        group("demo", task("source"), task("monitor", critical=False)), fail=[("start", "demo.monitor")]
    ).create()
    world.fire("deploy")
    assert world.state == "CONFIGURED" and world.commands[0].task_ids == ("t1",)


def test_destroy_from_configured_resets_tears_down_and_kills() -> None:
    world = demo(call("bye", "DESTROY", func="p.bye()")).create()
    reply = world.destroy()
    assert reply.error == "" and reply.killed == ("t1", "t2")
    assert [command.event for command in world.commands] == ["CONFIGURE", "RESET"]
    assert world.calls == ["p.bye()"] and world.environment.is_gone
    assert set(world.released) == {"t1", "t2"}
    assert world.said[-1] == ("DESTROY", "after_DESTROY", "environment teardown complete")


def test_destroy_of_a_run_stops_it_first_when_allowed() -> None:
    world = demo().create()
    world.ask("START_ACTIVITY")
    world.destroy(allow_running=True)
    assert [command.event for command in world.commands] == ["CONFIGURE", "START", "STOP", "RESET"]


def test_destroy_of_a_run_without_leave_kills_it_and_closes_its_books() -> None:
    world = demo().create()
    world.ask("START_ACTIVITY")
    world.destroy()
    assert [command.event for command in world.commands] == ["CONFIGURE", "START"]
    assert [
        event.transition for event in world.events if hasattr(event, "transition") and event.transition == "TEARDOWN"
    ] == ["TEARDOWN"] * 2


def test_tasks_are_kept_when_asked() -> None:
    world = demo().create()
    world.destroy(keep_tasks=True)
    assert world.killed == () and set(world.released) == {"t1", "t2"}


def test_a_forced_destroy_cuts_into_a_hanging_transition() -> None:
    world = demo(fail=[("silent", "NewRunNumber")]).create()
    world.ask("START_ACTIVITY")
    reply = world.destroy(force=True)
    assert reply.error == "" and world.environment.is_gone
    interrupted = world.replies[-2]
    assert "interrupted" in interrupted.error


def test_a_destroy_without_force_waits_for_the_transition() -> None:
    world = demo(fail=[("silent", "NewRunNumber")]).create()
    world.ask("START_ACTIVITY")
    world.destroy(allow_running=True)
    assert not world.environment.is_gone
    world.fail.clear()
    for instruction in world.unanswered:
        for stimulus in world.answer(instruction):
            world.post(stimulus)
    assert world.environment.is_gone
    assert [command.event for command in world.commands] == ["CONFIGURE", "START", "STOP", "RESET"]


def test_a_destroy_that_waited_long_enough_is_answered_and_the_transition_goes_on() -> None:
    world = demo(fail=[("silent", "NewRunNumber")]).create()
    world.ask("START_ACTIVITY")
    world.destroy(allow_running=True)
    world.fire("destroy")
    assert world.replies[-1].reason == "TRANSITION_RUNNING" and "after 90 s" in world.replies[-1].error
    assert world.environment.busy_with == "START_ACTIVITY" and not world.environment.jobs


def test_the_end_of_all_data_stops_the_run() -> None:
    world = demo().create()
    world.ask("START_ACTIVITY")
    world.post(happened.DeviceReported(at_ms=world.tick(), task_id=world.task_of("demo.source"), type=1))
    assert world.state == "CONFIGURED"


def test_auto_stop_ends_the_run_as_the_timer() -> None:
    world = demo(user_vars={"auto_stop_enabled": "true", "auto_stop_timeout": "5s"}).create()
    world.ask("START_ACTIVITY")
    world.fire("auto_stop")
    assert world.state == "CONFIGURED" and world.environment.requester.name == "TIMER"


def test_an_automatic_environment_runs_and_goes_by_itself() -> None:
    world = demo(is_auto=True, user_vars={"auto_stop_enabled": "true", "auto_stop_timeout": "5s"}).create()
    assert world.state == "RUNNING"
    world.fire("auto_stop")
    assert world.environment.is_gone
    assert [command.event for command in world.commands] == ["CONFIGURE", "START", "STOP", "RESET"]


def test_calls_alone_deploy_and_a_call_without_trigger_is_told() -> None:
    assert World(group("calls", call("a", "before_CONFIGURE"))).create().state == "CONFIGURED"
    world = World(group("calls", call("a", ""))).create()
    assert "without trigger" in world.replies[0].error


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_replay_of_any_beginning_gives_the_same_record_and_the_rest_the_same_instructions(cut: int) -> None:
    world = demo(
        call("a", "before_START_ACTIVITY", await_="after_START_ACTIVITY"), task("h", trigger="enter_RUNNING")
    ).create()
    world.ask("START_ACTIVITY")
    world.kill_task("demo.sink")
    world.fire("go_error")
    lines = [happened.encode(stimulus) for stimulus in world.stimuli]
    again = Environment.begin(world.created)
    decided: list[bytes] = []
    for line in lines[:cut]:
        decided += [encode(one) for one in advance(again, happened.decode(line))]
    assert decided == world.decided[: len(decided)]
    for line in lines[cut:]:
        decided += [encode(one) for one in advance(again, happened.decode(line))]
    assert decided == world.decided
    assert again.state is world.environment.state and again.fault == world.environment.fault
