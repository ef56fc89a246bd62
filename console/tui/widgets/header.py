"""The two lines on top of every screen: whose data it is and how old, whether it can be changed; the screens.

What does not fit is left out whole, the least important first; nothing here is ever cut in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from rich.style import Style

from console.present import age
from console.store import Link
from console.tui.painting import Lines, Part, Parts, width_of

if TYPE_CHECKING:
    from console.session import Session
    from console.tui.looks import Styles


class Tab(NamedTuple):
    """One screen as the header names it."""

    name: str
    key: str
    title: str


class Station(Protocol):
    """What the header asks of the app."""

    session: Session
    tabs: Sequence[Tab]

    @property
    def shown_tab(self) -> str: ...

    @property
    def environment_id(self) -> str: ...

    def mode_text(self) -> tuple[str, str]:
        """Return what can be done now ("OBSERVE", "ARMED 12m", "REPLAY 4x") and the name of its style."""
        ...

    def recorded_text(self) -> str:
        """Return that this screen is recorded, and for how long by now; "" if it is not."""
        ...


class Header(Lines):
    """Status and screens, for all screens alike."""

    DEFAULT_CSS = "Header { height: 2; dock: top; background: $bar; }"

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        station = cast("Station", self.app)
        return [status_line(station, looks, width), tabs_line(station, looks, width)]

    def ground(self, looks: Styles) -> Style:
        return looks.bar


def status_line(station: Station, looks: Styles, width: int) -> list[Part]:
    """Return instance, link and age, mode, faults, user and clock, as many as fit."""
    session = station.session
    store = session.store
    core = store.core
    mode, mode_style = station.mode_text()
    now = session.now()
    faults = sum(one.state == "ERROR" or one.tasks_error > 0 for one in store.environments())
    left: list[tuple[int, Parts]] = [
        (1, [(f" {core.instance if core and core.instance else 'AliECS'} ", looks.bar_key)]),
        (0, link_parts(session, looks)),
        (0, [(f" {mode} ", getattr(looks, mode_style))]),
    ]
    if recorded := station.recorded_text():
        left.append((2, [(f" {looks.glyph('record')} {recorded} ", looks.bar_alarm)]))
    if session.source.is_advisory:
        left.append((2, [(f" {looks.glyph('advisory')} ADVISORY ", looks.bar_warn)]))
    if faults:
        left.append((2, [(f" {looks.glyph('bad')} {faults} ", looks.bar_alarm)]))
    if store.link is Link.LOST and store.problem:
        left.append((5, [(f" {store.problem} ", looks.bar_dim)]))
    else:
        left.append((5, [(f" {session.client.endpoint} ", looks.bar_dim)]))
    left.append((4, [(f" {session.client.user} ", looks.bar_dim)]))
    local = datetime.fromtimestamp(now)
    utc = datetime.fromtimestamp(now, UTC)
    right: list[tuple[int, Parts]] = [
        (3, [(f" {utc:%H:%M:%S}Z ", looks.bar)]),
        (6, [(f"({local:%H:%M:%S}) ", looks.bar_dim)]),
    ]
    return _laid_out(left, right, width, looks.bar)


def link_parts(session: Session, looks: Styles) -> Parts:
    """Return the state of the link and the age of the data, which is always on screen."""
    store = session.store
    if session.replay is not None:
        return [(f" recorded {datetime.fromtimestamp(session.now(), UTC):%Y-%m-%d} ", looks.bar)]
    if store.link is Link.CONNECTING:
        return [(f" {looks.glyph('connecting')} connecting ", looks.bar_warn)]
    seconds = session.age_s()
    if store.link is Link.LOST and math.isinf(seconds):
        return [(f" {looks.glyph('lost')} NO CORE ", looks.bar_alarm)]
    shown = f"{seconds:.1f}s" if seconds < 10 else age(min(seconds, 1e8)).replace(" ", "")
    if store.link is Link.LOST:
        return [(f" {looks.glyph('lost')} LINK LOST {shown} ", looks.bar_alarm)]
    if session.is_stale:
        return [(f" {looks.glyph('warn')} STALE {shown} ", looks.bar_alarm)]
    return [(f" {looks.glyph('live')} {shown} ", looks.bar_good)]


def tabs_line(station: Station, looks: Styles, width: int) -> list[Part]:
    """Return the screens with their keys, the shown one marked; without titles where they do not fit."""
    for short in (False, True):
        parts: list[Part] = []
        for tab in station.tabs:
            shown = tab.name == station.shown_tab
            title = tab.title if shown or not short else tab.title[:4]
            parts.append((f" {tab.key} ", looks.bar_key))
            parts.append((f"{title} ", looks.selected + looks.bold if shown else looks.bar))
        if width_of(parts) <= width:
            return parts
    return parts


def _laid_out(left: list[tuple[int, Parts]], right: list[tuple[int, Parts]], width: int, ground: Style) -> list[Part]:
    """Return the parts with the gap between; those of the highest number are dropped until the rest fits."""
    while width_of([part for _, parts in left + right for part in parts]) > width and (left or right):
        worst = max(number for number, _ in left + right)
        if not worst:
            break
        left = [one for one in left if one[0] != worst]
        right = [one for one in right if one[0] != worst]
    begin = [part for _, parts in left for part in parts]
    end = [part for _, parts in right for part in parts]
    gap = max(0, width - width_of(begin) - width_of(end))
    return [*begin, (" " * gap, ground), *end]
