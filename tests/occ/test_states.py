from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from occ.states import EXPECTED_FINAL, MOVES, TaskState, aggregate, product

states = st.sampled_from(TaskState)


@given(states, states)
def test_the_product_does_not_depend_on_the_order(left: TaskState, right: TaskState) -> None:
    assert product(left, right) is product(right, left)


@given(states, states, states)
def test_the_product_does_not_depend_on_the_grouping(one: TaskState, two: TaskState, three: TaskState) -> None:
    assert product(product(one, two), three) is product(one, product(two, three))


@given(states)
def test_invariant_changes_nothing_and_a_state_with_itself_is_itself(state: TaskState) -> None:
    assert product(state, TaskState.INVARIANT) is state
    assert product(state, state) is state


@given(states)
def test_one_error_makes_all_an_error(state: TaskState) -> None:
    assert product(state, TaskState.ERROR) is TaskState.ERROR


def test_nothing_aggregates_to_invariant_which_clients_see_as_unknown() -> None:
    assert aggregate([]) is TaskState.INVARIANT
    assert TaskState.INVARIANT.wire == "UNKNOWN"


def test_different_children_are_mixed() -> None:
    assert aggregate([TaskState.RUNNING, TaskState.CONFIGURED, TaskState.RUNNING]) is TaskState.MIXED


def test_every_event_that_can_be_asked_for_leads_where_it_is_expected_to() -> None:
    for event, _, target in MOVES:
        assert EXPECTED_FINAL.get(event.value, target) is target


def test_an_unknown_name_is_the_unknown_state() -> None:
    assert TaskState.parse("DEVICE READY") is TaskState.UNKNOWN
    assert TaskState.parse("RUNNING") is TaskState.RUNNING
