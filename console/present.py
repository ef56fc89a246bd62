"""How things look as text: states with glyph and code, sizes, rates, times, one-line descriptions. No I/O, no colours.

Colours of a screen come from themes.py; those of the command line, which the terminal chooses, stand here with the states.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from console.glyphs import glyph
from server.api.states import Status

if TYPE_CHECKING:
    from server.api.model import Drain, Environment, Fault, Metric, Task, TransitionProgress


class Look(NamedTuple):
    """Appearance of a state: never colour alone."""

    glyph: str
    ascii: str
    code: str
    sgr: str
    """Colour on the command line, as the terminal's codes say it."""


LOOKS: dict[str, Look] = {
    "PENDING": Look("◦", "-", "PND", "90"),
    "STANDBY": Look("○", "o", "STB", "90"),
    "DEPLOYED": Look("◔", "d", "DEP", "36"),
    "CONFIGURED": Look("◑", "c", "CFG", "34;1"),
    "RUNNING": Look("●", "R", "RUN", "32;1"),
    "PAUSED": Look("◍", "p", "PAU", "34;1"),
    "ERROR": Look("✖", "X", "ERR", "31;7"),
    "MIXED": Look("◪", "m", "MIX", "33"),
    "UNKNOWN": Look("?", "?", "UNK", "35"),
    "INVARIANT": Look("=", "=", "INV", "90"),
    "DONE": Look("◌", ".", "DON", "90"),
}

CRITICAL_ERROR = Look("✖!", "X!", "ER!", "31;7;1")

RANK = {"ERROR": 0, "UNKNOWN": 1, "MIXED": 2, "PAUSED": 3, "STANDBY": 4, "CONFIGURED": 5, "RUNNING": 6, "DONE": 7}
"""Worst first, for sorting tasks."""

_TARGETS = {"DEPLOY": "DEP", "CONFIGURE": "CFG", "START_ACTIVITY": "RUN", "STOP_ACTIVITY": "CFG", "RESET": "DEP",
            "GO_ERROR": "ERR", "DESTROY": "DON", "CREATE": "CFG", "RECOVER": "DEP", "EXIT": "DON"}  # fmt: skip


def look(state: str, *, critical: bool = False) -> Look:
    """Return the appearance of a state; a name that is not known looks like UNKNOWN."""
    if critical and state == "ERROR":
        return CRITICAL_ERROR
    return LOOKS.get(state, LOOKS["UNKNOWN"])


def state_code(environment: Environment, *, ascii: bool = False) -> str:
    """Return "RUN", or "CFG»RUN 62%" while a transition runs."""
    code = look(environment.state).code
    progress = environment.transition
    if progress is None:
        return code
    share = f" {100 * progress.tasks_done // progress.tasks_total}%" if progress.tasks_total else ""
    return f"{code}{glyph('becomes', ascii=ascii)}{_TARGETS.get(progress.event, '?')}{share}"


def step_line(progress: TransitionProgress) -> str:
    """Return "CONFIGURE tasks_CONFIGURE 12/48, waiting for ..."."""
    parts = [progress.event]
    if progress.step:
        parts.append(progress.step)
    if progress.tasks_total:
        parts.append(f"{progress.tasks_done}/{progress.tasks_total} tasks")
    line = " ".join(parts)
    return f"{line}, waiting for {progress.waiting_for}" if progress.waiting_for else line


def fault_line(fault: Fault) -> str:
    """Return one line: when, what, which task on which host, during what, and why, saying nothing twice."""
    line = f"{clock(fault.at_ms)}  {fault.what or 'failure'}"
    if fault.task and fault.task not in line:
        line += f": task {fault.task}"
    if fault.host and fault.host not in line:
        line += f" on {fault.host}"
    if fault.during and fault.during not in line:
        line += f" during {fault.during}"
    if fault.cause and fault.cause not in line:
        line += f" ({fault.cause})"
    return line


def task_problem(task: Task) -> str:
    """Return why a task is in trouble, "" if it is not."""
    if task.error:
        return task.error
    if task.status == Status.ACTIVE.value:
        return ""  # how the last process of a hook or basic task ended says nothing of the task
    if task.signal:
        return f"killed by signal {task.signal}"
    return f"exit code {task.exit_code}" if task.exit_code else ""


def size(count: float) -> str:
    """Return bytes in decimal units: "0 B", "12.3 MB"."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} PB"


def rate(bytes_per_s: float) -> str:
    return f"{size(bytes_per_s)}/s"


def measured(metric: Metric) -> str:
    """Return a metric's value in words."""
    if metric.unit in ("B", "bytes"):
        return size(metric.value)
    if metric.unit in ("B/s", "bytes/s"):
        return rate(metric.value)
    return f"{metric.value:g} {metric.unit if metric.unit != '1' else ''}".strip()


def span(seconds: float) -> str:
    """Return a duration: "0.35 s", "12.4 s", "02:05", "1:02:05"."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes:02}:{whole % 60:02}"


def age(seconds: float) -> str:
    """Return whole seconds: "5 s", "02:05", "1:02:05"; 0 for what a clock that runs ahead would make negative."""
    whole = max(0, int(seconds))
    return f"{whole} s" if whole < 60 else span(whole)


def clock(at_ms: int) -> str:
    """Return local time with milliseconds, "-" for 0."""
    return datetime.fromtimestamp(at_ms / 1000).strftime("%H:%M:%S.%f")[:-3] if at_ms else "-"


def moment(at_ms: int) -> str:
    """Return local date and time, "-" for 0."""
    return datetime.fromtimestamp(at_ms / 1000).astimezone().isoformat(" ", "seconds") if at_ms else "-"


def drained(drain: Drain | None) -> str:
    """Return by whom, since when and why nothing new is placed on a host; "" if tasks can be."""
    if drain is None:
        return ""
    return f"by {drain.who} since {moment(drain.since_ms)[:16]}{f': {drain.why}' if drain.why else ''}"


def run_number(number: int) -> str:
    return str(number) if number else "-"


def names(items: tuple[str, ...], limit: int = 0) -> str:
    """Return names with blanks between, "-" for none; those that do not fit into ``limit`` characters as "+3"."""
    if not items:
        return "-"
    text = " ".join(items)
    if not limit or len(text) <= limit:
        return text
    kept: list[str] = []
    while len(kept) < len(items) and len(" ".join([*kept, items[len(kept)], "+99"])) <= limit:
        kept.append(items[len(kept)])
    return " ".join([*kept, f"+{len(items) - len(kept)}"])


def short_class(name: str) -> str:
    """Return a task class without repository and revision."""
    return name.rpartition("/")[2].partition("@")[0]
