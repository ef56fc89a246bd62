"""Things of a fake core's picture that follow from others: the role tree from the tasks, the steps from a transition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from server.api.model import History, OpStatus, Role, Step, StepCall, Task, TransitionProgress, TransitionRecord
from server.api.states import EnvironmentEvent, EnvironmentState


def role_tree(environment_id: str, root: str, tasks: Iterable[Task]) -> list[Role]:
    """Return the roles in pre-order: the root, a role per host below it, a role per task below that."""
    by_host: dict[str, list[Task]] = {}
    for task in tasks:
        by_host.setdefault(task.path.rsplit(".", 1)[0], []).append(task)
    everything = [task for own in by_host.values() for task in own]
    roles = [_aggregator(environment_id, root, "", None, 0, everything)]
    for path, own in by_host.items():
        at = len(roles)
        roles.append(_aggregator(environment_id, path, root, 0, at, own))
        roles += [
            Role(
                environment_id=environment_id, path=task.path, parent=path, parent_order=at, name=task.name, kind="task",
                state=task.state, status=task.status, critical=task.critical, task_id=task.task_id, order=at + number,
            )
            for number, task in enumerate(own, start=1)
        ]  # fmt: skip
    return roles


def _aggregator(
    environment_id: str, path: str, parent: str, parent_order: int | None, order: int, tasks: list[Task]
) -> Role:
    return Role(
        environment_id=environment_id, path=path, parent=parent, parent_order=parent_order, order=order,
        name=path.rsplit(".", 1)[-1], kind="aggregator", critical=any(task.critical for task in tasks),
        state=_merged([task.state for task in tasks], "MIXED"),
        status=_merged([task.status for task in tasks], "PARTIAL"),
    )  # fmt: skip


def _merged(texts: list[str], differing: str) -> str:
    if "ERROR" in texts:
        return "ERROR"
    return texts[0] if len(set(texts)) == 1 else differing if texts else "INVARIANT"


def steps(
    event: EnvironmentEvent, source: EnvironmentState, to: EnvironmentState, *, at_ms: int, tasks: int, is_over: bool
) -> tuple[Step, ...]:
    """Return the steps of a transition whose tasks have been commanded, or that is over; it calls a service before and after."""
    names = (
        f"before_{event.value}", f"leave_{source.value}", f"tasks_{event.value}", f"enter_{to.value}",
        f"after_{event.value}",
    )  # fmt: skip
    reached = len(names) if is_over else 2
    made: list[Step] = []
    for number, name in enumerate(names):
        status = OpStatus.DONE_OK if number < reached else OpStatus.ONGOING if number == reached else OpStatus.NULL
        started_ms = at_ms + number if status else 0
        ended_ms = started_ms + 1 if status is OpStatus.DONE_OK else 0
        call = StepCall(
            path=f"demo.calls.{name}", func=f"service.{name.title()}()", critical=True,
            status=status, started_ms=started_ms, ended_ms=ended_ms,
        )  # fmt: skip
        made.append(
            Step(
                name=name, status=status, started_ms=started_ms, ended_ms=ended_ms,
                tasks_total=tasks if number == 2 else 0, tasks_done=tasks if number == 2 and is_over else 0,
                calls=(call,) if number in (0, 4) else (),
            )
        )  # fmt: skip
    return tuple(made)


def longer(
    history: History,
    over: TransitionProgress,
    source: EnvironmentState,
    to: EnvironmentState,
    *,
    ended_ms: int,
    error: str,
    run_number: int,
) -> History:
    """Return the history with a transition that is over now; only that one has its steps."""
    event = EnvironmentEvent(over.event)
    record = TransitionRecord(
        event=over.event, source=source.value, reached="ERROR" if error else to.value, user=over.user, error=error,
        started_ms=over.started_ms, ended_ms=ended_ms,
        run_number=run_number if EnvironmentState.RUNNING in (source, to) else 0,
        steps=steps(event, source, to, at_ms=over.started_ms, tasks=over.tasks_total, is_over=True),
    )  # fmt: skip
    return replace(history, transitions=(*(replace(one, steps=()) for one in history.transitions), record))
