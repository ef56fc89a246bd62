"""A plot of values over time, drawn with the theme's styles; its characters come from console/charts.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.style import Style

from console.charts import Points, bar, chart
from console.tui.painting import Part, Parts

if TYPE_CHECKING:
    from console.tui.looks import Styles

SPANS_S = (60.0, 120.0, 300.0, 600.0)
"""Lengths of the time axis; the shortest is taken that holds all points."""
MIN_WIDTH, MIN_HEIGHT = 24, 3
LABEL = 10
"""Cells for a title, as for the labels of facts."""


def plot_lines(
    title: str,
    points: Points,
    now_s: float,
    says: Callable[[float], str],
    looks: Styles,
    width: int,
    height: int,
    *,
    more: str = "",
) -> list[Parts]:
    """Return a title with the last, least and greatest value, and the plot below it.

    Args:
        says: a value in words.
        height: for all of it; without room for a plot there is the title only.
        more: to say in the title.
    """
    values = [value for _, value in points]
    parts: list[Part] = [(f" {title:{LABEL}}", looks.dim)]
    extra: list[Part] = [(f"   {more}", looks.text)] if more else []
    if not values:
        return [[*parts, ("no rate", looks.dim), *extra]]
    parts += [(says(values[-1]), looks.bold), *extra]
    parts.append((f"   min {says(min(values))}   max {says(max(values))}", looks.dim))
    if width < MIN_WIDTH or height < MIN_HEIGHT + 1:
        return [parts]
    covered_s = now_s - points[0][0]
    span_s = next((span for span in SPANS_S if span >= covered_s), SPANS_S[-1])
    plot = chart(points, end_s=now_s, span_s=span_s, width=width - 2, height=height - 1, label=says, ascii=looks.ascii)
    axis = looks.glyph("vertical")
    rows: list[Parts] = [
        [(f" {label}", looks.plot_axis), (axis, looks.plot_axis), (row, looks.plot)]
        for label, row in zip(plot.labels, plot.rows, strict=True)
    ]
    return [parts, *rows, [(f" {plot.foot}", looks.plot_axis)]]


def bar_parts(share: float, width: int, looks: Styles, style: Style) -> list[Part]:
    """Return a bar that is filled to a share, the rest of it faint."""
    text = bar(share, width, ascii=looks.ascii)
    filled = text.rstrip(looks.glyph("bar_empty"))
    return [(filled, style), (text[len(filled) :], Style(bgcolor=style.bgcolor) + looks.border)]
