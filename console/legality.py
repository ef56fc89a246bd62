"""Why a command is not possible now, in words; and what an operator saw when they decided (clients.md 5.5, 5.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from console import subjects
from console.command import Command
from console.resolve import event_of
from console.safety import Arming
from console.store import Store
from console.subjects import Subject
from server.api.model import Environment
from server.api.states import EnvironmentEvent, refusal

NOTHING = Subject()


class Place(Protocol):
    """A link with a core; Session is one."""

    @property
    def store(self) -> Store: ...

    def refusal(self) -> str:
        """Say why nothing can be changed now, "" if it can: data too old, link lost, a replay."""


def reason(
    command: Command,
    place: Place,
    environment_id: str = "",
    arming: Arming | None = None,
    *,
    event: str = "",
    is_forced: bool = False,
    subject: Subject = NOTHING,
) -> str:
    """Say why the command is not possible now, "" if it is.

    The link comes first, for without it nothing else is known; the arming last, for it is the easiest to change.

    Args:
        environment_id: the one selected or in use, "" for none.
        arming: of the operator; None where nobody arms: single commands and scripts.
        event: of ``env control`` or ``task transition``, as typed.
        is_forced: ``--force``: a destroy that waits for no transition, a kill or restart that spares no environment.
        subject: the task or host selected, or named.

    Raises:
        ExitError: USAGE: ``event`` is none.
    """
    if command.rpc and (why_not := place.refusal()):
        return why_not
    if takes_environment(command):
        if not environment_id:
            return "no environment selected"
        why_not = _environment_refusal(command, place.store, environment_id, event, is_forced)
        if why_not:
            return why_not
    if why_not := subjects.refusal(command, place.store, subject, event=event, is_forced=is_forced):
        return why_not
    if command.name == "task clean" and all(task.locked for task in place.store.tasks()):
        return "every task belongs to an environment"
    if command.name == "disarm" and arming is not None and not arming.is_armed:
        return "not armed"
    if command.rpc and arming is not None and not arming.is_armed:
        return "observing: arm first"
    return ""


def takes_environment(command: Command) -> bool:
    """Say whether the command is about one environment and cannot do without."""
    return any(arg.name == "env" and not arg.optional for arg in command.args)


def move_refusal(environment: Environment, event: EnvironmentEvent) -> str:
    """Say why an environment does not take the event now: in the core's words, else by the table of moves."""
    for move in environment.moves:
        if move.event == event.value:
            return move.reason
    return refusal(event, environment.state, environment.transition.event if environment.transition else "")


def _environment_refusal(command: Command, store: Store, environment_id: str, event: str, is_forced: bool) -> str:
    environment = store.environment(environment_id)
    if environment is None:
        return f"{environment_id} is gone" if store.is_complete else ""
    if command.name == "env destroy":
        event = EnvironmentEvent.DESTROY.value
        if is_forced and environment.transition is not None:
            is_going = environment.transition.event == event
            return "DESTROY is in progress" if is_going else ""
    elif command.event:
        event = command.event
    elif event:
        event = event_of(event)
    return move_refusal(environment, EnvironmentEvent(event)) if event else ""


@dataclass(frozen=True, slots=True)
class Pin:
    """What a dialog or a question was opened on. An answer counts only as long as it still holds."""

    environment_id: str = ""
    """"" for an act about no environment, which nothing breaks."""
    exists: bool = False
    state: str = ""
    transition: str = ""
    """Event of the transition in progress, "" if idle."""
    run_number: int = 0

    @classmethod
    def of(cls, environment_id: str, environment: Environment | None) -> Self:
        """Return what there is to see now."""
        if environment is None:
            return cls(environment_id)
        transition = environment.transition.event if environment.transition else ""
        return cls(environment_id, True, environment.state, transition, environment.run_number)

    def broken_by(self, environment: Environment | None) -> str:
        """Say what has changed since, "" if nothing that matters did."""
        now = Pin.of(self.environment_id, environment)
        if not self.environment_id or now == self:
            return ""
        if not now.exists:
            return f"{self.environment_id} is gone"
        if not self.exists:
            return f"{self.environment_id} came to be"
        if now.state != self.state:
            return f"{self.environment_id} went from {self.state} to {now.state}"
        if now.transition != self.transition:
            if now.transition:
                return f"{now.transition} of {self.environment_id} began"
            return f"{self.transition} of {self.environment_id} ended"
        return f"{self.environment_id} is in run {now.run_number or 'none'}, no longer {self.run_number or 'none'}"
