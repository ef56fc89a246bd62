"""What a verb gets and what it gives back; how a result is written out in each format."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console.command import Command
from console.session import Session
from console.table import Row, render_facts, render_json, render_line, render_table

if TYPE_CHECKING:
    from console.seat import Seat


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Outcome of a verb. Rows or facts hold more than the table shows: JSON has all of it."""

    rows: tuple[Row, ...] | None = None
    """Several things; None if the verb is about one."""
    columns: tuple[str, ...] = ()
    facts: Row | None = None
    """One thing."""
    data: Any = None
    """What JSON says, if that is not the rows or facts."""
    text: str = ""
    """For people, instead of a table or after the facts: trees, lists below a heading."""
    ids: tuple[str, ...] = ()
    empty: str = ""
    """What to say on stderr when there are no rows."""
    code: int = 0
    problem: str = ""
    """Why the code is not 0."""
    environment_id: str = ""
    state_before: str = ""
    state_after: str = ""
    """Of the environment, or of the task or executor that the command is about."""
    run_number: int = 0
    is_step: bool = False
    """Scripts print one line for it."""


@dataclass(slots=True, kw_only=True)
class Context:
    """A verb's surroundings."""

    session: Session
    command: Command
    args: argparse.Namespace
    emit: Callable[[str], None]
    """Writes data of verbs that stream."""
    say: Callable[[str], None]
    """Writes a message line to stderr."""
    output: str = "table"
    is_gated: bool = False
    """Every level of confirmation is asked for (scripts); else only level 4."""
    own: set[str] = field(default_factory=set)
    """Environments that this script made: they need no more than ``--yes``."""
    wait_s: float = 600.0
    """For verbs that wait and were not told how long."""
    colour: bool = False
    ascii: bool = False
    seat: Seat | None = None
    """Where somebody sits who typed this; None for single commands and scripts."""
    recordings: str = ""
    """Folder of the user's recordings."""
    unfinished: str = ""
    """Environment that a verb began to make when it was interrupted."""


def render(result: Result, output: str, *, colour: bool = False) -> str:
    """Return a result as the text for stdout."""
    value: Any = result.data
    if value is None:
        value = result.facts if result.rows is None else list(result.rows)
    if output == "id":
        return "".join(f"{one}\n" for one in result.ids)
    if output == "json":
        return "" if value is None else render_json(value)
    if output == "ndjson":
        return "" if value is None else "".join(map(render_line, value if isinstance(value, list | tuple) else [value]))
    if result.rows is not None:
        return result.text or (render_table(result.columns, result.rows, colour=colour) if result.rows else "")
    shown = {key: it for key, it in (result.facts or {}).items() if not isinstance(it, dict | list)}
    return (render_facts(shown, colour=colour) if shown else "") + result.text
