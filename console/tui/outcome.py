"""How a result is told on the screen: one line for what was done, sections to read for what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.present import LOOKS, span
from console.results import Result, render
from console.tui.order import Order
from console.tui.painting import Part, Parts
from console.tui.widgets.pager import Section

if TYPE_CHECKING:
    from console.tui.looks import Styles

ONE_LINE = frozenset({"use", "arm", "disarm", "theme"})
"""Verbs that change only this console: what they did is said in a line."""


def done_line(order: Order, result: Result) -> str:
    """Return what was done, the state reached and how long it took, in one line."""
    facts = result.facts or {}
    took = f", {span(float(facts['duration_s']))}" if facts.get("duration_s") is not None else ""
    run = f", run {result.run_number}" if result.run_number else ""
    match order.command.name:
        case "env create":
            return (
                f"{result.environment_id} of {facts.get('template', '?')} is {result.state_after or 'under way'}{took}"
            )
        case "env destroy":
            killed = facts.get("tasks_killed", 0)
            left = f", {facts['tasks_running']} tasks go on" if facts.get("tasks_running") else ""
            return f"{result.environment_id} is gone, {killed} tasks ended{left}{took}"
        case "env wait":
            return f"{result.environment_id} is {result.state_after}{run}"
        case "use":
            return f"the screens are about {result.environment_id}" if result.environment_id else "about no environment"
        case "arm":
            return f"changes are possible until {facts.get('until_idle_for', 'a while')} without a key"
        case "disarm":
            return "changes are not possible any more"
    if result.environment_id and facts.get("event"):
        return f"{facts['event']} of {result.environment_id}: {result.state_after}{run}{took}"
    if result.rows is not None:
        return f"{len(result.rows)} done: {', '.join(result.ids)}" if result.rows else result.empty or "done"
    return ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in facts.items() if value) or "done"


def sections(
    result: Result, output: str, notes: Sequence[str], emitted: Sequence[str], looks: Styles
) -> tuple[Section, ...]:
    """Return the data of a result, and what was said about it, to read; none if there is no data."""
    text = "".join(emitted) + render(result, output)
    if not text.strip():
        return ()
    found = text.splitlines()
    heading = found.pop(0) if output == "table" and result.rows and not result.text else ""
    said: list[Parts] = [[(line, looks.alarm)] for line in result.problem.splitlines()]
    said += [[(note, looks.dim)] for note in notes]
    told = [Section("", said)] if said else []
    return (*told, Section(heading, [_line(line, looks) for line in found]))


def _line(line: str, looks: Styles) -> Parts:
    """Return a line of text: its label dim if it has one, states in their own looks."""
    label, sign, value = line.partition(":")
    if sign and (value.startswith(" ") or not value) and "  " not in label.strip() and len(label) < 40:
        return [(f"{label}:", looks.dim), *_states(value, looks)]
    return _states(line, looks)


def _states(text: str, looks: Styles) -> list[Part]:
    parts: list[Part] = []
    for at, word in enumerate(text.split(" ")):
        blank = " " if at else ""
        parts.append((blank + word, looks.look(word).style if word in LOOKS else looks.text))
    return parts
