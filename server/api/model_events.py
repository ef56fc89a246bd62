"""The events of a core as frozen values, and what they share with the live picture. All else, and the rules: model.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


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
    """A transition of an environment goes on, or something else happened to it."""

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
    """State or status of a task changed."""

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
    """A call of an integrated service began or ended."""

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
    """A step of an integrated service."""

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
    """A run begins or ends."""

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
    """The core has started."""

    at_ms: int
    framework_id: str = ""


Event = EnvironmentEvent | TaskEvent | RoleEvent | CallEvent | IntegratedServiceEvent | RunEvent | CoreStartEvent
