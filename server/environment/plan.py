"""What an environment is about to do, as data: a job is a row of stages, a stage is a row of steps, a cursor says where it is.

What each step does: transition.py and teardown.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from server.api.states import EnvironmentEvent, EnvironmentState
from server.environment.stimuli import DestroyRequested


class Op(Enum):
    """What one step does."""

    BEGIN = "begin"
    MOMENT = "moment"
    HOOKS = "hooks"
    RUN_NUMBER = "run number"
    ACT = "act"
    MOMENT_END = "moment end"
    TASKS = "tasks"
    MOVE = "move"
    END = "end"
    TEARDOWN_CHECK = "teardown check"
    TEARDOWN_BEGIN = "teardown begin"
    TEARDOWN_LEFT = "teardown left"
    TEARDOWN_RELEASE = "teardown release"
    TEARDOWN_END = "teardown end"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a stage.

    Attributes:
        moment: the moment it belongs to ("before_CONFIGURE").
        sign: of HOOKS: -1 weights below zero, +1 the others, 0 all.
        is_fatal: a critical failure here cancels the transition.
        goes_on: a critical failure here does not even keep later weights from acting.
    """

    op: Op
    moment: str = ""
    sign: int = 0
    is_fatal: bool = False
    goes_on: bool = False


def transition_steps(
    event: EnvironmentEvent, source: EnvironmentState, destination: EnvironmentState
) -> tuple[Step, ...]:
    """Return the steps of one transition in AliECS's order (core.md 2.3, 2.5)."""
    before, leave = f"before_{event.value}", f"leave_{source.value}"
    enter, after, tasks = f"enter_{destination.value}", f"after_{event.value}", f"tasks_{event.value}"
    number = (Step(Op.RUN_NUMBER, before),) if event is EnvironmentEvent.START_ACTIVITY else ()

    def moment(name: str, *, fatal: bool, between: Sequence[Step] = ()) -> tuple[Step, ...]:
        return (
            Step(Op.MOMENT, name),
            Step(Op.HOOKS, name, -1, fatal),
            *between,
            Step(Op.ACT, name),
            Step(Op.HOOKS, name, +1, fatal),
            Step(Op.MOMENT_END, name),
        )

    return (
        Step(Op.BEGIN),
        *moment(before, fatal=True, between=number),
        *moment(leave, fatal=True),
        Step(Op.MOMENT, tasks),
        Step(Op.TASKS, tasks, is_fatal=True),
        Step(Op.MOMENT_END, tasks),
        Step(Op.MOVE),
        *moment(enter, fatal=False),
        *moment(after, fatal=False),
        Step(Op.END),
    )


def teardown_steps(source: EnvironmentState) -> tuple[Step, ...]:
    """Return the steps of a teardown (core.md 2.12)."""
    leave = f"leave_{source.value}"
    return (
        Step(Op.TEARDOWN_CHECK),
        Step(Op.TEARDOWN_BEGIN, leave),
        Step(Op.HOOKS, leave, 0, goes_on=True),
        Step(Op.TEARDOWN_LEFT, leave),
        Step(Op.TEARDOWN_RELEASE, "DESTROY"),
        Step(Op.HOOKS, "DESTROY", 0, goes_on=True),
        Step(Op.HOOKS, "after_DESTROY", 0, goes_on=True),
        Step(Op.TEARDOWN_END, "after_DESTROY"),
    )


@dataclass(slots=True)
class HookPass:
    """Where the hooks of one moment and sign group stand (core.md 2.8.3)."""

    weight: int | None = None
    """In progress; None: the next one is to be chosen."""
    done: set[int] = field(default_factory=set)
    started: set[int] = field(default_factory=set)
    """Roles whose call was started in this pass."""
    tasks_triggered: bool = False
    results: dict[str, str] = field(default_factory=dict)
    """Hook task to its error, "" for success, as they come in."""
    failures: list[tuple[str, bool]] = field(default_factory=list)
    """(text, critical) of this weight and the ones before."""


@dataclass(slots=True)
class Cursor:
    """Where the stage in progress stands."""

    steps: tuple[Step, ...]
    event: EnvironmentEvent
    source: EnvironmentState
    destination: EnvironmentState
    index: int = 0
    hooks: HookPass | None = None
    awaited: set[str] = field(default_factory=set)
    """Tokens without which it cannot go on."""
    is_deploying: bool = False
    """Waits for the roles to become active."""
    deploy_verdict: str | None = None
    """How the wait for them was cut short: "" to go on without some, else why it failed."""
    moment_error: str = ""
    """Critical failure of the moment in progress, where it does not cancel."""
    error: str = ""
    """Failure of the whole stage that did not cancel it (core.md 2.3: enter, after)."""
    command_error: str = ""
    is_command_done: bool = False
    is_forced: bool = False
    """Teardown from any state."""


class StageKind(Enum):
    TRANSITION = "transition"
    TEARDOWN = "teardown"
    ANNOUNCE = "announce"
    KILL = "kill"
    REPLY = "reply"
    CREATED = "created"
    CREATE_FAILED = "create failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a job.

    Attributes:
        event: of a TRANSITION.
        is_forced: GO_ERROR: ends in ERROR even if it fails; TEARDOWN: from any state.
        is_optional: a transition that is not legal when its turn comes is passed over.
    """

    kind: StageKind
    event: EnvironmentEvent | None = None
    is_forced: bool = False
    is_optional: bool = False


@dataclass(slots=True)
class Job:
    """A row of stages, and what to do instead when one fails."""

    name: str
    stages: deque[Stage]
    on_failure: tuple[Stage, ...] = ()
    request_id: str = ""
    error: str = ""
    """First failure, in words."""
    reason: str = ""
    """server.api.errors.Reason by name; with it the reply is an error."""
    killed: tuple[str, ...] = ()
    destroy: DestroyRequested | None = None
    """Of a DESTROY that waits: its stages are chosen by the state in which its turn comes."""


_GO_ERROR = Stage(StageKind.TRANSITION, EnvironmentEvent.GO_ERROR, is_forced=True, is_optional=True)
_ANNOUNCE = Stage(StageKind.ANNOUNCE)
_TEARDOWN = Stage(StageKind.TEARDOWN)
_TEARDOWN_FORCED = Stage(StageKind.TEARDOWN, is_forced=True)
_KILL = Stage(StageKind.KILL)
_REPLY = Stage(StageKind.REPLY)
_GONE = Stage(StageKind.GONE)


def _transition(event: EnvironmentEvent, *, optional: bool = False) -> Stage:
    return Stage(StageKind.TRANSITION, event, is_optional=optional)


def creation(request_id: str) -> Job:
    """Deploy and configure; what fails is torn down and killed (core.md 2.9)."""
    return Job(
        "CREATE",
        deque((_transition(EnvironmentEvent.DEPLOY), _transition(EnvironmentEvent.CONFIGURE), Stage(StageKind.CREATED))),
        on_failure=(_ANNOUNCE, _GO_ERROR, _TEARDOWN_FORCED, _KILL, Stage(StageKind.CREATE_FAILED), _GONE),
        request_id=request_id,
    )  # fmt: skip


def operator_transition(event: EnvironmentEvent, request_id: str) -> Job:
    """One transition; a failure leads to ERROR (core.md 1.7, ControlEnvironment)."""
    return Job(event.value, deque((_transition(event), _REPLY)), (_ANNOUNCE, _GO_ERROR, _REPLY), request_id)


def reaction(event: EnvironmentEvent, *, error: str = "", error_follows: bool = False) -> Job:
    """A transition that nobody asked for (core.md 2.13).

    Args:
        event: GO_ERROR is announced first with ``error``.
        error_follows: a failure leads to ERROR instead of being only logged.
    """
    if event is EnvironmentEvent.GO_ERROR:
        return Job(event.value, deque((_ANNOUNCE, _GO_ERROR)), error=error)
    return Job(
        event.value, deque((_transition(event, optional=True),)), (_ANNOUNCE, _GO_ERROR) if error_follows else ()
    )


def automatic_start() -> Job:
    """Start the run of an automatic environment (core.md 2.11)."""
    return Job(
        "AUTO", deque((_transition(EnvironmentEvent.START_ACTIVITY),)), (_ANNOUNCE, _GO_ERROR, _TEARDOWN_FORCED, _KILL, _GONE)
    )  # fmt: skip


def automatic_end(state: EnvironmentState) -> Job:
    """End an automatic environment whose run is over (core.md 2.11)."""
    if state is EnvironmentState.CONFIGURED:
        stages: tuple[Stage, ...] = (_transition(EnvironmentEvent.RESET), _TEARDOWN, _KILL, _GONE)
        return Job("AUTO", deque(stages), (_ANNOUNCE, _GO_ERROR, _TEARDOWN_FORCED, _KILL, _GONE))
    return Job("AUTO", deque((_ANNOUNCE, _GO_ERROR, _TEARDOWN_FORCED, _KILL, _GONE)), (_TEARDOWN_FORCED, _KILL, _GONE))


def destruction(state: EnvironmentState, request_id: str, *, keep_tasks: bool, allow_running: bool, force: bool) -> Job:
    """Return the way out of that state (core.md 2.12, decision table)."""
    keep = () if keep_tasks else (_KILL,)
    gone = (_REPLY, _GONE)
    failing = (_ANNOUNCE, _GO_ERROR, _TEARDOWN_FORCED, _KILL, *gone)
    reset = _transition(EnvironmentEvent.RESET)
    stages: tuple[Stage, ...]
    if force:
        stages = (_TEARDOWN_FORCED, *keep, *gone)
    elif state is EnvironmentState.RUNNING and allow_running:
        stages = (_transition(EnvironmentEvent.STOP_ACTIVITY), reset, _TEARDOWN, *keep, *gone)
    elif state is EnvironmentState.CONFIGURED:
        stages = (reset, _TEARDOWN, *keep, *gone)
    elif state in (EnvironmentState.DEPLOYED, EnvironmentState.STANDBY):
        stages = (_TEARDOWN, *keep, *gone)
    else:
        stages = (_TEARDOWN_FORCED, _KILL, *gone)
    return Job("DESTROY", deque(stages), failing, request_id)
