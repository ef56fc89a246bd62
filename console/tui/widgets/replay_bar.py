"""Where a recording is: position, marks and speed, on one line above the keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.tui.painting import Lines, Part, Parts, width_of

if TYPE_CHECKING:
    from console.sources.replay import ReplaySource
    from console.tui.looks import Styles


class ReplayBar(Lines):
    """The time line of the recording that the app plays."""

    DEFAULT_CSS = "ReplayBar { height: 1; background: $bar; }"

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        source = self.desk.session.replay
        return [bar_parts(source, looks, width)] if source is not None else []


def bar_parts(source: ReplaySource, looks: Styles, width: int) -> list[Part]:
    """Return sign, position, time line with marks, duration, speed, and the mark that was passed last."""
    sign = "pause" if source.is_paused else "ok" if source.at_end else "play"
    begin: list[Part] = [
        (f" {looks.glyph(sign)} ", looks.replay),
        (f" {position(source.position_s)} ", looks.bar_key),
    ]
    speed = "max" if not source.speed else f"{source.speed:g}x"
    passed = [mark.text for mark in source.marks if mark.t <= source.position_s + 0.05]
    end: list[Part] = [(f" {position(source.duration_s)} ", looks.bar), (f" {speed} ", looks.bar_key)]
    if passed and width >= 110:
        text = passed[-1][: width // 3]
        end.append((f" {looks.glyph('marker')} {text} ", looks.bar))
    room = max(8, width - width_of(begin) - width_of(end))
    return [*begin, *_line(source, looks, room), *end]


def position(seconds: float) -> str:
    """Return "01:05.3", with hours where there are some."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes:02}:{rest:04.1f}"


def _line(source: ReplaySource, looks: Styles, room: int) -> list[Part]:
    share = source.position_s / source.duration_s if source.duration_s else 1.0
    at = min(room - 1, int(share * room))
    marks = {min(room - 1, int(mark.t / source.duration_s * room)) for mark in source.marks if source.duration_s}
    parts: list[Part] = []
    for cell in range(room):
        if cell == at:
            parts.append((looks.glyph("live"), looks.bar_key))
        elif cell in marks:
            parts.append((looks.glyph("marker"), looks.bar_warn))
        else:
            parts.append((looks.glyph("horizontal"), looks.bar if cell < at else looks.bar_dim))
    return parts
