"""Task states, task events and which event leads where. Standard library only: everybody may import it.

The machine that checks moves is in occ/machine.py, environment states are in server/api/states.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import reduce


class TaskState(StrEnum):
    """State of a task or, aggregated, of a role (AliECS: common/... task/sm State)."""

    UNKNOWN = "UNKNOWN"
    STANDBY = "STANDBY"
    CONFIGURED = "CONFIGURED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    ERROR = "ERROR"
    DONE = "DONE"
    MIXED = "MIXED"
    """Only aggregated: children differ."""
    INVARIANT = "INVARIANT"
    """Only aggregated: says nothing, the neutral element of the product."""

    @property
    def wire(self) -> str:
        """The name that AliECS's clients see: INVARIANT prints as UNKNOWN there (core.md 3.3)."""
        return "UNKNOWN" if self is TaskState.INVARIANT else self.value

    @classmethod
    def parse(cls, text: str) -> TaskState:
        """Return the state of that name, UNKNOWN for every other text (core.md 3.3)."""
        return cls.__members__.get(text, cls.UNKNOWN)


class TaskEvent(StrEnum):
    """Event of the OCC state machine; the names travel in ``TransitionRequest.transitionEvent``."""

    CONFIGURE = "CONFIGURE"
    RESET = "RESET"
    START = "START"
    STOP = "STOP"
    PAUSE = "PAUSE"
    RESUME = "RESUME"
    EXIT = "EXIT"
    GO_ERROR = "GO_ERROR"
    RECOVER = "RECOVER"


MOVES: tuple[tuple[TaskEvent, TaskState, TaskState], ...] = (
    (TaskEvent.CONFIGURE, TaskState.STANDBY, TaskState.CONFIGURED),
    (TaskEvent.EXIT, TaskState.STANDBY, TaskState.DONE),
    (TaskEvent.START, TaskState.CONFIGURED, TaskState.RUNNING),
    (TaskEvent.RESET, TaskState.CONFIGURED, TaskState.STANDBY),
    (TaskEvent.EXIT, TaskState.CONFIGURED, TaskState.DONE),
    (TaskEvent.STOP, TaskState.RUNNING, TaskState.CONFIGURED),
    (TaskEvent.PAUSE, TaskState.RUNNING, TaskState.PAUSED),
    (TaskEvent.RESUME, TaskState.PAUSED, TaskState.RUNNING),
    (TaskEvent.STOP, TaskState.PAUSED, TaskState.CONFIGURED),
    (TaskEvent.RECOVER, TaskState.ERROR, TaskState.STANDBY),
    (TaskEvent.EXIT, TaskState.ERROR, TaskState.DONE),
)
"""(event, source, destination): the moves that a device accepts (occ-executor-mesos.md 1.2)."""

EXPECTED_FINAL: dict[str, TaskState] = {
    "CONFIGURE": TaskState.CONFIGURED,
    "RESET": TaskState.STANDBY,
    "START": TaskState.RUNNING,
    "STOP": TaskState.CONFIGURED,
    "EXIT": TaskState.DONE,
    "GO_ERROR": TaskState.ERROR,
    "RECOVER": TaskState.STANDBY,
}
"""Events that can be asked for over gRPC, and the state that makes their reply ``ok``."""


def product(left: TaskState, right: TaskState) -> TaskState:
    """Combine two states as a parent sees its children (core.md 3.4); commutative and associative."""
    if left is right:
        return left
    if TaskState.ERROR in (left, right):
        return TaskState.ERROR
    if left is TaskState.INVARIANT:
        return right
    if right is TaskState.INVARIANT:
        return left
    return TaskState.MIXED


def aggregate(states: Iterable[TaskState]) -> TaskState:
    """Return the product of all, INVARIANT for none."""
    return reduce(product, states, TaskState.INVARIANT)
