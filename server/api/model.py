"""What clients see of a core, as frozen values. The protobuf forms and the conversion between the two: convert.py.

Times are Unix milliseconds. Texts are as on the wire: states and statuses by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

# ---- events ----------------------------------------------------------------------------------


class OpStatus(IntEnum):
    """Progress of an operation (events.OpStatus)."""

    NULL = 0
    STARTED = 1
    ONGOING = 2
    DONE_OK = 3
    DONE_ERROR = 4
    DONE_TIMEOUT = 5


@dataclass(frozen=True, slots=True)
class User:
    """Who asked (common.User); informational."""

    name: str = ""
    external_id: int | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class TemplateReference:
    """The template of an environment as its events name it (common.WorkflowTemplateInfo)."""

    name: str = ""
    description: str = ""
    path: str = ""
    public: bool = False


@dataclass(frozen=True, slots=True)
class Traits:
    """When a leaf role acts and what its failure means."""

    trigger: str = ""
    await_: str = ""
    timeout: str = ""
    critical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentEvent:
    at_ms: int
    environment_id: str
    state: str = ""
    run_number: int = 0
    error: str = ""
    message: str = ""
    transition: str = ""
    transition_step: str = ""
    transition_status: OpStatus = OpStatus.NULL
    vars: Mapping[str, str] = field(default_factory=dict)
    last_request_user: User | None = None
    workflow_template: TemplateReference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    at_ms: int
    name: str
    task_id: str
    state: str = ""
    status: str = ""
    host: str = ""
    class_name: str = ""
    traits: Traits | None = None
    environment_id: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleEvent:
    """Exactly one of state and status is filled: the one that changed (core.md 4.3)."""

    at_ms: int
    name: str
    path: str
    environment_id: str = ""
    state: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    at_ms: int
    environment_id: str
    path: str
    func: str
    call_status: OpStatus
    return_name: str = ""
    traits: Traits | None = None
    output: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegratedServiceEvent:
    at_ms: int
    name: str
    environment_id: str = ""
    operation_name: str = ""
    operation_status: OpStatus = OpStatus.NULL
    operation_step: str = ""
    operation_step_status: OpStatus = OpStatus.NULL
    payload: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    at_ms: int
    environment_id: str
    run_number: int
    state: str
    transition: str
    transition_status: OpStatus
    error: str = ""
    last_request_user: User | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreStartEvent:
    at_ms: int
    framework_id: str = ""


Event = EnvironmentEvent | TaskEvent | RoleEvent | CallEvent | IntegratedServiceEvent | RunEvent | CoreStartEvent

# ---- the live picture (aliecs.live.v1) --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
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
class TransitionProgress:
    event: str
    step: str = ""
    started_ms: int = 0
    tasks_done: int = 0
    tasks_total: int = 0
    user: str = ""
    waiting_for: str = ""
    """What holds it now, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
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
    owner: User = User()
    last_user: User = User()
    run_type: str = ""
    public: bool = False
    user_vars: Mapping[str, str] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    last_run_number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
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


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    name: str
    address: str = ""
    detector: str = ""
    executor_id: str = ""
    executor_state: str = ""
    """NONE, STARTING, ATTACHED, SILENT or LOST."""
    tasks: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
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


@dataclass(frozen=True, slots=True)
class Removal:
    """A thing is gone; with an environment go its roles and its fault."""

    kind: Kind
    id: str


Thing = Core | Environment | Role | Task | Host | Service | Fault


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
    epoch: str
    seq: int
    part: Part
    changes: tuple[Change, ...]
    timestamp_ms: int = 0
