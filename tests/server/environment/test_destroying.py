"""How an environment ends while other things are going on, and what its end must not leave out."""

from __future__ import annotations

from environment_world import World, call, group, task

from server.environment import stimuli as happened


def demo(*more: object, **values: object) -> World:
    return World(group("demo", task("source"), task("sink"), *more), **values)  # type: ignore[arg-type]


def replies(world: World) -> dict[str, tuple[str, str]]:
    return {reply.request_id: (reply.reason, reply.error) for reply in world.replies}


def test_a_forced_destroy_takes_over_from_one_that_waits() -> None:
    world = demo(fail=[("silent", "NewRunNumber")]).create()
    world.ask("START_ACTIVITY")
    world.destroy(allow_running=True)
    waiting = world.stimuli[-1]
    assert isinstance(waiting, happened.DestroyRequested)
    assert world.destroy(force=True).error == ""
    assert world.environment.is_gone
    assert "forced destroy" in replies(world)[waiting.request_id][1], "whoever asked first is told too"


def test_a_forced_destroy_cuts_into_the_transitions_of_one_without_force() -> None:
    world = demo(call("slow", "before_RESET", func="p.slow()")).create()
    world.fail.add(("silent", "RunCall"))
    world.destroy()
    first = world.stimuli[-1]
    assert isinstance(first, happened.DestroyRequested) and world.environment.busy_with == "RESET"
    assert world.destroy(force=True).error == ""
    assert world.environment.is_gone and world.killed == ("t1", "t2")
    assert "forced destroy" in replies(world)[first.request_id][1]


def test_a_teardown_is_not_begun_anew_by_a_forced_destroy() -> None:
    world = demo(call("bye", "DESTROY", func="p.bye()")).create()
    world.fail.add(("silent", "RunCall"))
    world.destroy()
    assert world.destroy(force=True).reason == "TRANSITION_RUNNING"
    assert not world.environment.is_gone


def test_a_second_forced_destroy_is_refused() -> None:
    world = demo(fail=[("silent", "Kill")]).create()
    world.destroy(force=True)
    assert world.destroy(force=True).reason == "TRANSITION_RUNNING"


def test_what_happened_while_a_destroy_waited_is_not_forgotten_when_it_gives_up() -> None:
    world = demo(call("slow", "after_START_ACTIVITY", func="p.slow()")).create()
    world.fail.add(("silent", "RunCall"))
    world.ask("START_ACTIVITY")
    world.destroy(allow_running=True)
    world.kill_task("demo.sink")
    world.fire("go_error")
    world.fire("destroy")
    world.fail.clear()
    for instruction in world.unanswered:
        for stimulus in world.answer(instruction):
            world.post(stimulus)
    assert world.state == "ERROR", "a critical task has died"


def test_a_failed_hook_of_the_teardown_keeps_none_of_the_others_from_running() -> None:
    world = demo(
        call("first", "DESTROY-100", func="p.first()"),
        call("second", "DESTROY", func="p.second()"),
        call("third", "after_DESTROY", func="p.third()"),
        call("leaving", "leave_DEPLOYED-5", func="p.leaving()"),
        call("left", "leave_DEPLOYED", func="p.left()"),
    ).create()
    world.calls.clear()
    world.fail |= {("call", "p.first()"), ("call", "p.leaving()")}
    reply = world.destroy()
    assert reply.error == "" and world.environment.is_gone
    assert world.calls == ["p.leaving()", "p.left()", "p.first()", "p.second()", "p.third()"]


def test_a_destroy_that_ended_everything_has_succeeded_however_it_came_there() -> None:
    world = demo(
        call("reset", "before_RESET", func="p.reset()"),
        call("error", "before_GO_ERROR", func="p.error()"),
        fail=[("call", "p.reset()"), ("call", "p.error()")],
    ).create()
    reply = world.destroy()
    assert world.environment.is_gone and set(reply.killed) == {"t1", "t2"}
    assert (reply.reason, reply.error) == ("", "")


def test_the_answer_to_a_transition_says_that_going_to_error_failed_too() -> None:
    world = demo(
        call("start", "before_START_ACTIVITY", func="p.start()"),
        call("error", "before_GO_ERROR", func="p.error()"),
        fail=[("call", "p.start()"), ("call", "p.error()")],
    ).create()
    reply = world.ask("START_ACTIVITY")
    assert world.state == "ERROR" and reply.reason == "TRANSITION_FAILED"
    assert "p.start()" in reply.error and "GO_ERROR" in reply.error and "p.error()" in reply.error


def test_a_creation_that_a_forced_destroy_interrupts_has_its_last_event() -> None:
    world = demo(fail=[("silent", "Acquire")]).create()
    world.destroy(force=True)
    told = [event for event in world.events if getattr(event, "message", "") == "transition error"]
    last = told[-1]
    assert (last.state, last.transition, last.transition_step) == ("PENDING", "CREATE", "")
    assert "forced destroy" in last.error
