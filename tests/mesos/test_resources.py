"""Sums of resources: exact for scalars, sets for ports."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mesos.clock import HandClock, duration_text
from mesos.resources import Resources

PORTS = st.sets(st.integers(0, 30))


def ports(wanted: set[int]) -> Resources:
    """Return single ports, as a task asks for them."""
    return Resources.parse("ports:[" + ",".join(f"{port}-{port}" for port in wanted) + "]")


def of(resources: Resources) -> set[int]:
    return {port for begin, end in resources.ranges.get("ports", ()) for port in range(begin, end + 1)}


@given(PORTS, PORTS)
def test_ports_are_sets(left: set[int], right: set[int]) -> None:
    assert of(ports(left) + ports(right)) == left | right
    assert of(ports(left) - ports(right)) == left - right
    assert ports(left).contains(ports(right)) is (right <= left)


@given(PORTS, PORTS)
def test_ranges_that_touch_are_one(left: set[int], right: set[int]) -> None:
    for resources in (ports(left) + ports(right), ports(left) - ports(right)):
        pairs = resources.ranges.get("ports", ())
        assert all(last + 1 < first for (_, last), (first, _) in pairwise(pairs))


def test_scalars_are_summed_exactly() -> None:
    tenth = Resources.parse("cpus:0.1")
    assert (tenth + tenth + tenth).contains(Resources.parse("cpus:0.3"))
    assert (Resources.parse("cpus:0.3") - tenth - tenth - tenth).is_empty


def test_what_was_read_is_written_the_same() -> None:
    text = "cpus:0.5;mem:64;ports:[9000-9001,30000-30099]"
    resources = Resources.parse(text)
    assert resources.as_option() == text
    assert Resources.from_json(resources.to_json()) == resources
    assert (
        resources.text("*")
        == "ports(allocated: *):[9000-9001, 30000-30099]; cpus(allocated: *):0.5; mem(allocated: *):64"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5secs"), (900, "15mins"), (0.25, "250ms"), (7200, "2hrs"), (1.5, "1500ms"), (0, "0ns")]
)
def test_durations_are_written_in_the_largest_whole_unit(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_what_is_due_on_a_clock_moved_by_hand_happens_in_order_and_unless_cancelled() -> None:
    clock, happened = HandClock(), list[float]()
    for delay_s in (3.0, 1.0, 2.0):
        clock.later(delay_s, lambda: happened.append(clock.now()))
    clock.later(1.5, lambda: happened.append(-1.0)).cancel()
    clock.move_to(2.5)
    assert (happened, clock.now()) == ([1.0, 2.0], 2.5)
