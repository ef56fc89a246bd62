"""Plots and bars made of characters: values over time, shares of a whole. No widgets, no styles.

Textual's own Sparkline renderable has one line, no axes, blends two RGB colours (there are none in mono and on
terminals of 16) and no form in ASCII; plotting libraries bring canvases of their own. This is less than either.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from console.glyphs import EIGHTHS, glyph, spark

Points = Sequence[tuple[float, float]]
"""(time in seconds, value), oldest first; between two points the value was steady."""


TINY = 1e-300
"""Powers of ten below are no ordinary numbers any more."""

_ROUND = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


class Chart(NamedTuple):
    """A plot as text; all rows have the same width."""

    labels: tuple[str, ...]
    """What stands left of each row."""
    rows: tuple[str, ...]
    foot: str
    """The time axis, below the rows."""


def chart(
    points: Points,
    *,
    end_s: float,
    span_s: float,
    width: int,
    height: int,
    label: Callable[[float], str],
    ascii: bool = False,
) -> Chart:
    """Plot what was from ``end_s - span_s`` to ``end_s``.

    Args:
        points: of which those outside may be there too.
        width, height: cells for everything, at least 20 by 3.
        label: says a value in words.
    """
    top = ceiling(max((value for _, value in points), default=0.0))
    words = [label(top), label(0.0)]
    room = max(map(len, words))
    body = max(1, width - room - 1)
    values = means(points, end_s - span_s, end_s, body)
    lines = max(1, height - 1)
    labels = [words[0], *[""] * (lines - 2), words[1]] if lines > 1 else [words[0]]
    rows = tuple(_row(values, top, line, lines, ascii=ascii) for line in range(lines))
    return Chart(tuple(text.rjust(room) for text in labels), rows, _foot(span_s, room + 1, body))


def sparkline(values: Sequence[float | None], *, ascii: bool = False) -> str:
    """Return one character per value, from 0 to the greatest; a blank where nothing is known."""
    return _row(values, max((value for value in values if value is not None), default=0.0), 0, 1, ascii=ascii)


def bar(share: float, width: int, *, ascii: bool = False) -> str:
    """Return a bar that is filled to a share between 0 and 1; full only when the share is 1."""
    halves = int(2 * width * max(0.0, min(1.0, share)) + 1e-9)
    full, half = divmod(halves, 2)
    text = glyph("bar_full", ascii=ascii) * full + glyph("bar_half", ascii=ascii) * half
    return text + glyph("bar_empty", ascii=ascii) * (width - full - half)


def means(points: Points, begin_s: float, end_s: float, bins: int) -> list[float | None]:
    """Return the mean over each of so many spans of equal length, None before the first point."""
    times = [at for at, _ in points]
    length = (end_s - begin_s) / bins
    found: list[float | None] = []
    for number in range(bins):
        left, right = begin_s + number * length, begin_s + (number + 1) * length
        first, last = bisect_right(times, left), bisect_right(times, right)
        area, covered, at = 0.0, 0.0, left
        value = points[first - 1][1] if first else None
        for next_s, next_value in [*points[first:last], (right, 0.0)]:
            if value is not None:
                area += value * (next_s - at)
                covered += next_s - at
            at, value = next_s, next_value
        found.append(area / covered if covered > 0 else None)
    return found


def ceiling(value: float) -> float:
    """Return the end of a scale: the next round number that is not less; 1 for 0 and what is next to it."""
    if value < TINY or not math.isfinite(value):
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(step * unit for step in _ROUND if step * unit >= value * (1 - 1e-9))


def _row(values: Sequence[float | None], top: float, line: int, lines: int, *, ascii: bool) -> str:
    """Return the cells of a line, counted from the top."""
    below = lines - 1 - line
    cells = []
    for value in values:
        if value is None:
            cells.append(" ")
            continue
        share = value / top * lines - below if top > 0 else 0.0
        if not below:
            share = max(share, 1 / (len(EIGHTHS) - 1))  # nothing at all is not the same as not known
        cells.append(spark(share, ascii=ascii) if share > 0 else " ")
    return "".join(cells)


def _foot(span_s: float, indent: int, width: int) -> str:
    """Return the time axis: how long ago, and now."""
    begin, middle, end = _ago(span_s), _ago(span_s / 2), "now"
    if len(begin) + len(end) + 2 > width:
        return " " * indent + end.rjust(width)
    text = begin + " " * (width - len(begin) - len(end)) + end
    at = (width - len(middle)) // 2
    if len(begin) + 2 <= at and at + len(middle) + 2 <= width - len(end):
        text = text[:at] + middle + text[at + len(middle) :]
    return " " * indent + text


def _ago(seconds: float) -> str:
    return f"-{seconds / 60:g} min" if seconds >= 60 else f"-{seconds:g} s"
