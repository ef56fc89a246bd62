"""Ranges against plain sets of numbers."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from server.deploy.ranges import Ranges, clip, count, missing, normalise, subtract, to_text

PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)


def numbers(ranges: Ranges) -> set[int]:
    return {port for low, high in ranges for port in range(low, high + 1)}


@given(PAIRS)
def test_normalised_ranges_hold_the_same_numbers_sorted_and_apart(pairs: list[tuple[int, int]]) -> None:
    ranges = normalise(pairs)
    assert numbers(ranges) == numbers(tuple(pairs))
    assert all(low <= high for low, high in ranges)
    assert all(one[1] + 1 < two[0] for one, two in itertools.pairwise(ranges))
    assert count(ranges) == len(numbers(ranges))


@given(PAIRS, PAIRS)
def test_subtraction_is_that_of_sets(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    a, b = normalise(left), normalise(right)
    assert numbers(subtract(a, b)) == numbers(a) - numbers(b)
    assert (missing(a, b) == ()) == (numbers(a) <= numbers(b))
    assert subtract(a, b) == normalise(subtract(a, b))


@given(PAIRS, st.integers(0, 60), st.integers(0, 60))
def test_clipping_keeps_what_lies_between_the_bounds(pairs: list[tuple[int, int]], low: int, high: int) -> None:
    ranges = normalise(pairs)
    assert numbers(clip(ranges, low, high)) == {port for port in numbers(ranges) if low <= port <= high}


def test_ranges_print_as_templates_write_them() -> None:
    assert to_text(((9000, 9000), (9010, 9020))) == "9000,9010-9020"
