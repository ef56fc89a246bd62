"""What a transition does: its steps with what they call, counts of tasks, what holds it; for a while also how it ended.

It is about the selected environment, whoever asked for the transition. The full form has a line per step, the short
one three lines in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.style import Style

from console.present import span
from console.store import Store
from console.transitions import (
    FAILED,
    OVERDUE,
    UNDER_WAY,
    call_name,
    elapsed_s,
    has_failed,
    is_tasks,
    last_finished,
    led_to,
    short_step_name,
    slowest,
    step_done,
    step_name,
    usual_s,
    what_failed,
    who,
)
from console.tui.painting import Lines, Part, Parts, width_of
from console.tui.widgets.plot import bar_parts
from server.api.model import OpStatus, Step, TransitionProgress, TransitionRecord

if TYPE_CHECKING:
    from console.tui.looks import Styles

BAR = 16
STEP = 20
"""Cells for the name of a step."""


class TransitionPanel(Lines):
    """Shown while a transition runs and some seconds longer, until it is hidden; the next one shows it again."""

    DEFAULT_CSS = "TransitionPanel { display: none; }"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.is_short = False
        self._hidden: tuple[str, int] | None = None
        """Environment and beginning of the transition that nobody wants to see."""

    def settle(self) -> None:
        """Show or hide, as high as is needed; call after each change and as time passes."""
        shown = current(self.store, self.desk.environment_id, self.desk.session.now())
        is_wanted = shown is not None and self._hidden != (self.desk.environment_id, shown.started_ms)
        if is_wanted and shown is not None:
            height = len(self.lines(self.looks, self.size.width, 0))
            if self.styles.height is None or self.styles.height.value != height:
                self.styles.height = height
        if self.display != is_wanted:
            self.display = is_wanted
        self.repaint()

    def hide(self) -> bool:
        """Hide the transition that is shown, which goes on; say whether there was one."""
        shown = current(self.store, self.desk.environment_id, self.desk.session.now())
        if not self.display or shown is None:
            return False
        self._hidden = (self.desk.environment_id, shown.started_ms)
        self.settle()
        return True

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        now_s = self.desk.session.now()
        return transition_lines(self.store, self.desk.environment_id, now_s, looks, width, is_short=self.is_short)


def current(store: Store, environment_id: str, now_s: float) -> TransitionProgress | TransitionRecord | None:
    """Return the transition under way, else the one that finished lately."""
    environment = store.environment(environment_id)
    if environment is not None and environment.transition is not None:
        return environment.transition
    return last_finished(store.history(environment_id), now_s)


def transition_lines(
    store: Store, environment_id: str, now_s: float, looks: Styles, width: int, *, is_short: bool
) -> list[Parts]:
    """Return what there is to say of the current transition; nothing if there is none."""
    shown = current(store, environment_id, now_s)
    if shown is None:
        return []
    progress = shown if isinstance(shown, TransitionProgress) else None
    if isinstance(shown, TransitionProgress):
        heading = _running(shown, now_s, looks, width)
    else:
        usual = usual_s(store.history(environment_id), shown.event, before_ms=shown.started_ms)
        heading = _finished(shown, usual, looks, width)
    foot = _foot(shown, now_s, looks)
    steps: list[Parts] = [_step(step, progress, now_s, looks) for step in shown.steps]
    if is_short:
        steps = [_flow(shown.steps, progress, now_s, looks)]
    return [heading, *steps, *([foot] if foot or progress else [])]


# ---- its lines -----------------------------------------------------------------------------------


def _running(progress: TransitionProgress, now_s: float, looks: Styles, width: int) -> list[Part]:
    """Return what runs, for whom, how long so far and how long usually, with a bar of that."""
    seconds = elapsed_s(progress.started_ms, 0, now_s)
    usual, budget = progress.usual_ms / 1000, progress.budget_ms / 1000
    style = looks.heading
    if budget and seconds > budget:
        style = looks.alarm
    elif usual and seconds > OVERDUE * usual:
        style = looks.warn
    parts: list[Part] = [(f" {looks.glyph('running')} {progress.event} ", looks.heading + looks.bold)]
    parts.append((f" {_whole(seconds)} ", looks.heading + style + looks.bold))
    if usual:
        parts.append((f" usually {span(usual)} ", looks.heading))
    if limit := usual or budget:
        bar_style = looks.heading + (looks.plot if style is looks.heading else style)
        parts += [(" ", looks.heading), *bar_parts(seconds / limit, BAR, looks, bar_style), (" ", looks.heading)]
    if user := who(progress):
        parts.append((f" by {user} ", looks.heading))
    if budget:
        parts.append((f" tasks have {_whole(budget)} ", looks.heading))
    return _padded(parts, looks, width)


def _finished(record: TransitionRecord, usual: float | None, looks: Styles, width: int) -> list[Part]:
    sign, style = ("bad", looks.alarm) if has_failed(record) else ("ok", looks.good)
    took = (record.ended_ms - record.started_ms) / 1000
    parts: list[Part] = [(f" {looks.glyph(sign)} {record.event} ", looks.heading + style)]
    parts.append((f" {'failed after' if record.error else 'took'} {span(took)} ", looks.heading + looks.bold))
    if usual:
        parts.append((f" usually {span(usual)} ", looks.heading))
    parts.append((f" {led_to(record, ascii=looks.ascii)} ", looks.heading))
    if record.run_number:
        parts.append((f" run {record.run_number} ", looks.heading))
    if user := who(record):
        parts.append((f" by {user} ", looks.heading))
    return _padded(parts, looks, width)


def _foot(shown: TransitionProgress | TransitionRecord, now_s: float, looks: Styles) -> list[Part]:
    """Return what failed, else what holds it."""
    if failed := what_failed(shown.steps):
        return [(f"   {looks.glyph('bad')} {'; '.join(failed)}", looks.alarm)]
    if isinstance(shown, TransitionRecord):
        return [(f"   {shown.error}", looks.alarm)] if shown.error else []
    parts: list[Part] = []
    if shown.waiting_for:
        parts += [("   waiting for ", looks.dim), (shown.waiting_for, looks.text)]
    if slow := slowest(shown.steps, now_s):
        parts += [("   slowest ", looks.dim), (f"{slow[0]} {span(slow[1])}", looks.text)]
    return parts


def _step(step: Step, progress: TransitionProgress | None, now_s: float, looks: Styles) -> list[Part]:
    sign, style = _sign(step.status, looks)
    parts: list[Part] = [(f" {sign} ", style), (f"{step_name(step):{STEP}}", _name_style(step.status, looks))]
    took = span(elapsed_s(step.started_ms, step.ended_ms, now_s)) if step.started_ms else ""
    parts.append((f"{took:>7}  ", looks.dim))
    done, total = step_done(step, progress)
    if total and step.status is not OpStatus.NULL:
        parts += bar_parts(done / total, BAR, looks, looks.plot)
        parts.append((f" {done}/{total} ", looks.bold if done < total else looks.text))
    for call in step.calls:
        call_sign, call_style = _sign(call.status, looks)
        if call.status in FAILED and not call.critical:
            call_style = looks.warn
        words = call_name(call)
        if call.started_ms and call.status is not OpStatus.NULL:
            words += f" {span(elapsed_s(call.started_ms, call.ended_ms, now_s))}"
        parts += [
            (f"{call_sign} ", call_style),
            (f"{words}  ", looks.dim if call.status is OpStatus.NULL else looks.text),
        ]
    return parts


def _flow(steps: Sequence[Step], progress: TransitionProgress | None, now_s: float, looks: Styles) -> list[Part]:
    """Return all steps on one line."""
    parts: list[Part] = [(" ", looks.text)]
    for step in steps:
        sign, style = _sign(step.status, looks)
        parts += [(f"{sign} ", style), (short_step_name(step), _name_style(step.status, looks))]
        done, total = step_done(step, progress)
        if is_tasks(step) and total and step.status is not OpStatus.NULL:
            parts += [(" ", looks.text), *bar_parts(done / total, BAR // 2, looks, looks.plot)]
            parts.append((f" {done}/{total}", looks.bold))
        elif step.status in UNDER_WAY or elapsed_s(step.started_ms, step.ended_ms, now_s) >= 0.1:
            parts.append((f" {span(elapsed_s(step.started_ms, step.ended_ms, now_s))}", looks.dim))
        parts.append(("  ", looks.text))
    return parts


def _sign(status: OpStatus, looks: Styles) -> tuple[str, Style]:
    if status is OpStatus.NULL:
        return looks.glyph("pending"), looks.dim
    if status in UNDER_WAY:
        return looks.glyph("running"), looks.accent
    return (looks.glyph("bad"), looks.alarm) if status in FAILED else (looks.glyph("ok"), looks.good)


def _name_style(status: OpStatus, looks: Styles) -> Style:
    if status is OpStatus.NULL:
        return looks.dim
    return looks.alarm if status in FAILED else looks.bold if status in UNDER_WAY else looks.text


def _whole(seconds: float) -> str:
    """Return minutes and seconds, as a clock that runs."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02}:{rest:02}"


def _padded(parts: list[Part], looks: Styles, width: int) -> list[Part]:
    """Return a heading over the whole width; its last parts are left out where they do not fit."""
    while len(parts) > 1 and width_of(parts) > width:
        parts.pop()
    return [*parts, (" " * max(0, width - width_of(parts)), looks.heading)]
