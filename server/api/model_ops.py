"""What experts see of hosts, executors and outputs (aliecs.ops.v1). Frozen values; from and to protobuf: convert_ops.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from server.api.model import Drain


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """A host and its executor."""

    name: str
    address: str = ""
    detector: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    cpus: float = 0.0
    """In all, as memory_mb; the free ones are None if that is not known now."""
    memory_mb: float = 0.0
    free_cpus: float | None = None
    free_memory_mb: float | None = None
    tasks: int = 0
    """That have not ended."""
    environments: tuple[str, ...] = ()
    """That have tasks there."""
    executor_id: str = ""
    executor_state: str = ""
    """NONE, STARTING, ATTACHED, SILENT or LOST."""
    agent_id: str = ""
    version: str = ""
    pid: int = 0
    started_ms: int = 0
    """Of the executor; 0: not known."""
    drain: Drain | None = None
    """Set while nothing new is placed there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    """Where a task stands after what was done to it."""

    task_id: str
    state: str = ""
    status: str = ""
    environment_id: str = ""


@dataclass(frozen=True, slots=True)
class OutputPart:
    """A part of what a task wrote; one that begins before the end of the one before says that it was begun anew."""

    offset: int
    data: bytes
    size: int
