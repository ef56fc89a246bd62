"""What core and executors say to each other, as values. The protobuf form: executor.proto; its conversion: convert.py.

All are frozen and serialise with msgspec, so that a recorded exchange can be replayed. Times are Unix milliseconds.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Message(msgspec.Struct, frozen=True, tag=True, tag_field="is", kw_only=True):
    """Base of all messages; the tag in the serialised form is the class name."""


class ControlMode(StrEnum):
    """How a task is controlled (occ-executor-mesos.md 3.4)."""

    DIRECT = "direct"
    FAIRMQ = "fairmq"
    BASIC = "basic"
    HOOK = "hook"

    @classmethod
    def parse(cls, text: str) -> ControlMode:
        """Return the mode of that name in any case, DIRECT for every other text."""
        return cls.__members__.get(text.upper(), cls.DIRECT)

    @property
    def is_controlled(self) -> bool:
        """Whether such a task is driven over OCC while its process runs."""
        return self in (ControlMode.DIRECT, ControlMode.FAIRMQ)


class Phase(StrEnum):
    """Life of a task's process as its executor sees it. A basic or hook task is ACTIVE without a process."""

    STARTING = "STARTING"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"


# ---- core to executor ------------------------------------------------------------------------


class Welcome(Message, frozen=True):
    """First command after a Hello."""

    core_epoch: str
    lease_s: float
    """End all tasks when no core has been heard for so long; 0: never."""


class TaskSpec(Message, frozen=True):
    """All that is needed to start one task."""

    task_id: str
    environment_id: str
    class_name: str
    """Full identifier, ``<repo>/tasks/<name>@<hash>``."""
    mode: ControlMode
    value: str
    shell: bool = False
    arguments: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    """``K=V``, added to the executor's own environment; later wins."""
    user: str = ""
    stdout: str = "none"
    """none, stdout or all."""
    stderr: str = "none"
    control_port: int = 0
    timeout_s: float = 0.0
    """Kill the process after so long; 0: never. Hook and basic tasks only."""
    role_path: str = ""
    detector: str = ""
    cpu_limit: float = 0.0
    """Cores that it may use at most; 0: all."""
    memory_limit_mb: float = 0.0
    """Memory that it may use at most, in MB of 1024 * 1024 bytes; 0: all."""


class Launch(Message, frozen=True):
    """Start tasks. Answered by TaskReports as they come up or fail."""

    command_id: str
    tasks: tuple[TaskSpec, ...]


class Target(Message, frozen=True):
    """One task of a Transition and the arguments that are its own."""

    task_id: str
    arguments: dict[str, str] = {}


class Transition(Message, frozen=True):
    """Drive many tasks through one event. Answered by one CommandReply with a result for every target, always."""

    command_id: str
    environment_id: str
    event: str
    source: str
    destination: str
    targets: tuple[Target, ...]
    timeout_s: float
    arguments: dict[str, str] = {}
    """Common to all targets; a target's own entries win."""


class TriggerHooks(Message, frozen=True):
    """Start the processes of hook tasks. Answered by one CommandReply as soon as they were started or failed to."""

    command_id: str
    environment_id: str
    task_ids: tuple[str, ...]


class Kill(Message, frozen=True):
    """End tasks by the kill ladder. Answered by one CommandReply when all have ended (or never were)."""

    command_id: str
    task_ids: tuple[str, ...]
    at_once: bool = False
    """SIGKILL, without asking the task first."""


class Forget(Message, frozen=True):
    """Drop the record of ended tasks: the core has journalled their end."""

    task_ids: tuple[str, ...]


class Shutdown(Message, frozen=True):
    """End the executor, after its tasks if told to."""

    kill_tasks: bool


class Ping(Message, frozen=True):
    """Keeps the lease; answered by Pong."""

    sent_ms: int


class ReadOutput(Message, frozen=True):
    """Read a part of what a task wrote. Answered by one OutputPiece, at once."""

    request_id: str
    task_id: str
    stream: str
    """stdout or stderr."""
    offset: int | None = None
    """None: begin with the last lines."""
    lines: int = 0
    """So many, if there is no offset; 0 is the end of the output."""
    limit_bytes: int = 65536


Command = Welcome | Launch | Transition | TriggerHooks | Kill | Forget | Shutdown | Ping | ReadOutput

# ---- executor to core ------------------------------------------------------------------------


class TaskReport(Message, frozen=True):
    """Where one task stands."""

    task_id: str
    environment_id: str
    phase: Phase
    state: str = ""
    """Task state by name, "" when not known."""
    pid: int = 0
    final_status: str = ""
    """TASK_FINISHED, TASK_FAILED or TASK_KILLED once ENDED."""
    exit_code: int | None = None
    signal: int | None = None
    error: str = ""
    """Why it failed, in words for an operator."""
    timestamp_ms: int = 0
    limits: str = ""
    """Which of its limits are enforced and which are not, and why; "" if it has none, or no process yet."""


class Hello(Message, frozen=True):
    """First report on every link; ``tasks`` is all that the executor knows, ended ones included until forgotten."""

    executor_id: str
    agent_id: str
    host: str
    pid: int
    instance: str
    version: str
    tasks: tuple[TaskReport, ...] = ()
    started_ms: int = 0
    """0: not told."""


class TaskReports(Message, frozen=True):
    """Tasks that came up, changed state by themselves, or ended."""

    tasks: tuple[TaskReport, ...]


class TaskResult(Message, frozen=True):
    """Outcome for one target; error "" is success, state is where the task is now ("" if not known)."""

    task_id: str
    state: str
    error: str = ""


class CommandReply(Message, frozen=True):
    """The answer to a command, with a result for every task it named. The same command id gives the same reply."""

    command_id: str
    results: tuple[TaskResult, ...]


class Termination(Message, frozen=True):
    """How the process of a basic or hook task ended."""

    exit_code: int
    """-1 if ended by a signal."""
    stdout: str
    stderr: str
    voluntary: bool
    final_status: str


class DeviceEvent(Message, frozen=True):
    """Something that a task said (occ-executor-mesos.md 3.8); type as in occ_pb.DeviceEventType."""

    task_id: str
    environment_id: str
    type: int
    termination: Termination | None = None
    timestamp_ms: int = 0


class DeviceEvents(Message, frozen=True):
    events: tuple[DeviceEvent, ...]


class MetricSample(Message, frozen=True):
    task_id: str
    name: str
    value: float
    unit: str


class MetricSamples(Message, frozen=True):
    """Metrics of many tasks, at most twice a second per executor."""

    samples: tuple[MetricSample, ...]
    timestamp_ms: int


class Pong(Message, frozen=True):
    sent_ms: int


class OutputPiece(Message, frozen=True):
    """A part of what a task wrote."""

    request_id: str
    offset: int = 0
    """Where data begins; smaller than asked for if the output was begun anew."""
    size: int = 0
    """Of the whole output now."""
    data: bytes = b""
    error: str = ""
    """Why it cannot be read."""

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


Report = Hello | TaskReports | CommandReply | DeviceEvents | MetricSamples | Pong | OutputPiece
