from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from occ.errors import RefusedError
from occ.machine import TaskMachine
from occ.states import MOVES, TaskEvent, TaskState

DEVICE_STATES = [
    TaskState.STANDBY,
    TaskState.CONFIGURED,
    TaskState.RUNNING,
    TaskState.PAUSED,
    TaskState.ERROR,
    TaskState.DONE,
]


@pytest.mark.parametrize(("event", "source", "target"), MOVES)
def test_every_move_of_the_table_is_made(event: TaskEvent, source: TaskState, target: TaskState) -> None:
    machine = TaskMachine(source)
    assert machine.target(event) is target
    assert machine.fire(event) is target
    assert machine.state is target


@pytest.mark.parametrize("source", DEVICE_STATES)
@pytest.mark.parametrize("event", TaskEvent)
def test_every_other_move_is_refused_and_changes_nothing(event: TaskEvent, source: TaskState) -> None:
    if any((event, source) == move[:2] for move in MOVES):
        return
    machine = TaskMachine(source)
    with pytest.raises(RefusedError, match=rf"{event.value} is not accepted in {source.value}"):
        machine.fire(event)
    assert machine.state is source


@pytest.mark.parametrize("source", DEVICE_STATES)
def test_everything_but_done_can_fail(source: TaskState) -> None:
    expected = TaskState.DONE if source is TaskState.DONE else TaskState.ERROR
    assert TaskMachine(source).fail() is expected


@given(st.lists(st.sampled_from(TaskEvent)))
def test_no_sequence_of_events_leaves_the_table(events: list[TaskEvent]) -> None:
    machine = TaskMachine()
    for event in events:
        before = machine.state
        target = machine.target(event)
        if target is None:
            with pytest.raises(RefusedError):
                machine.fire(event)
        else:
            machine.fire(event)
        assert machine.state is (target or before)


def test_there_is_no_back_door_to_a_state() -> None:
    assert not [name for name in dir(TaskMachine()) if name.startswith("to_")]
