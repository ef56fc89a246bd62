"""What an environment would be, without making it (aliecs.ops.v1). Frozen values; from and to protobuf: convert_plan.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProblem:
    """What would keep the environment from being created, or a task from taking part."""

    reason: str
    """Name of a server.api.errors.Reason."""
    message: str
    hint: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    fatal: bool = True
    """False: of a task that is not critical."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCommand:
    """What would be started, with nothing left to render but ids and ports."""

    value: str
    shell: bool = False
    user: str = ""
    arguments: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    stdout: str = ""
    stderr: str = ""
    timeout_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChannel:
    """A channel of a task as far as it is known before its ports are chosen."""

    name: str
    type: str = ""
    binds: bool = False
    transport: str = ""
    alias: str = ""
    """Of one that binds: it is known as ``::alias``."""
    target: str = ""
    """Of one that connects."""
    address: str = ""
    """"" if it leads nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """A task and its place."""

    class_id: str
    class_name: str = ""
    mode: str = ""
    host: str = ""
    """"" if it cannot be placed."""
    address: str = ""
    cpus: float = 0.0
    memory_mb: float = 0.0
    static_ports: tuple[int, ...] = ()
    data_ports: int = 0
    control_port: bool = False
    command: PlannedCommand | None = None
    channels: tuple[PlannedChannel, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRole:
    """One role of the resolved tree."""

    order: int
    parent: int | None
    """Order of the role above; None for the root."""
    name: str
    path: str
    kind: str
    """aggregator, task or call."""
    critical: bool = False
    trigger: str = ""
    await_: str = ""
    timeout: str = ""
    constraints: Mapping[str, str] = field(default_factory=dict)
    """Effective ones, of a task with those of its class."""
    task: PlannedTask | None = None
    func: str = ""
    return_var: str = ""
    include: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What NewEnvironment would do."""

    template: str
    """As it was asked for."""
    name: str = ""
    description: str = ""
    repo: str = ""
    revision: str = ""
    hash: str = ""
    hosts: tuple[str, ...] = ()
    detectors: tuple[str, ...] = ()
    roles: tuple[PlannedRole, ...] = ()
    """In pre-order; those that are not enabled are not among them."""
    disabled: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[PlanProblem, ...] = ()
