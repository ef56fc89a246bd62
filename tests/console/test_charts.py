"""Plots and bars as characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.charts import bar, ceiling, chart, means, sparkline
from console.present import rate


def test_a_plot_has_a_scale_a_time_axis_and_one_column_per_span() -> None:
    points = [(0.0, 0.0), (30.0, 50e6), (60.0, 100e6), (90.0, 25e6)]
    shown = chart(points, end_s=120.0, span_s=120.0, width=33, height=5, label=rate)
    assert shown.labels == ("100 MB/s", "        ", "        ", "   0 B/s")
    assert shown.rows == (
        "            ██████      ",
        "            ██████      ",
        "      ████████████      ",
        "▁▁▁▁▁▁██████████████████",
    )
    assert shown.foot == "         -2 min   -1 min      now"


def test_a_plot_can_be_drawn_in_ascii() -> None:
    shown = chart([(0.0, 1.0), (50.0, 9.0)], end_s=100.0, span_s=100.0, width=25, height=4, label=str, ascii=True)
    assert all(line.isascii() for line in (*shown.labels, *shown.rows, shown.foot))
    assert shown.rows == ("          ++++++++++", "          ##########", ",,,,,,,,,,##########")


def test_what_is_not_known_is_left_blank_and_nothing_is_a_thin_line() -> None:
    assert sparkline([None, 0.0, 4.0, 8.0]) == " ▁▄█"
    assert sparkline([]) == "" and sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([None, 0.0, 8.0], ascii=True) == " .#"


def test_a_value_counts_for_as_long_as_it_lasted() -> None:
    assert means([(0.0, 10.0), (5.0, 20.0)], 0.0, 10.0, 1) == [15.0]
    assert means([(5.0, 20.0)], 0.0, 10.0, 2) == [None, 20.0]
    assert means([(-100.0, 7.0)], 0.0, 10.0, 2) == [7.0, 7.0]
    assert means([], 0.0, 10.0, 2) == [None, None]
    assert means([(2.5, 4.0), (50.0, 9.0)], 0.0, 10.0, 2) == [4.0, 4.0]


@pytest.mark.parametrize(
    ("value", "end"), [(0, 1), (1, 1), (1.1, 1.5), (3, 3), (25e6, 30e6), (99, 100), (0.03, 0.03), (float("inf"), 1)]
)
def test_a_scale_ends_at_a_round_number(value: float, end: float) -> None:
    assert ceiling(value) == pytest.approx(end)


def test_a_bar_is_full_only_when_all_is_done() -> None:
    assert bar(0.5, 4) == "━━──" and bar(1, 4) == "━━━━" and bar(0, 4) == "────"
    assert bar(0.999, 4) == "━━━╸" and bar(2, 2) == "━━" and bar(-1, 2) == "──"
    assert bar(0.5, 4, ascii=True) == "##.."


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 1e12)), max_size=30).map(sorted),
    st.integers(20, 120), st.integers(3, 12), st.booleans(),
)  # fmt: skip
def test_a_plot_always_fills_its_room(points: list[tuple[float, float]], width: int, height: int, ascii: bool) -> None:
    shown = chart(points, end_s=900.0, span_s=600.0, width=width, height=height, label=rate, ascii=ascii)
    assert len(shown.rows) == height - 1 == len(shown.labels)
    assert {len(f"{name} {row}") for name, row in zip(shown.labels, shown.rows, strict=True)} == {width}
    assert len(shown.foot) == width
