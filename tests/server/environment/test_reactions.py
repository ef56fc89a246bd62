"""What follows from what tasks report by themselves, where it comes at an odd moment."""

from __future__ import annotations

import pytest
from environment_world import World, call, group, task

from server.environment import stimuli as happened
from server.environment.stimuli import TaskChange


def basic(world: World, role: str) -> None:
    """Make the task of a role one of mode basic."""
    world.environment.tasks[world.task_of(role)].mode = "basic"


def terminated(world: World, role: str) -> happened.TaskTerminated:
    return happened.TaskTerminated(
        at_ms=world.tick(), task_id=world.task_of(role), exit_code=0, stdout="", stderr="", voluntary=True,
        final_status="TASK_FINISHED",
    )  # fmt: skip


@pytest.mark.parametrize("moment", ["before_CONFIGURE", "leave_DEPLOYED", "enter_DEPLOYED", "after_DEPLOY"])
def test_a_critical_task_that_dies_on_the_way_to_configured_leads_to_error(moment: str) -> None:
    world = World(group("demo", task("source"), task("sink"), call("slow", moment, func="p.slow()")))
    world.fail.add(("silent", "RunCall"))
    world.create()
    world.kill_task("demo.sink")
    world.fail.clear()
    for instruction in world.unanswered:
        for stimulus in world.answer(instruction):
            world.post(stimulus)
    if "go_error" in world.timers:
        world.fire("go_error")
    assert world.state == "ERROR", "nobody may start a run without a critical task"


def test_the_end_of_data_of_a_basic_task_stands_until_its_state_changes() -> None:
    world = World(group("demo", task("one"), task("two"))).create()
    world.ask("START_ACTIVITY")
    basic(world, "demo.one"), basic(world, "demo.two")
    world.post(terminated(world, "demo.one"))
    assert world.state == "RUNNING"
    world.post(
        happened.TasksChanged(
            at_ms=world.tick(), changes=(TaskChange(task_id=world.task_of("demo.one"), exit_code=0, error="note"),)
        )
    )
    world.post(terminated(world, "demo.two"))
    assert world.state == "CONFIGURED"


def test_the_end_of_data_is_not_forgotten_where_a_task_is_told_again_as_it_is() -> None:
    world = World(group("demo", task("one"), task("two"))).create()
    world.ask("START_ACTIVITY")
    basic(world, "demo.one"), basic(world, "demo.two")
    world.post(terminated(world, "demo.one"))
    world.change("demo.one", state="RUNNING", status="ACTIVE")  # as after a restart of the core
    world.post(terminated(world, "demo.two"))
    assert world.state == "CONFIGURED"


def test_tasks_of_an_environment_that_can_never_deploy_are_not_even_placed() -> None:
    world = World(group("demo", task("source"), call("silent", ""))).create()
    assert "without trigger" in world.replies[0].error
    assert not world.tasks and world.environment.is_gone
