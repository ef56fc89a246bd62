"""The steps of a transition and the history of an environment, as clients see them."""

from __future__ import annotations

from environment_world import World, call, group, task

from server.api.model import OpStatus, Step, TransitionRecord
from server.environment.advance import advance
from server.environment.environment import Environment
from server.environment.progress import RECORDS_KEPT
from server.environment.stimuli import Requested, Requester

NULL, ONGOING, OK, ERROR = OpStatus.NULL, OpStatus.ONGOING, OpStatus.DONE_OK, OpStatus.DONE_ERROR
START_STEPS = [
    "before_START_ACTIVITY", "leave_CONFIGURED", "tasks_START_ACTIVITY", "enter_RUNNING", "after_START_ACTIVITY",
]  # fmt: skip


def demo(*more: object, **values: object) -> World:
    return World(group("demo", task("source"), task("sink"), *more), **values)  # type: ignore[arg-type]


def steps_now(world: World) -> dict[str, Step]:
    progress = world.environment.progress
    assert progress is not None
    return {step.name: step for step in progress.steps()}


def ended(world: World, event: str) -> TransitionRecord:
    """Return the last one of an event that ended, with its steps."""
    return [one for one in world.environment.finished if one.event == event][-1]


def last(world: World) -> TransitionRecord:
    return world.environment.history[-1]


def by_name(record: TransitionRecord) -> dict[str, Step]:
    return {step.name: step for step in record.steps}


def test_all_steps_and_their_calls_are_known_from_the_beginning() -> None:
    world = demo(
        call("late", "after_START_ACTIVITY", func="bookkeeping.End()", critical=False),
        call("b", "before_START_ACTIVITY+10", func="p.b()"),
        call("a", "before_START_ACTIVITY-5", func="p.a()"),
        task("hook", trigger="before_START_ACTIVITY"),
        call("other", "before_CONFIGURE", func="p.other()"),
    ).create()
    world.fail.add(("silent", "RunCall"))
    world.ask("START_ACTIVITY")
    steps = steps_now(world)
    assert list(steps) == START_STEPS
    before = steps["before_START_ACTIVITY"]
    assert [(one.path, one.func, one.critical, one.status) for one in before.calls] == [
        ("demo.a", "p.a()", True, ONGOING),
        ("demo.hook", "", True, NULL),
        ("demo.b", "p.b()", True, NULL),
    ]
    assert (before.status, before.ended_ms) == (ONGOING, 0)
    assert before.started_ms == before.calls[0].started_ms == world.environment.progress.started_ms > 0  # type: ignore[union-attr]
    assert steps["after_START_ACTIVITY"].calls[0].path == "demo.late"
    assert all(steps[name].status is NULL and not steps[name].started_ms for name in START_STEPS[1:])


def test_steps_and_calls_that_are_done_say_when() -> None:
    world = demo(call("a", "before_START_ACTIVITY"), task("hook", trigger="after_START_ACTIVITY")).create()
    world.ask("START_ACTIVITY")
    assert world.environment.progress is None
    record = last(world)
    assert all(step.status is OK and step.started_ms <= step.ended_ms for step in record.steps)
    assert [step.name for step in record.steps] == START_STEPS
    (a,), (hook,) = record.steps[0].calls, record.steps[4].calls
    assert (a.status, hook.status) == (OK, OK) and a.ended_ms > a.started_ms and hook.ended_ms > hook.started_ms
    assert (record.steps[2].tasks_done, record.steps[2].tasks_total) == (3, 3)


def test_the_tasks_step_counts_those_that_did_it() -> None:
    world = demo(task("spare", critical=False), fail=[("command", "START", "demo.spare")]).create()
    world.ask("START_ACTIVITY")
    tasks = by_name(last(world))["tasks_START_ACTIVITY"]
    assert (tasks.tasks_done, tasks.tasks_total, tasks.status) == (2, 3, OK)


def test_what_is_known_better_of_the_tasks_step_is_shown_in_it() -> None:
    world = demo(fail=[]).create()
    world.fail.add(("silent", "Command"))
    world.ask("START_ACTIVITY")
    progress = world.environment.progress
    assert progress is not None
    steps = {step.name: step for step in progress.steps((1, 2))}
    tasks = steps["tasks_START_ACTIVITY"]
    assert (tasks.status, tasks.tasks_done, tasks.tasks_total) == (ONGOING, 1, 2)
    assert steps_now(world)["tasks_START_ACTIVITY"].tasks_done == 0
    assert progress.budget_ms == 90_000


def test_the_budget_is_that_of_the_command() -> None:
    world = demo(fail=[("silent", "Command")]).create()
    assert world.environment.progress is not None
    assert (world.environment.progress.event.value, world.environment.progress.budget_ms) == ("CONFIGURE", 120_000)


def test_a_deployment_counts_the_tasks_that_are_up_and_has_no_budget() -> None:
    world = demo(task("hook", trigger="before_DEPLOY")).create()
    deploy = world.environment.history[0]
    assert (deploy.event, deploy.source, deploy.reached) == ("DEPLOY", "STANDBY", "DEPLOYED")
    world = demo(task("hook", trigger="before_DEPLOY"), fail=[("silent", "Acquire")]).create()
    assert world.environment.progress is not None and world.environment.progress.budget_ms == 0
    assert steps_now(world)["before_DEPLOY"].calls == (), "there are no hook tasks before the deployment"


def test_a_failed_critical_call_ends_the_steps_where_it_is_awaited() -> None:
    world = demo(call("c", "before_START_ACTIVITY", func="p.c()"), fail=[("call", "p.c()")]).create()
    world.ask("START_ACTIVITY")
    failed, went = world.environment.history[-2:]
    assert (failed.event, failed.source, failed.reached) == ("START_ACTIVITY", "CONFIGURED", "CONFIGURED")
    assert "p.c()" in failed.error and failed.steps == (), "only the newest record has its steps"
    assert (went.event, went.reached, went.error, len(went.steps)) == ("GO_ERROR", "ERROR", "", 5)


def test_the_steps_of_a_cancelled_transition_say_where_it_failed() -> None:
    world = demo(call("c", "before_START_ACTIVITY", func="p.c()"), fail=[("call", "p.c()")]).create()
    world.ask("START_ACTIVITY")
    record = ended(world, "START_ACTIVITY")
    before, *rest = record.steps
    assert before.status is ERROR and "p.c()" in before.error and before.ended_ms
    assert (before.calls[0].status, before.calls[0].error) == (ERROR, "it failed")
    assert all(step.status is NULL for step in rest)


def test_a_failed_hook_task_is_told_with_its_error() -> None:
    world = demo(
        task("hook", trigger="after_START_ACTIVITY", critical=False), fail=[("hook", "demo.hook")]
    ).create()  # fmt: skip
    world.ask("START_ACTIVITY")
    (hook,) = last(world).steps[4].calls
    assert (hook.status, last(world).error) == (ERROR, "") and "exit code 3" in hook.error
    assert last(world).steps[4].status is OK, "it is not critical"


def test_a_hook_task_that_has_ended_before_its_moment_is_told_so() -> None:
    world = demo(task("hook", trigger="before_START_ACTIVITY", critical=False)).create()
    world.kill_task("demo.hook")
    world.ask("START_ACTIVITY")
    (hook,) = last(world).steps[0].calls
    assert hook.status is ERROR and "is not running" in hook.error and hook.started_ms == 0 < hook.ended_ms


def test_a_call_that_is_awaited_later_is_under_way_in_the_step_in_which_it_began() -> None:
    world = demo(
        call("long", "before_START_ACTIVITY", await_="after_START_ACTIVITY"), fail=[("silent", "RunCall")]
    ).create()
    world.ask("START_ACTIVITY")
    steps = steps_now(world)
    assert steps["before_START_ACTIVITY"].status is OK and steps["after_START_ACTIVITY"].status is ONGOING
    assert steps["before_START_ACTIVITY"].calls[0].status is ONGOING


def test_a_run_is_named_by_the_transitions_that_begin_and_end_it() -> None:
    world = demo().create()
    world.ask("START_ACTIVITY")
    world.ask("STOP_ACTIVITY")
    world.ask("RESET")
    told = [(one.event, one.source, one.reached, one.run_number, one.user) for one in world.environment.history]
    assert told == [
        ("DEPLOY", "STANDBY", "DEPLOYED", 0, "shifter@host"),
        ("CONFIGURE", "DEPLOYED", "CONFIGURED", 0, "shifter@host"),
        ("START_ACTIVITY", "CONFIGURED", "RUNNING", 1, "shifter@host"),
        ("STOP_ACTIVITY", "RUNNING", "CONFIGURED", 1, "shifter@host"),
        ("RESET", "CONFIGURED", "DEPLOYED", 0, "shifter@host"),
    ]
    assert all(one.ended_ms > one.started_ms > 0 for one in world.environment.history)


def test_an_error_that_stands_although_the_state_moved_is_remembered() -> None:
    world = demo(call("c", "after_START_ACTIVITY", func="p.c()"), fail=[("call", "p.c()")]).create()
    world.ask("START_ACTIVITY")
    record = ended(world, "START_ACTIVITY")
    assert record.reached == "RUNNING" and "p.c()" in record.error
    assert by_name(record)["after_START_ACTIVITY"].status is ERROR


def test_go_error_ends_in_error_even_if_its_hooks_fail() -> None:
    world = demo(call("c", "before_GO_ERROR", func="p.c()"), fail=[("call", "p.c()")]).create()
    world.ask("START_ACTIVITY")
    world.kill_task("demo.sink")
    world.fire("go_error")
    assert (last(world).event, last(world).reached, world.state) == ("GO_ERROR", "ERROR", "ERROR")
    assert "p.c()" in last(world).error


def test_a_teardown_has_steps_too() -> None:
    world = demo(call("c", "leave_CONFIGURED", func="p.c()"), call("bye", "DESTROY", func="p.bye()")).create()
    world.fail.add(("silent", "RunCall"))
    world.destroy(force=True)
    steps = steps_now(world)
    assert list(steps) == ["leave_CONFIGURED", "DESTROY", "after_DESTROY"]
    assert [(step.status, len(step.calls)) for step in steps.values()] == [(ONGOING, 1), (NULL, 1), (NULL, 0)]
    world = demo(call("bye", "DESTROY", func="p.bye()")).create()
    world.destroy(force=True)
    assert (last(world).event, last(world).reached) == ("DESTROY", "DONE")
    assert [step.status for step in last(world).steps] == [OK, OK, OK]


def test_a_transition_that_a_forced_destroy_interrupts_is_remembered_as_such() -> None:
    world = demo(fail=[("silent", "Kill")]).create()
    world.fail.add(("silent", "Command"))
    world.ask("START_ACTIVITY")
    world.destroy(force=True)
    record = ended(world, "START_ACTIVITY")
    assert record.error == "interrupted by a forced destroy"
    assert by_name(record)["tasks_START_ACTIVITY"].status is ERROR


def test_a_history_is_bounded() -> None:
    world = demo().create()
    for _ in range(RECORDS_KEPT):
        world.ask("START_ACTIVITY")
        world.ask("STOP_ACTIVITY")
    history = world.environment.history
    assert len(history) == RECORDS_KEPT and history[-1].run_number == RECORDS_KEPT
    assert [len(one.steps) for one in history] == [0] * (RECORDS_KEPT - 1) + [5]


def test_a_replay_of_the_stimuli_gives_the_same_history_and_progress() -> None:
    world = demo(call("a", "before_START_ACTIVITY"), task("hook", trigger="after_START_ACTIVITY")).create()
    world.ask("START_ACTIVITY")
    world.ask("STOP_ACTIVITY")
    world.fail.add(("silent", "Command"))
    world.ask("START_ACTIVITY")
    again = Environment.begin(world.created)
    for stimulus in world.stimuli:
        advance(again, stimulus)
    assert again.history == world.environment.history
    assert again.progress is not None and world.environment.progress is not None
    assert again.progress.steps() == world.environment.progress.steps()


def test_a_refused_request_does_not_change_who_asked() -> None:
    world = demo(fail=[("silent", "Command")]).create()
    other = Requested(at_ms=world.tick(), event="RESET", requester=Requester(name="other@host"), request_id="no")
    world.post(other)
    assert world.replies[-1].error
    assert world.environment.progress is not None and world.environment.progress.user == "shifter@host"
