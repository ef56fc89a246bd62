"""What the prompt and the bar below it say, as fragments of style and text. Pure: reads the shell, draws nothing."""

from __future__ import annotations

from collections.abc import Sequence

from console.present import age, run_number, step_line
from console.repl.paint import Paints
from console.repl.shell import Shell
from console.session import Session
from console.store import Link
from console.table import clean

Fragments = list[tuple[str, str]]

SHOWN_TRANSITIONS = 2


def prompt(shell: Shell, paints: Paints) -> Fragments:
    """Return the prompt: instance, state and run of the environment in use, how long armed, the environment."""
    session = shell.session
    store = session.store
    instance = clean(store.core.instance) if store.core and store.core.instance else "AliECS"
    parts: Fragments = [(paints.style("title"), instance)]
    if store.link is Link.LOST or (session.is_stale and store.is_complete):
        word = "link lost" if store.link is Link.LOST else "stale"
        parts.append((paints.style("alarm"), f" {paints.glyph('lost')} {word}"))
    environment = store.environment(shell.in_use)
    if environment is not None:
        sign, code, style = paints.state(environment.state)
        run = f" {run_number(environment.run_number)}" if environment.run_number else ""
        moving = paints.glyph("becomes") if environment.transition else ""
        parts += [("", " "), (style, f"{sign}{code}{moving}{run}")]
    if shell.arming.is_armed:
        parts += [("", " "), (paints.style("armed"), f"[armed {_minutes(shell.arming.remaining_s)}]")]
    if shell.in_use:
        gone = "" if environment is not None or not store.is_complete else " (gone)"
        parts.append(("", f" {shell.in_use}{gone}"))
    return [*parts, ("", " "), (paints.style("accent"), paints.glyph("prompt")), ("", " ")]


def toolbar(shell: Shell, paints: Paints, width: int) -> Fragments:
    """Return the bar: link and age of the data, mode, what moves, what runs behind; the last parts go where it is narrow."""
    session = shell.session
    parts: list[Fragments] = [link(session, paints)]
    if shell.arming.is_armed:
        parts.append([(paints.style("armed"), f" armed {_minutes(shell.arming.remaining_s)} ")])
    else:
        parts.append([(paints.style("bar"), " observing ")])
    if session.source.is_advisory:
        parts.append([(paints.style("bar_warn"), f" {paints.glyph('advisory')} advisory: polled, may be old ")])
    if count := len(shell.jobs()):
        parts.append([(paints.style("bar_key"), f" {count} job{'s' if count > 1 else ''} ")])
    parts += [[(paints.style("bar"), f" {text} ")] for text in _transitions(shell)]
    parts.append([(paints.style("bar_dim"), f" {session.client.endpoint} ")])
    while len(parts) > 1 and sum(len(text) for part in parts for _, text in part) > width:
        parts.pop()
    shown = [fragment for part in parts for fragment in part]
    rest = width - sum(len(text) for _, text in shown)
    return [*shown, (paints.style("bar"), " " * max(0, rest))]


def link(session: Session, paints: Paints) -> Fragments:
    """Return the state of the link and the age of what is known."""
    if session.store.link is Link.CONNECTING:
        return [(paints.style("bar_warn"), f" {paints.glyph('connecting')} connecting ")]
    seconds = session.age_s()
    shown = f"{seconds:.1f} s" if seconds < 10 else age(min(seconds, 1e8))
    if session.store.link is Link.LOST:
        return [(paints.style("bar_alarm"), f" {paints.glyph('lost')} link lost, data is {shown} old ")]
    if session.is_stale:
        return [(paints.style("bar_alarm"), f" {paints.glyph('warn')} stale, data is {shown} old ")]
    return [(paints.style("bar_good"), f" {paints.glyph('live')} {shown} ")]


def _transitions(shell: Shell) -> Sequence[str]:
    """Return what moves, the environment in use first."""
    moving = [one for one in shell.session.store.environments() if one.transition is not None]
    moving.sort(key=lambda one: one.id != shell.in_use)
    shown = [f"{one.id} {clean(step_line(one.transition))}" for one in moving[:SHOWN_TRANSITIONS] if one.transition]
    if len(moving) > SHOWN_TRANSITIONS:
        shown.append(f"and {len(moving) - SHOWN_TRANSITIONS} more")
    return shown


def _minutes(seconds: float) -> str:
    """Return what is left in the largest unit that says enough: "12m", "45s"."""
    return f"{round(seconds / 60)}m" if seconds >= 90 else f"{max(1, round(seconds))}s"
