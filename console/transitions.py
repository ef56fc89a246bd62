"""What can be said of transitions, running and finished: steps in words, durations, what is slow. No looks.

Times are seconds; those of things are Unix milliseconds, 0 for not yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from console.glyphs import glyph
from console.present import look
from server.api.model import History, OpStatus, Step, StepCall, TransitionProgress, TransitionRecord
from server.api.states import EnvironmentEvent

LINGER_S = 8.0
"""How long the result of a transition is shown."""
OVERDUE = 1.5
"""A transition that takes so many times its usual time is overdue."""

FAILED = (OpStatus.DONE_ERROR, OpStatus.DONE_TIMEOUT)
UNDER_WAY = (OpStatus.STARTED, OpStatus.ONGOING)

_TASKS = "tasks_"
_REACHED = {
    "DEPLOY": "STANDBY", "CONFIGURE": "CONFIGURED", "START_ACTIVITY": "RUNNING", "STOP_ACTIVITY": "CONFIGURED",
    "RESET": "STANDBY", "EXIT": "DONE", "DESTROY": "DONE",
}  # fmt: skip
"""States of the tasks that a transition wants."""


def last_finished(history: History | None, now_s: float) -> TransitionRecord | None:
    """Return the transition that finished so lately that its result is still shown."""
    if history is None or not history.transitions:
        return None
    last = history.transitions[-1]
    return last if 0 <= now_s - last.ended_ms / 1000 < LINGER_S else None


def usual_s(history: History | None, event: str, *, before_ms: int = 0) -> float | None:
    """Return the median of those that went well, None without any; of those that began earlier if a time is given."""
    took = [
        (one.ended_ms - one.started_ms) / 1000
        for one in (history.transitions if history else ())
        if one.event == event and not one.error and (not before_ms or one.started_ms < before_ms)
    ]
    return median(took) if took else None


def elapsed_s(started_ms: int, ended_ms: int, now_s: float) -> float:
    """Return how long something takes or took; 0 before it began."""
    if not started_ms:
        return 0.0
    return max(0.0, (ended_ms / 1000 if ended_ms else now_s) - started_ms / 1000)


def step_name(step: Step) -> str:
    """Return "before", "leave CONFIGURED", "tasks to RUNNING", "enter RUNNING" or "after"."""
    kind, _, rest = step.name.partition("_")
    if step.name.startswith(_TASKS):
        return f"tasks to {_REACHED[rest]}" if rest in _REACHED else "tasks"
    return kind if rest in EnvironmentEvent.__members__ else f"{kind} {rest}".strip()


def short_step_name(step: Step) -> str:
    """Return the first word of a step's name."""
    return step.name.partition("_")[0]


def call_name(call: StepCall) -> str:
    """Return "dcs.StartOfRun" of a call, the role of a hook task."""
    return call.func.partition("(")[0] or call.path.rpartition(".")[2]


def is_tasks(step: Step) -> bool:
    return step.name.startswith(_TASKS)


def step_done(step: Step, progress: TransitionProgress | None) -> tuple[int, int]:
    """Return how many tasks of how many a step has brought along; (0, 0) of steps that command none."""
    if progress is not None and step.status in UNDER_WAY and is_tasks(step) and progress.tasks_total:
        return max(step.tasks_done, progress.tasks_done), progress.tasks_total
    return step.tasks_done, step.tasks_total


def slowest(steps: Sequence[Step], now_s: float) -> tuple[str, float] | None:
    """Return the call under way that takes longest, and how long so far."""
    running = [
        (elapsed_s(call.started_ms, 0, now_s), call_name(call))
        for step in steps for call in step.calls if call.status in UNDER_WAY
    ]  # fmt: skip
    if not running:
        return None
    seconds, name = max(running)
    return name, seconds


def what_failed(steps: Sequence[Step]) -> list[str]:
    """Return what went wrong, each in a line: calls with what they said, steps that no call explains."""
    found: list[str] = []
    for step in steps:
        calls = [
            f"{call_name(call)}{'' if call.critical else ' (not critical)'}: {call.error or 'failed'}"
            for call in step.calls if call.status in FAILED
        ]  # fmt: skip
        found += calls
        if step.status in FAILED and step.error and not any(step.error in line for line in calls):
            found.append(f"{step_name(step)}: {step.error}")
    return found


def has_failed(record: TransitionRecord) -> bool:
    """Say whether a transition is no good news: it failed, or led to ERROR as it should."""
    return bool(record.error) or record.reached == "ERROR"


def who(record: TransitionRecord | TransitionProgress) -> str:
    """Return who asked for a transition; nobody asks for GO_ERROR."""
    return "" if record.event == "GO_ERROR" else record.user


def led_to(record: TransitionRecord, *, ascii: bool = False) -> str:
    """Return "CFG»RUN": where it began and where it ended."""
    return f"{look(record.source).code}{glyph('becomes', ascii=ascii)}{look(record.reached).code}"
