"""The record of one task: where it runs, whose it is, what was last heard of it. The table of all: roster.py."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from executor.api.messages import ControlMode, TaskSpec
from occ.states import TaskState
from server.api.states import Status


class ChannelInfo(msgspec.Struct, frozen=True):
    """A channel as clients see it (core.md 1.8)."""

    name: str
    type: str = ""
    target: str = ""
    """"" for an inbound channel."""


class Metric(msgspec.Struct, frozen=True):
    """The last value that a task told of itself."""

    value: float
    unit: str = ""


_NO_METRICS: Mapping[str, Metric] = {}


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One task. Every change makes a new value; only Roster does that.

    It serialises, so that a core that is started again knows its tasks: see ``to_record``.
    """

    task_id: str
    class_id: str
    """Full identifier, ``<repo>/tasks/<name>@<hash>``."""
    class_name: str
    host: str
    address: str
    """For wiring and control; never the name of the host."""
    agent_id: str = ""
    offer_id: str = ""
    executor_id: str = ""
    environment_id: str = ""
    """"" once released."""
    role_path: str = ""
    """"" once released."""
    critical: bool = True
    command: TaskSpec
    """As it was launched."""
    properties: Mapping[str, str] = {}
    """Of the class, untemplated."""
    inbound: tuple[ChannelInfo, ...] = ()
    outbound: tuple[ChannelInfo, ...] = ()
    endpoints: Mapping[str, str] = {}
    """Inbound channel, or ``::<alias>``, to its local endpoint: ``tcp://*:9000`` or ``ipc://@...``."""
    ports: tuple[int, ...] = ()
    """All that it holds."""
    cpus: float = 0.0
    memory_mb: float = 0.0

    status: Status = Status.INACTIVE
    state: TaskState = TaskState.STANDBY
    state_since_ms: int = 0
    """Unix milliseconds; of the last change of state or status."""
    pid: int = 0
    """0 before it is known."""
    error: str = ""
    """Why it failed, in words."""
    final_status: str = ""
    """TASK_FINISHED, TASK_FAILED, TASK_KILLED or TASK_LOST once it has ended."""
    exit_code: int | None = None
    """Of its last process; a hook or basic task that is alive may have had some."""
    signal: int | None = None
    limits: str = ""
    """Which of its limits are enforced and which are not, and why; "" if it has none or they are not known yet."""
    killing: bool = False
    """It was told to end."""
    metrics: Mapping[str, Metric] = _NO_METRICS

    @property
    def name(self) -> str:
        """``<class identifier>#<task id>`` (core.md 1.8)."""
        return f"{self.class_id}#{self.task_id}"

    @property
    def mode(self) -> ControlMode:
        return self.command.mode

    @property
    def control_port(self) -> int:
        """0 if it has none."""
        return self.command.control_port

    @property
    def ended(self) -> bool:
        """True if nothing of it runs any more."""
        return bool(self.final_status)

    @property
    def locked(self) -> bool:
        """True while an environment has it and everything about its place is known (core.md 3.2)."""
        return bool(self.environment_id and self.host and self.agent_id and self.offer_id and self.executor_id)

    @property
    def claimable(self) -> bool:
        return not self.locked and self.status is Status.ACTIVE and self.state is TaskState.STANDBY

    @property
    def orphan(self) -> bool:
        return not self.locked and not self.claimable

    def to_record(self) -> bytes:
        """Return the durable form, JSON; metrics are left out."""
        return _ENCODER.encode(msgspec.structs.replace(self, metrics=_NO_METRICS) if self.metrics else self)


def from_record(record: bytes) -> Task:
    """Read what ``to_record`` wrote.

    Raises:
        msgspec.ValidationError: not a record of a task of this version.
    """
    return _DECODER.decode(record)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Task)
