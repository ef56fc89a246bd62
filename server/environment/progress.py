"""How far a transition has come: its steps done, under way and still to come, as clients see them.

Told by what carries the steps out (transition.py, hooks.py, teardown.py), so it follows from the stimuli alone and a
replay gives the same. Plans nothing itself: plan.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from server.api.model import OpStatus, Step, StepCall, TransitionRecord
from server.api.states import EnvironmentEvent, EnvironmentState
from server.environment.tree import Hook
from server.template.model import RoleKind

RECORDS_KEPT = 50
NOT_DEPLOYED = ("before_DEPLOY", "leave_STANDBY")
"""Moments at which hook tasks are passed over: there are none before the deployment (core.md 2.8.1)."""


@dataclass(slots=True)
class _Stage:
    """One step as it grows."""

    step: Step
    """Without its calls."""
    calls: dict[int, StepCall] = field(default_factory=dict)
    """By role."""
    view: Step | None = None
    """The whole, until something changes."""

    def shown(self) -> Step:
        if self.view is None:
            self.view = replace(self.step, calls=tuple(self.calls.values())) if self.calls else self.step
        return self.view


class Progress:
    """One transition, from its beginning to its end.

    Attributes:
        source: state in which it began.
        user: who asked for it.
        budget_ms: longest time of its tasks step, 0 if there is none that is known.
    """

    def __init__(
        self,
        event: EnvironmentEvent,
        source: EnvironmentState,
        *,
        user: str,
        started_ms: int,
        budget_ms: int,
        moments: Iterable[str],
        hooks: Iterable[Hook],
    ) -> None:
        self.event = event
        self.source = source
        self.user = user
        self.started_ms = started_ms
        self.budget_ms = budget_ms
        self._stages = {moment: _Stage(Step(name=moment)) for moment in moments}
        self._open: _Stage | None = None
        self._stage_of: dict[int, _Stage] = {}
        """By role of a hook: the step in which it begins."""
        self._under_way: dict[str, int] = {}
        """Token of what was begun to its role."""
        for hook in sorted(hooks, key=lambda hook: hook.weight):
            self._expect(hook)

    def _expect(self, hook: Hook) -> None:
        role, stage = hook.role, self._stages.get(hook.moment)
        if stage is None or (role.kind is RoleKind.TASK and hook.moment in NOT_DEPLOYED):
            return
        stage.calls[role.order] = StepCall(path=role.path, func=role.loaded.func, critical=role.critical)
        self._stage_of[role.order] = stage

    # ---- what happens ------------------------------------------------------------------------

    def reach(self, moment: str, at_ms: int) -> None:
        """Begin a step; the one before it is done."""
        self.leave(at_ms)
        self._open = self._stages[moment]
        self._change(status=OpStatus.ONGOING, started_ms=at_ms)

    def leave(self, at_ms: int, error: str = "") -> None:
        """End the step under way, if there is one."""
        self._change(status=OpStatus.DONE_ERROR if error else OpStatus.DONE_OK, ended_ms=at_ms, error=error)
        self._open = None

    def count_tasks(self, done: int, total: int) -> None:
        """Note how many tasks have done what the step under way asks of them."""
        self._change(tasks_done=done, tasks_total=total)

    def count_failed(self, failed: int | None) -> None:
        """Note that all tasks of the step under way have answered and how many did not do it; None: not one did."""
        if self._open is not None:
            total = self._open.step.tasks_total
            self._change(tasks_done=0 if failed is None else total - failed)

    def begin_call(self, role: int, token: str, at_ms: int) -> None:
        """Note that a hook has begun; ``token`` names this time of it."""
        self._under_way[token] = role
        self._change_call(role, status=OpStatus.ONGOING, started_ms=at_ms)

    def end_call(self, token: str, at_ms: int, error: str = "") -> None:
        """Note how a hook ended; one that began in another transition is passed over."""
        role = self._under_way.pop(token, None)
        if role is not None:
            self.judge_call(role, at_ms, error)

    def judge_call(self, role: int, at_ms: int, error: str) -> None:
        """Note how a hook ended, also one that could not begin."""
        self._change_call(role, status=OpStatus.DONE_ERROR if error else OpStatus.DONE_OK, ended_ms=at_ms, error=error)

    def _change(self, **what: object) -> None:
        if self._open is not None:
            self._open.step = replace(self._open.step, **what)  # type: ignore[arg-type]
            self._open.view = None

    def _change_call(self, role: int, **what: object) -> None:
        stage = self._stage_of.get(role)
        if stage is not None:
            stage.calls[role] = replace(stage.calls[role], **what)  # type: ignore[arg-type]
            stage.view = None

    # ---- reads -------------------------------------------------------------------------------

    def steps(self, tasks: tuple[int, int] = (0, 0)) -> tuple[Step, ...]:
        """Return all steps; ``tasks`` is what is known better of the one under way: (done, total), total 0 if nothing is."""
        steps = [stage.shown() for stage in self._stages.values()]
        if tasks[1] and self._open is not None:
            now = next(at for at, stage in enumerate(self._stages.values()) if stage is self._open)
            steps[now] = replace(steps[now], tasks_done=tasks[0], tasks_total=tasks[1])
        return tuple(steps)

    def record(self, reached: EnvironmentState, *, at_ms: int, run_number: int, error: str) -> TransitionRecord:
        """Return what is remembered of the transition now that it is over."""
        return TransitionRecord(
            event=self.event.value,
            source=self.source.value,
            reached=reached.value,
            started_ms=self.started_ms,
            ended_ms=at_ms,
            user=self.user,
            error=error,
            run_number=run_number,
            steps=self.steps(),
        )


def lengthened(history: Sequence[TransitionRecord], record: TransitionRecord) -> tuple[TransitionRecord, ...]:
    """Return the history with one more record, the last ones only; only the new one keeps its steps."""
    kept = history[-(RECORDS_KEPT - 1) :]
    if kept and kept[-1].steps:
        kept = (*kept[:-1], replace(kept[-1], steps=()))
    return (*kept, record)
