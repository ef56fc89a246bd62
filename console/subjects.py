"""The task or host that an act of an expert is about, as the picture shows it, and why the act is not possible now.

The core decides in the end; this says early what it would refuse. Acts on environments: legality.py.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple, Self

from console.command import Command
from console.store import Store
from occ.states import MOVES
from server.api.model import Task

TRANSITION_EVENTS = ("CONFIGURE", "START", "STOP", "RESET", "RECOVER")
"""Of single tasks."""
_CONTROLLED = ("direct", "fairmq")


class Subject(NamedTuple):
    """What is selected, or named by the arguments of a command; "" for nothing."""

    task_id: str = ""
    host: str = ""

    @classmethod
    def of(cls, command: Command, args: argparse.Namespace) -> Self:
        """Return what the arguments of a command name."""
        names = {arg.name for arg in command.args}
        return cls(*(str(getattr(args, name, "") or "") if name in names else "" for name in ("task", "host")))


def refusal(command: Command, store: Store, subject: Subject, *, event: str = "", is_forced: bool = False) -> str:
    """Say why the command cannot be given to a task or host now, "" if it can or nothing is known of that.

    Args:
        event: of a transition, as typed; "" if it is not known yet.
        is_forced: ``--force`` is given.
    """
    task = store.task(subject.task_id) if subject.task_id else None
    if task is not None and command.name in ("task transition", "task kill"):
        if task.status == "INACTIVE" and task.state in ("ERROR", "DONE"):
            return f"task {task.task_id} has ended"
        return _transition(task, store, event) if command.name == "task transition" else _kill(task, store, is_forced)
    host = store.hosts.get(subject.host)
    if host is not None and command.name == "host undrain" and host.drain is None:
        return f"{host.name} is not drained"
    if host is not None and command.name == "host restart" and not is_forced:
        users = sorted({task.environment_id for task in _alive(store, host.name) if task.environment_id})
        if users:
            return f"environments have tasks there: {', '.join(users)}"
    return ""


def legal_events(task: Task) -> tuple[str, ...]:
    """Return the events that lead on from the state of a task, in the usual order."""
    return tuple(event for event in TRANSITION_EVENTS if task.state in _sources(event))


def _transition(task: Task, store: Store, event: str) -> str:
    if task.mode and task.mode not in _CONTROLLED:
        return f"{task.mode} tasks know no transitions"
    environment = store.environment(task.environment_id)
    if environment is not None and environment.transition is not None:
        return f"{environment.transition.event} of {environment.id} is in progress"
    sources = _sources(event.upper())
    if event and sources and task.state not in sources:
        return f"{event.upper()} leads from {' or '.join(sources)}, the task is {task.state}"
    return ""


def _kill(task: Task, store: Store, is_forced: bool) -> str:
    environment = store.environment(task.environment_id)
    if not is_forced and task.critical and environment is not None and environment.state == "RUNNING":
        return f"it is critical for {environment.id}, which is in run {environment.run_number}"
    return ""


def _sources(event: str) -> tuple[str, ...]:
    return tuple(source.value for one, source, _ in MOVES if one == event and event in TRANSITION_EVENTS)


def _alive(store: Store, host: str) -> list[Task]:
    return [task for task in store.tasks() if task.host == host and task.status != "INACTIVE"]
