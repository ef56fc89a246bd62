"""What the screen asks about itself: before it is armed, and before it is left with something under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from console.tui.dialogs.base import Choice, Question, Row

if TYPE_CHECKING:
    from console.tui.actions import OperatorApp

STAY, LEAVE, ARM = "stay", "leave", "arm"


def ask_to_arm(app: OperatorApp) -> None:
    """Arm after a word about what that means."""
    looks = app.looks
    rows: list[Row] = [
        [("Changes become possible from this console, each after its own question.", looks.text)],
        [(f"It observes again after {app.arming.usual_s / 60:g} min without a key, or by A.", looks.dim)],
    ]
    choices = [Choice(STAY, "Observe"), Choice(ARM, "Arm", "act")]

    def answered(answer: str | None) -> None:
        if answer == ARM:
            app.arm()

    app.push_screen(Question("Arm this console", rows, choices, default=ARM), answered)


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
