"""What goes into the Agent (events) and what comes out (instructions), as values that serialise to JSON.

The Agent is in agent.py; runner.py turns the world into events and instructions into deeds. ``at_ms`` is Unix
milliseconds by a clock that never steps: the Agent itself has none.
"""

from __future__ import annotations

import msgspec

from executor.api.messages import Command, MetricSample, Report, TaskSpec


class Event(msgspec.Struct, frozen=True, tag=True, tag_field="is", kw_only=True):
    """Base of all events; the tag in the serialised form is the class name."""

    at_ms: int


class Started(Event, frozen=True):
    """First of all events."""


class LinkUp(Event, frozen=True):
    """A core listens; it expects a Hello first."""


class LinkDown(Event, frozen=True):
    """No core listens now; the link is being dialled again."""


class Commanded(Event, frozen=True):
    """The core said something."""

    command: Command


class Spawned(Event, frozen=True):
    """The process of a task runs."""

    task_id: str
    pid: int
    limits: str = ""
    """See TaskReport."""


class SpawnFailed(Event, frozen=True):
    """No process came of a Spawn."""

    task_id: str
    error: str


class PortOpened(Event, frozen=True):
    """The control port of a task accepts connections."""

    task_id: str


class Ready(Event, frozen=True):
    """A task answered over OCC for the first time, with this state; pid is that of the controlled process."""

    task_id: str
    pid: int
    state: str
    error: str = ""
    """Not the task answered."""


class Unready(Event, frozen=True):
    """A new task is not in a state to be used yet; why is told again when it changes."""

    task_id: str
    why: str


class Exited(Event, frozen=True):
    """The process of a task ended; its process group has been killed with it."""

    task_id: str
    exit_code: int | None
    """None if ended by a signal."""
    signal: int | None
    stdout: str
    """Captured output of this process, bounded; "" for direct tasks."""
    stderr: str
    """Captured output of this process, bounded; for direct tasks only its last line."""
    out_of_memory: str = ""
    """Which memory it or a process of it was killed for, "" if none was."""


class OccReplied(Event, frozen=True):
    """A CallOcc or QueryOcc was answered or failed."""

    call_id: int
    task_id: str
    state: str
    """"" if not told."""
    error: str = ""
    pid: int = 0
    """Of the controlled process; 0 if not told."""
    lost: bool = False
    """The connection broke: the process has probably ended, which another event will tell."""


class OccEvent(Event, frozen=True):
    """A task spoke on its EventStream; type as in occ_pb.DeviceEventType."""

    task_id: str
    type: int


class StateSeen(Event, frozen=True):
    """A task told a new state on its StateStream."""

    task_id: str
    state: str


class TimerFired(Event, frozen=True):
    """A StartTimer ran out."""

    timer_id: str


class Paused(Event, frozen=True):
    """The executor itself did not run for a while, so it could hear nobody."""

    for_ms: int


class MetricsSampled(Event, frozen=True):
    """Numbers of several tasks."""

    samples: tuple[MetricSample, ...]


class Terminated(Event, frozen=True):
    """The executor was told by a signal to end. The first time tasks end by the ladder, the second time at once."""


AnyEvent = (
    Started
    | LinkUp
    | LinkDown
    | Commanded
    | Spawned
    | SpawnFailed
    | PortOpened
    | Ready
    | Unready
    | Exited
    | OccReplied
    | OccEvent
    | StateSeen
    | TimerFired
    | Paused
    | MetricsSampled
    | Terminated
)


class Instruction(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """Base of all instructions."""


class Spawn(Instruction, frozen=True):
    """Start the process of a task: answered by Spawned or SpawnFailed, later by Exited."""

    spec: TaskSpec


class ConnectOcc(Instruction, frozen=True):
    """Wait for the control port of a task, then for a state: PortOpened, Ready."""

    task_id: str
    port: int


class CallOcc(Instruction, frozen=True):
    """Ask a task for a transition: answered by OccReplied, always."""

    call_id: int
    task_id: str
    source: str
    event: str
    destination: str
    arguments: dict[str, str]
    timeout_s: float


class QueryOcc(Instruction, frozen=True):
    """Ask a task for its state: answered by OccReplied, always."""

    call_id: int
    task_id: str
    timeout_s: float


class CloseOcc(Instruction, frozen=True):
    """Stop waiting for and talking to the control port of a task; calls under way are answered as lost."""

    task_id: str


class Signal(Instruction, frozen=True):
    """Send a signal to the process that has this pid if it is of the task, SIGKILL to its whole group too; 0: to the group."""

    task_id: str
    signal: int
    pid: int = 0


class StartTimer(Instruction, frozen=True):
    """Start a timer, or start it anew: TimerFired unless stopped."""

    timer_id: str
    after_s: float


class StopTimer(Instruction, frozen=True):
    """Stop a timer; one that does not run is no error."""

    timer_id: str


class Send(Instruction, frozen=True):
    """Tell the core."""

    report: Report


class Exit(Instruction, frozen=True):
    """End the executor; no task is left."""

    code: int


AnyInstruction = Spawn | ConnectOcc | CallOcc | QueryOcc | CloseOcc | Signal | StartTimer | StopTimer | Send | Exit
