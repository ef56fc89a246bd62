"""Asks before an order is carried out, by its level (gates.py), and closes when what it was opened on changes.

While the console only observes it offers to arm first. What it says of the order: facts.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label

from console.gates import Need, missing
from console.store import Key
from console.tui.dialogs.base import Choice, Choices, Dialog, Press, Sheet
from console.tui.dialogs.facts import button_of, rows_of
from console.tui.order import Order, why_not
from console.tui.painting import Parts

if TYPE_CHECKING:
    from console.safety import Arming

CANCEL, ARM, ACT = "cancel", "arm", "act"
ROOMY_LINES = 32
"""Of a terminal from which a dialog need not save lines."""
KINDS = {3: "warn", 4: "danger"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What confirms an order."""

    typed: str = ""
    reason: str = ""


class Armed(Protocol):
    """What the dialog asks of the app beside what every widget may."""

    arming: Arming

    def arm(self) -> None:
        """Make changes possible for a while."""


class Confirm(Dialog[Answer]):
    """The question; None is a no. ``closed_because`` says what closed it if nobody did.

    Args:
        order: to be confirmed.
        needed: what it needs, as of now.
    """

    DEFAULT_CSS = """
    Confirm .ask { height: 1; margin-top: 1; }
    Confirm .ask Label { width: 13; color: $dim; }
    Confirm .ask Input { width: 1fr; background: $panel; border: none; height: 1; padding: 0 1; }
    Confirm .ask Input:focus { background: $selection; }
    Confirm #words, Confirm #problem { margin-top: 1; }
    Confirm #problem { display: none; }
    Confirm.-problem #problem { display: block; }
    Confirm.-observing #answers { display: none; }
    Confirm #answers { height: auto; }
    Confirm.-short > #box { padding: 0 2; }
    Confirm.-short .ask { margin-top: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("A", "arm", "arm", id="dialog.arm")]

    def __init__(self, order: Order, needed: Need) -> None:
        title = needed.what[0].upper() + needed.what[1:]
        super().__init__(title, kind=KINDS.get(needed.level, ""))
        self.order = order
        self.needed = needed
        self.closed_because = ""

    def body(self) -> ComposeResult:
        needed = self.needed
        self._pin = self.order.pin(self.store)
        is_short = self.app.size.height < ROOMY_LINES
        self.set_class(is_short, "-short")
        yield Sheet(rows_of(self.order, needed, self.desk.session, self.looks, is_short=is_short), id="facts")
        with Vertical(id="answers"):
            if needed.level >= 3:
                yield Sheet([self._words()], id="words")
                with Horizontal(classes="ask"):
                    yield Label("Confirm")
                    yield _Line(id="typed")
            if needed.needs_reason:
                with Horizontal(classes="ask"):
                    yield Label("Reason")
                    yield _Line(id="reason")
        yield Sheet(id="problem")
        kind = "danger" if needed.level >= 3 else "act"
        yield Choices(
            [Choice(CANCEL, "Cancel"), Choice(ARM, "Arm (A)", "act"), Choice(ACT, button_of(self.order), kind)]
        )

    def on_mount(self) -> None:
        self._show_stage()

    # ---- what changes under it ---------------------------------------------------------------

    def take(self, changed: set[Key]) -> None:
        super().take(changed)
        broken = self._pin.broken_by(self.order.target(self.store)) or why_not(self.order, self.desk.session)
        if broken and self.is_attached and not self.closed_because:
            self.closed_because = broken
            self.dismiss(None)

    def tick(self) -> None:
        super().tick()
        if self.has_class("-observing") is self._armed.arming.is_armed:
            self._show_stage()
        self.take(set())

    # ---- the answer --------------------------------------------------------------------------

    def action_arm(self) -> None:
        if not self._armed.arming.is_armed:
            self._armed.arm()
            self._show_stage()

    @on(Press.Pressed)
    def _on_pressed(self, event: Press.Pressed) -> None:
        event.stop()
        if event.name == ACT:
            self._confirm()
        elif event.name == ARM:
            self.action_arm()
        else:
            self.dismiss(None)

    @on(Input.Submitted)
    def _on_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not self._text("typed"):
            self.dismiss(None)  # Enter alone takes the default, which is to leave all as it is
            return
        if event.input.id == "typed" and self.needed.needs_reason and not self._text("reason"):
            if not missing(self.needed, self._text("typed"), "x" * 99):
                self.query_one("#reason", Input).focus()
                self._tell("")
                return
        self._confirm()

    def _confirm(self) -> None:
        answer = Answer(self._text("typed"), self._text("reason"))
        if problem := missing(self.needed, answer.typed, answer.reason):
            self._tell(problem)
        elif self._armed.arming.is_armed:
            self.dismiss(answer)

    def _text(self, name: str) -> str:
        found = self.query(f"#{name}").results(Input)
        return next((one.value.strip() for one in found), "")

    # ---- how it looks ------------------------------------------------------------------------

    @property
    def _armed(self) -> Armed:
        return cast("Armed", self.app)

    def _show_stage(self) -> None:
        """Offer to arm while the console observes, else the answers."""
        is_armed = self._armed.arming.is_armed
        self.set_class(not is_armed, "-observing")
        choices = self.query_one(Choices)
        choices.choice(ARM).display = not is_armed
        choices.choice(ACT).display = is_armed
        if is_armed:
            self._tell("")
            if self.needed.level >= 3:
                self.query_one("#typed", Input).focus()
            else:
                choices.choice(ACT if self.needed.level < 2 else CANCEL).focus()
        else:
            minutes = self._armed.arming.usual_s / 60
            self._tell(
                f"This console observes: nothing can be changed. A arms it, until {minutes:g} min without a key."
            )
            choices.choice(CANCEL).focus()

    def _words(self) -> Parts:
        looks, token, wanted = self.looks, self.needed.short_token, self.needed.wanted
        if wanted == self.needed.token:
            return [("Type ", looks.text), (wanted, looks.key), (" in full.", looks.text)]
        return [("Type ", looks.text), (token, looks.key), (f"{wanted.removeprefix(token)}.", looks.text)]

    def _tell(self, problem: str) -> None:
        self.set_class(bool(problem), "-problem")
        sign = self.looks.glyph("warn")
        self.query_one("#problem", Sheet).show([[(f"{sign} {problem}", self.looks.warn)]] if problem else [])


class _Line(Input):
    """One line to type into."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, compact=True, select_on_focus=False)
        self.cursor_blink = False
