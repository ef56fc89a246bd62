"""The single lines of the screen: header, what the selected environment is up to, keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from console.present import age, fault_line, look, rate, size, step_line
from console.store import Link, Store
from console.tui.grid import fit
from console.tui.looks import Styles

Part = tuple[str, Style]


class Line(Widget):
    """Lines drawn from the store when painted; each is a list of parts, the last one fills the width."""

    def __init__(self, draw: Callable[[Styles, int], list[list[Part]]], *, id: str) -> None:
        super().__init__(id=id)
        self._draw = draw
        self.styles_of: Styles | None = None

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        lines = self._draw(self.styles_of, width) if self.styles_of else []
        if y >= len(lines):
            return Strip([Segment(" " * width, self.styles_of.text if self.styles_of else None)], width)
        left = width
        segments = []
        parts = lines[y]
        for text, style in parts[:-1]:
            shown = fit(text, min(left, len(text)))
            segments.append(Segment(shown, style))
            left -= len(shown)
        text, style = parts[-1]
        segments.append(Segment(fit(text, left), style))
        return Strip(segments).adjust_cell_length(width, style)


def header(store: Store, endpoint: str, lost_since: Callable[[], float]) -> Callable[[Styles, int], list[list[Part]]]:
    """Return the drawing of the header: instance, endpoint, link and age of the data, clock.

    Args:
        lost_since: seconds since the link was lost.
    """

    def draw(styles: Styles, width: int) -> list[list[Part]]:
        core = store.core
        name = f" {core.instance if core and core.instance else 'AliECS'} "
        if store.link is Link.LIVE:
            link: Part = (" ● live ", styles.bar_good)
            quiet = age(time.time() - store.changed_ms / 1000)
            state = f"last change {quiet} ago" if store.changed_ms else ""
        elif store.link is Link.CONNECTING:
            link, state = (" ○ connecting ", styles.bar), ""
        else:
            link, state = (f" ✖ link lost {age(lost_since())} ", styles.bar_alarm), "what you see is old"
        clock = f"{datetime.now().strftime('%H:%M:%S')} "
        place = f" {endpoint} "
        room = max(0, width - sum(map(len, (name, place, link[0], clock))))
        return [
            [
                (name, styles.bar),
                (place, styles.bar_dim),
                link,
                (fit(state, room), styles.bar_dim),
                (clock, styles.bar_dim),
            ]
        ]

    return draw


def details(store: Store, selected: Callable[[], str]) -> Callable[[Styles, int], list[list[Part]]]:
    """Return the drawing of the lines on the selected environment: what it does or why it failed, and the next step."""

    def draw(styles: Styles, width: int) -> list[list[Part]]:
        environment = store.environment(selected())
        if environment is None:
            fault = store.last_fault()
            if fault is None:
                return [[("", styles.bar)]]
            # An environment that failed may be destroyed before anybody looks: how it failed stays.
            return [[(f" {fault.environment_id} is gone; its first fault was", styles.bar)],
                    [(f" ✖ {fault_line(fault)}", styles.alarm)]]  # fmt: skip
        title = f" {environment.id}  {environment.template}"
        first: list[Part] = [(title, styles.bar), (f"  {environment.description}", styles.bar_dim)]
        fault = store.fault(environment.id)
        third: list[Part] = [("", styles.text)]
        if environment.transition is not None:
            shown = look(environment.state)
            user = f"  by {environment.transition.user}" if environment.transition.user else ""
            second = [(f" {shown.glyph} {step_line(environment.transition)}{user}", styles.bold)]
        elif fault is not None:
            second = [(f" ✖ {fault_line(fault)}", styles.alarm)]
            third = [(f"   next: {fault.hint}" if fault.hint else "", styles.text)]
        else:
            moved = f"  {size(environment.bytes_moved)} moved" if environment.bytes_moved else ""
            flow = f"  {rate(environment.bytes_per_s)}" if environment.state == "RUNNING" else ""
            owner = f"  owner {environment.owner.name}" if environment.owner.name else ""
            active = (
                f" {environment.tasks_active} of {environment.tasks_total} tasks active on {environment.hosts} hosts"
            )
            second = [(f"{active}{flow}{moved}{owner}", styles.dim)]
        return [first, second, third]

    return draw


def keys(styles: Styles, width: int) -> list[list[Part]]:
    """Draw the keys."""
    known = (("↑↓ jk", "move"), ("tab", "other list"), ("g G", "ends"), ("q", "quit"))
    parts: list[Part] = []
    for key, what in known:
        parts += [(f" {key} ", styles.bar), (f"{what} ", styles.bar_dim)]
    return [[*parts, ("", styles.bar)]]
