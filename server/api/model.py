"""What clients see of a core, as frozen values: its live picture here, its events in model_events.py, offered here too.

The protobuf forms and the conversion between the two: convert.py.
Times are Unix milliseconds. Texts are as on the wire: states and statuses by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from server.api.model_events import (
    CallEvent,
    CoreStartEvent,
    EnvironmentEvent,
    Event,
    IntegratedServiceEvent,
    OpStatus,
    RoleEvent,
    RunEvent,
    TaskEvent,
    TemplateReference,
    Traits,
    User,
)

__all__ = [
    "Batch", "CallEvent", "Change", "Core", "CoreStartEvent", "Drain", "Environment", "EnvironmentEvent", "Event", "Fault",
    "History", "Host", "IntegratedServiceEvent", "Kind", "Metric", "Move", "OpStatus", "Part", "Removal", "Role",
    "RoleEvent", "RunEvent", "Service", "Step", "StepCall", "Task", "TaskEvent", "TemplateReference", "Thing",
    "Traits", "TransitionProgress", "TransitionRecord", "User", "Variables",
]  # fmt: skip

NOBODY = User()


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The core itself: which one it is, its state, detectors and counts."""

    instance: str = ""
    version: str = ""
    framework_id: str = ""
    started_ms: int = 0
    detectors: tuple[str, ...] = ()
    active_detectors: tuple[str, ...] = ()
    state: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """A transition that an operator may ask for; reason "" when it is legal now, else why not."""

    event: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """A call or a hook task of a step."""

    path: str
    func: str = ""
    """"" for a hook task."""
    critical: bool = False
    status: OpStatus = OpStatus.NULL
    started_ms: int = 0
    ended_ms: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a transition (before_CONFIGURE, leave_DEPLOYED, tasks_CONFIGURE ...); status NULL: still to come."""

    name: str
    status: OpStatus = OpStatus.NULL
    started_ms: int = 0
    ended_ms: int = 0
    error: str = ""
    tasks_done: int = 0
    tasks_total: int = 0
    """Of the tasks step."""
    calls: tuple[StepCall, ...] = ()
    """Those that begin in it, in order of their weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionProgress:
    """How far a transition of an environment is."""

    event: str
    step: str = ""
    started_ms: int = 0
    tasks_done: int = 0
    tasks_total: int = 0
    user: str = ""
    waiting_for: str = ""
    """What holds it now, in words."""
    steps: tuple[Step, ...] = ()
    """Done, under way and still to come, in order."""
    usual_ms: int = 0
    """Median of earlier ones that went well, same event and template; 0: none known."""
    budget_ms: int = 0
    """Longest time of the tasks step; 0: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionRecord:
    """A finished transition."""

    event: str
    source: str = ""
    reached: str = ""
    started_ms: int = 0
    ended_ms: int = 0
    user: str = ""
    error: str = ""
    """"" when all went well."""
    run_number: int = 0
    """Of the run that it began, ended or took place in; 0: none."""
    steps: tuple[Step, ...] = ()
    """Of the newest record only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The finished transitions of one environment, oldest first; the last 50."""

    environment_id: str
    transitions: tuple[TransitionRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The variables of an environment and its root role, as GetEnvironment shows them."""

    environment_id: str
    defaults: Mapping[str, str] = field(default_factory=dict)
    vars: Mapping[str, str] = field(default_factory=dict)
    user_vars: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment: what it is, its state, counts, who has it."""

    id: str
    template: str = ""
    description: str = ""
    state: str = ""
    created_ms: int = 0
    state_since_ms: int = 0
    run_number: int = 0
    run_start_ms: int = 0
    transition: TransitionProgress | None = None
    """None when idle."""
    detectors: tuple[str, ...] = ()
    hosts: int = 0
    flps: int = 0
    tasks_total: int = 0
    tasks_active: int = 0
    tasks_ok: int = 0
    """In the state that the environment's state asks for."""
    tasks_error: int = 0
    bytes_moved: float = 0.0
    """Sum over sinks of what arrived whole, this run."""
    bytes_per_s: float = 0.0
    owner: User = NOBODY
    last_user: User = NOBODY
    run_type: str = ""
    public: bool = False
    user_vars: Mapping[str, str] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    last_run_number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One role of the tree of an environment."""

    environment_id: str
    path: str
    parent: str = ""
    name: str = ""
    kind: str = ""
    state: str = ""
    status: str = ""
    critical: bool = False
    task_id: str = ""
    order: int = 0
    """Pre-order position in the tree."""
    traits: Traits | None = None
    parent_order: int | None = None
    """None for the root."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that a task measures."""

    name: str
    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task: where it runs, its state, what it measures."""

    task_id: str
    name: str = ""
    """Short class name."""
    class_name: str = ""
    environment_id: str = ""
    path: str = ""
    host: str = ""
    state: str = ""
    status: str = ""
    critical: bool = False
    pid: int = 0
    locked: bool = False
    claimable: bool = False
    error: str = ""
    exit_code: int | None = None
    signal: int | None = None
    state_since_ms: int = 0
    metrics: tuple[Metric, ...] = ()
    sandbox_stdout: str = ""
    mode: str = ""
    limits: str = ""
    """Which of its limits are enforced and which are not, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Nothing new is placed on a host; what runs there goes on."""

    who: str = ""
    why: str = ""
    since_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host with its executor: what it has, what is left, who drained it."""

    name: str
    address: str = ""
    detector: str = ""
    executor_id: str = ""
    executor_state: str = ""
    """NONE, STARTING, ATTACHED, SILENT or LOST."""
    tasks: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    drain: Drain | None = None
    cpus: float = 0.0
    """In all, 0 if that is not known, as memory_mb; the free ones are None if that is not known now."""
    memory_mb: float = 0.0
    free_cpus: float | None = None
    free_memory_mb: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One integrated service of the core."""

    id: str
    name: str = ""
    enabled: bool = False
    endpoint: str = ""
    connection_state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first critical failure of an environment: what, where, since when, why, what next."""

    environment_id: str
    at_ms: int = 0
    what: str = ""
    role: str = ""
    task_id: str = ""
    task: str = ""
    host: str = ""
    during: str = ""
    cause: str = ""
    hint: str = ""


class Kind(IntEnum):
    """Kinds of things that a Removal names (aliecs.live.v1.Kind)."""

    UNSPECIFIED = 0
    ENVIRONMENT = 1
    ROLE = 2
    TASK = 3
    HOST = 4
    SERVICE = 5
    FAULT = 6
    VARIABLES = 7
    HISTORY = 8


@dataclass(frozen=True, slots=True)
class Removal:
    """A thing is gone; with an environment go its roles, fault, variables and history."""

    kind: Kind
    id: str


Thing = Core | Environment | Role | Task | Host | Service | Fault | Variables | History


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the picture: a thing as it is now, a removal, or an event for the log."""

    value: Thing | Removal | Event
    revision: int = 0


class Part(IntEnum):
    """Place of a batch in a snapshot (aliecs.live.v1.Part)."""

    NONE = 0
    BEGIN = 1
    MORE = 2
    END = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """What changed in one turn of the core, or a part of a whole picture."""

    epoch: str
    seq: int
    part: Part
    changes: tuple[Change, ...]
    timestamp_ms: int = 0
