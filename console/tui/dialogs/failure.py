"""Says that something went wrong: what, where, what to do next, and which kind of failure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.exit_codes import KINDS, OUTCOME_UNKNOWN
from console.tui.dialogs.base import Choice, Fact, Question, Row

if TYPE_CHECKING:
    from console.tui.looks import Styles

CLOSE = "close"


def failure(title: str, text: str, code: int, line: str, looks: Styles) -> Question:
    """Return the dialog; it is closed by Enter or Esc.

    Args:
        text: as ``exit_codes.explain`` or a result words it, "label: value" lines below the first.
        code: exit code of the same command on a command line.
        line: the command.
    """
    first, *others = text.splitlines() or [""]
    rows: list[Row] = [[(f"{looks.glyph('bad')} ", looks.alarm), (first, looks.alarm)], []]
    facts = []
    for other in others:
        label, sign, value = other.strip().partition(":")
        if sign and " " not in label:
            facts.append(Fact(label.capitalize(), [(value.strip(), looks.bold if label == "next" else looks.text)]))
        elif other.strip():
            rows.append([(other.strip(), looks.text)])
    if code == OUTCOME_UNKNOWN:
        facts.append(
            Fact("Mind", [("The core may have done it, or may still do it: look before you try again.", looks.warn)])
        )
    facts.append(Fact("Kind", [(f"{code} {KINDS.get(code, 'unclassified')}", looks.dim)]))
    if line:
        facts.append(Fact("Command", [(line, looks.dim)]))
    return Question(title, [*rows, *facts], [Choice(CLOSE, "Close")], default=CLOSE, kind="danger")
