"""What an environment is: detectors, hosts, equipment, people, times, data, and its rate as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.equipment import equipment
from console.present import age, clock, moment, names, rate, size
from console.store import Store
from console.tui.painting import Lines, Part, Parts, fit, width_of
from console.tui.widgets.plot import plot_lines
from console.variables import effective
from server.api.model import Environment

if TYPE_CHECKING:
    from console.tui.looks import Styles

TWO_COLUMNS = 100
"""Columns of the pane from which the facts stand side by side."""
LABEL = 10

Fact = tuple[str, Sequence[Part]]


class Facts(Lines):
    """Facts of the environment that the screen is about."""

    DEFAULT_CSS = "Facts { height: 1fr; }"

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        environment = self.store.last_seen(self.desk.environment_id)
        if environment is None:
            return []
        now_s = self.desk.session.now()
        rows = laid_out(facts(environment, self.store, now_s, looks, width), looks, width)
        moved = f"{size(environment.bytes_moved)} moved"
        points = self.store.rates(environment.id)
        return [*rows, *plot_lines("data", points, now_s, rate, looks, width, height - len(rows), more=moved)]


def facts(one: Environment, store: Store, now_s: float, looks: Styles, width: int) -> list[Fact]:
    """Return label and text of each fact; those that are known."""
    parts = equipment(effective(store.variables(one.id)) or one.user_vars)
    room = (width // 2 if width >= TWO_COLUMNS else width) - LABEL - 2
    away = [
        host for host in {task.host for task in store.tasks(one.id)}
        if (known := store.hosts.get(host)) is not None and known.executor_state == "LOST"
    ]  # fmt: skip
    tasks = f"{one.tasks_total} tasks" if one.tasks_active == one.tasks_total else (
        f"{one.tasks_active} of {one.tasks_total} tasks active")  # fmt: skip
    where: list[Part] = [(f"{one.flps or one.hosts} FLP   {one.hosts} hosts   {tasks}", looks.text)]
    if one.tasks_error:
        where.append((f"   {one.tasks_error} in error", looks.alarm))
    if away:
        where.append((f"   {names(tuple(sorted(away)), 20)} away", looks.alarm))
    switches = (
        ("EPN", parts.epns), ("DCS", parts.dcs), ("TRG", parts.trigger), ("CTP readout", parts.ctp_readout),
        ("DD", parts.data_distribution), ("QC", parts.quality_control),
    )  # fmt: skip
    return [
        ("detectors", [(names(one.detectors, room), looks.text)]),
        ("run", _run(one, now_s, looks)),
        ("hosts", where),
        ("with", _switches(switches, looks)),
        ("created", [(f"{moment(one.created_ms)[:19]}   {age(now_s - one.created_ms / 1000)} ago", looks.text)]),
        ("owner", _people(one, looks)),
        ("template", [(one.template, looks.text), (f"   {one.description}" if one.description else "", looks.dim)]),
    ]


def _run(one: Environment, now_s: float, looks: Styles) -> list[Part]:
    kind = f"   {one.run_type}" if one.run_type else ""
    if one.run_number:
        since_s = one.run_start_ms / 1000
        since = f"   since {clock(one.run_start_ms)[:8]}, {age(now_s - since_s)}" if one.run_start_ms else ""
        return [(str(one.run_number), looks.bold), (kind + since, looks.text)]
    last = f", the last was {one.last_run_number}" if one.last_run_number else ""
    return [(f"none{last}", looks.dim), (kind, looks.text)]


def _people(one: Environment, looks: Styles) -> list[Part]:
    parts: list[Part] = [(one.owner.name or "-", looks.text)]
    if one.last_user.name not in ("", one.owner.name):
        parts.append((f"   last changed by {one.last_user.name}", looks.dim))
    return parts


def _switches(switches: Sequence[tuple[str, str]], looks: Styles) -> list[Part]:
    """Return what takes part beside the FLPs; what the template does not mention is left out."""
    known = [(name, value) for name, value in switches if value != "-"]
    if not known:
        return [("only readout", looks.dim)]
    parts: list[Part] = []
    for name, value in known:
        parts += [(f"{name} ", looks.dim), (f"{value}   ", looks.dim if value == "off" else looks.text)]
    return parts


def laid_out(all_facts: Sequence[Fact], looks: Styles, width: int) -> list[Parts]:
    """Return facts as lines, two on each where there is room; the last one of an odd number has a line to itself."""
    rows: list[Parts] = []
    if width < TWO_COLUMNS:
        return [_fact(fact, looks, width, looks.glyph("ellipsis")) for fact in all_facts]
    half = width // 2
    for left, right in zip(all_facts[::2], all_facts[1::2], strict=False):
        line = _fact(left, looks, half, looks.glyph("ellipsis"))
        rows.append([*line, *_fact(right, looks, width - half, looks.glyph("ellipsis"))])
    if len(all_facts) % 2:
        rows.append(_fact(all_facts[-1], looks, width, looks.glyph("ellipsis")))
    return rows


def _fact(fact: Fact, looks: Styles, width: int, ellipsis: str) -> list[Part]:
    label, parts = fact
    line: list[Part] = [(f" {label:{LABEL}}", looks.dim)]
    left = width - width_of(line)
    for text, style in parts:
        text = fit(text, min(left, width_of([(text, style)])), ellipsis=ellipsis) if left > 0 else ""
        line.append((text, style))
        left -= width_of([(text, style)])
    return [*line, (" " * max(0, left), looks.text)]
