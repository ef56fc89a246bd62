"""The ``:`` line: one command in the words of the prompt and of scripts, with what fits shown above it while typing."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from console.candidates import Candidate, Sources
from console.completion import complete, wanted
from console.exit_codes import explain
from console.store import Key
from console.tui.painting import AtDesk, Lines, Part, Parts, fit
from server.api.errors import AliecsError

if TYPE_CHECKING:
    from console.tui.looks import Styles

SHOWN = 8
"""Candidates at a time."""


class CommandLine(AtDesk, ModalScreen[str]):
    """One line at the bottom; the answer is the line, None for Esc.

    Args:
        text: to begin with.
        history: lines given before, the last one last.
        sources: what is known for completing, as of now.
        fetch: called with what has to be fetched to complete further ("templates", "repos"), and what to call then.
        check: raises for a line that says nothing; it stays open then and tells why.
    """

    DEFAULT_CSS = """
    CommandLine { background: transparent; align: left bottom; }
    CommandLine > #line { height: auto; width: 100%; dock: bottom; }
    CommandLine #entry { height: 1; background: $selection; }
    CommandLine #entry Label { width: 2; padding: 0; color: $accent; text-style: bold; background: $selection; }
    CommandLine #entry Input { width: 1fr; height: 1; border: none; padding: 0; background: $selection; }
    """
    is_made_for_typing = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", id="line.leave"),
        Binding("tab", "choose(1)", "complete", id="line.next", priority=True),
        Binding("shift+tab", "choose(-1)", "complete back", id="line.previous", priority=True),
        Binding("up", "recall(-1)", "older", id="line.older"),
        Binding("down", "recall(1)", "newer", id="line.newer"),
    ]

    def __init__(
        self,
        text: str,
        history: Sequence[str],
        sources: Callable[[], Sources],
        fetch: Callable[[str, Callable[[], None]], None],
        check: Callable[[list[str]], object],
    ) -> None:
        super().__init__()
        self._text = text
        self._history = list(history)
        self._at = len(self._history)
        self._sources = sources
        self._fetch = fetch
        self._check = check
        self._typed = text
        """What the candidates belong to, while one of them stands in the line."""
        self._put_text = ""
        """What we put into the line, so that it is not taken for typing."""

    def compose(self) -> ComposeResult:
        with Vertical(id="line"):
            yield Candidates()
            with Horizontal(id="entry"):
                yield Label(": ")
                yield _Entry(self._text)

    def on_mount(self) -> None:
        entry = self.query_one(_Entry)
        entry.focus()
        self.desk.typing_begins(self)
        entry.cursor_position = len(self._text)
        self._offer()

    def take(self, changed: set[Key]) -> None:
        """Look again what is possible."""
        if self._shown.chosen is None and not self._shown.problem:
            self._offer()

    # ---- typing ------------------------------------------------------------------------------

    @property
    def _shown(self) -> Candidates:
        return self.query_one(Candidates)

    @on(Input.Changed)
    def _on_changed(self, event: Input.Changed) -> None:
        if event.value != self._put_text:
            self._put_text = ""
            self._typed = event.value
            self._offer()

    def _offer(self) -> None:
        """Show what fits at the cursor."""
        line = self._typed
        cursor = min(self.query_one(_Entry).cursor_position, len(line))
        sources = self._sources()
        self._shown.show(complete(line, cursor, sources))
        kind, _ = wanted(line, cursor, sources.surface)
        if kind:
            self._fetch(kind, self._offer_fetched)

    def _offer_fetched(self) -> None:
        if self.is_attached and self._shown.chosen is None:
            self._shown.show(complete(self._typed, len(self._typed), self._sources()))

    def action_choose(self, step: int) -> None:
        """Put the next candidate into the line; the only one for good."""
        shown = self._shown
        candidate = shown.step(step)
        if candidate is None:
            return
        is_only = len(shown.candidates) == 1
        tail = " " if is_only and not candidate.text.endswith(("=", ".", "/", "@")) else ""
        self._put(self._typed[: candidate.start] + candidate.text + tail)
        if is_only:
            self._typed = self._put_text
            self._offer()

    def action_recall(self, step: int) -> None:
        """Go through the lines of this session."""
        at = self._at + step
        if 0 <= at <= len(self._history):
            self._at = at
            self._typed = self._history[at] if at < len(self._history) else ""
            self._put(self._typed)
            self._offer()

    def _put(self, text: str) -> None:
        entry = self.query_one(_Entry)
        self._put_text = text
        entry.value = text
        entry.cursor_position = len(text)

    # ---- the end -----------------------------------------------------------------------------

    @on(Input.Submitted)
    def _on_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        line = event.value.strip().removeprefix(":").strip()
        if not line:
            self.dismiss(None)
            return
        try:
            self._check(shlex.split(line))
        except ValueError as error:
            self._shown.tell(f"{line}: {str(error).lower()}")
        except AliecsError as error:
            self._shown.tell(explain(error))
        else:
            self.dismiss(line)

    def action_leave(self) -> None:
        """Give back what was typed while a candidate stands in the line, else close."""
        if self._shown.chosen is not None:
            self._put(self._typed)
            self._offer()
        else:
            self.dismiss(None)


class Candidates(Lines):
    """What fits, some lines of it; or why a line cannot be given."""

    DEFAULT_CSS = "Candidates { height: auto; background: $surface; }"

    def __init__(self) -> None:
        super().__init__()
        self.candidates: Sequence[Candidate] = ()
        self.chosen: int | None = None
        self.problem = ""

    def show(self, candidates: Sequence[Candidate]) -> None:
        """Show other candidates, none of them chosen."""
        self.candidates, self.chosen, self.problem = candidates, None, ""
        self._lay_out()

    def tell(self, problem: str) -> None:
        """Say why the line is not taken."""
        self.candidates, self.chosen, self.problem = (), None, problem
        self._lay_out()

    def step(self, step: int) -> Candidate | None:
        """Choose the next or the previous one; None if there is none."""
        if not self.candidates:
            return None
        if self.chosen is None:
            self.chosen = 0 if step > 0 else len(self.candidates) - 1
        else:
            self.chosen = (self.chosen + step) % len(self.candidates)
        self.repaint()
        return self.candidates[self.chosen]

    def _lay_out(self) -> None:
        more = len(self.candidates) > SHOWN
        self.styles.height = len(self.problem.splitlines()) or min(SHOWN, len(self.candidates)) + more
        self.repaint()

    def below(self, looks: Styles) -> Style:
        return looks.surface

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        if self.problem:
            signs = [looks.glyph("warn"), " "]
            told = self.problem.splitlines()
            return [[(f" {signs[at > 0]} {line}", looks.warn)] for at, line in enumerate(told)]
        first = 0 if self.chosen is None else max(0, min(self.chosen - SHOWN // 2, len(self.candidates) - SHOWN))
        shown = self.candidates[first : first + SHOWN]
        room = min(max((len(one.display) for one in shown), default=0), width // 2) + 2
        lines: list[Parts] = []
        for at, one in enumerate(shown, first):
            is_chosen = at == self.chosen
            mark = looks.glyph("selected") if is_chosen else " "
            parts: list[Part] = [
                (f" {mark} ", looks.key),
                (fit(one.display, room, ellipsis=looks.glyph("ellipsis")), looks.bold if is_chosen else looks.text),
                (one.meta, looks.dim),
            ]
            if is_chosen:
                parts = [(text, style + looks.selected) for text, style in parts]
            lines.append(parts)
        if len(self.candidates) > SHOWN:
            lines.append([(f"   {len(self.candidates) - SHOWN} more", looks.dim)])
        return lines


class _Entry(Input):
    """The line itself."""

    def __init__(self, text: str) -> None:
        super().__init__(text, compact=True, select_on_focus=False)
        self.cursor_blink = False
