"""Environment states and events, which of them are legal, and the status of roles and tasks. Standard library only."""

from __future__ import annotations

from enum import StrEnum


class EnvironmentState(StrEnum):
    """State of an environment (core.md 2.2)."""

    PENDING = "PENDING"
    """Only in events and replies, before the workflow is loaded."""
    STANDBY = "STANDBY"
    DEPLOYED = "DEPLOYED"
    CONFIGURED = "CONFIGURED"
    RUNNING = "RUNNING"
    ERROR = "ERROR"
    DONE = "DONE"


class EnvironmentEvent(StrEnum):
    """Event of the environment's machine; DESTROY and CREATE are not moves of it but run like transitions."""

    CREATE = "CREATE"
    DEPLOY = "DEPLOY"
    CONFIGURE = "CONFIGURE"
    RESET = "RESET"
    START_ACTIVITY = "START_ACTIVITY"
    STOP_ACTIVITY = "STOP_ACTIVITY"
    EXIT = "EXIT"
    GO_ERROR = "GO_ERROR"
    RECOVER = "RECOVER"
    DESTROY = "DESTROY"


_S, _E = EnvironmentState, EnvironmentEvent

MOVES: tuple[tuple[EnvironmentEvent, EnvironmentState, EnvironmentState], ...] = (
    (_E.DEPLOY, _S.STANDBY, _S.DEPLOYED),
    (_E.CONFIGURE, _S.DEPLOYED, _S.CONFIGURED),
    (_E.RESET, _S.CONFIGURED, _S.DEPLOYED),
    (_E.START_ACTIVITY, _S.CONFIGURED, _S.RUNNING),
    (_E.STOP_ACTIVITY, _S.RUNNING, _S.CONFIGURED),
    (_E.EXIT, _S.CONFIGURED, _S.DONE),
    (_E.EXIT, _S.DEPLOYED, _S.DONE),
    (_E.EXIT, _S.STANDBY, _S.DONE),
    (_E.GO_ERROR, _S.STANDBY, _S.ERROR),
    (_E.GO_ERROR, _S.DEPLOYED, _S.ERROR),
    (_E.GO_ERROR, _S.CONFIGURED, _S.ERROR),
    (_E.GO_ERROR, _S.RUNNING, _S.ERROR),
    (_E.RECOVER, _S.ERROR, _S.DEPLOYED),
)
"""(event, source, destination) of the environment's machine (core.md 2.2)."""

OPERATOR_EVENTS: tuple[EnvironmentEvent, ...] = (_E.DEPLOY, _E.CONFIGURE, _E.START_ACTIVITY, _E.STOP_ACTIVITY, _E.RESET)
"""Events that ControlEnvironment accepts."""


def destination(event: EnvironmentEvent, state: EnvironmentState) -> EnvironmentState | None:
    """Return where the event leads from that state, None if it is not a legal move."""
    return next((to for move, source, to in MOVES if move is event and source is state), None)


def refusal(event: EnvironmentEvent, state: str, running: str = "") -> str:
    """Say in words why an operator cannot ask for the event now; "" when they can.

    Args:
        state: an EnvironmentState, or what a core says that knows others.
        running: name of the transition in progress, "" if none.
    """
    if running:
        return f"{running} is in progress"
    if state not in EnvironmentState.__members__:
        return f"the environment is {state or 'in a state that nobody told'}"
    state = EnvironmentState(state)
    if event is EnvironmentEvent.DESTROY:
        return "" if state is not EnvironmentState.DONE else "the environment is gone"
    if event in OPERATOR_EVENTS and destination(event, state):
        return ""
    sources = sorted({source.value for move, source, _ in MOVES if move is event})
    return f"{event.value} needs {' or '.join(sources)}, the environment is {state.value}"


class Status(StrEnum):
    """Deployment status of a role or task (core.md 3.3)."""

    UNDEFINED = "UNDEFINED"
    INACTIVE = "INACTIVE"
    PARTIAL = "PARTIAL"
    ACTIVE = "ACTIVE"
    UNDEPLOYABLE = "UNDEPLOYABLE"
    INVARIANT = "INVARIANT"


def status_product(left: Status, right: Status) -> Status:
    """Combine two statuses as a parent sees its children (core.md 3.5); commutative and associative."""
    if left is right:
        return left
    for dominant in (Status.UNDEFINED, Status.UNDEPLOYABLE):
        if dominant in (left, right):
            return dominant
    if left is Status.INVARIANT:
        return right
    if right is Status.INVARIANT:
        return left
    return Status.PARTIAL
