"""Leaving the screen: asked first while something that was asked for is under way, or while armed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from console.tui.dialogs.base import Choice, Question, Row

if TYPE_CHECKING:
    from console.tui.actions import OperatorApp

STAY, LEAVE = "stay", "leave"


def leave(app: OperatorApp, then: Callable[[], object], *, word: str = "Quit") -> None:
    """Do what leaves the screen, after a question where there is something to lose sight of.

    Args:
        word: what leaving is called here.
    """
    acts = app.operator.acts
    if not acts and not app.arming.is_armed:
        then()
        return
    looks = app.looks
    rows: list[Row] = [[(one.line, looks.bold)] for one in acts]
    if acts:
        rows += [[], [("The core goes on with it without this console; you will not be told here how it ends.",
                       looks.text)]]  # fmt: skip
    else:
        rows.append([("This console is armed.", looks.text)])
    choices: Sequence[Choice] = [Choice(STAY, "Stay"), Choice(LEAVE, word, "act")]
    title = f"{word} while this is under way" if acts else word
    question = Question(title, rows, choices, default=STAY if acts else LEAVE)

    def answered(answer: str | None) -> None:
        if answer == LEAVE:
            then()

    app.push_screen(question, answered)
