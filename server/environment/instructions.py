"""What an environment wants done. ``advance`` returns these, runner.py carries them out, each result comes back as a stimulus.

An instruction with a ``token`` is answered by exactly one stimulus with the same token; until then it stands in
``Environment.outstanding`` and is carried out again after a restart of the core.
"""

from __future__ import annotations

import msgspec

from server.api.model import CallEvent, EnvironmentEvent, RunEvent


class Instruction(msgspec.Struct, frozen=True, tag=True, tag_field="is", kw_only=True):
    """Base of all instructions."""


class Publish(Instruction, frozen=True):
    """Tell the world; never waits."""

    event: EnvironmentEvent | CallEvent | RunEvent


class Acquire(Instruction, frozen=True):
    """Place and launch tasks for these roles. Answered by Acquired."""

    token: str
    roles: tuple[int, ...]
    timeout_s: float


class Command(Instruction, frozen=True):
    """Drive tasks through a task event. Answered by CommandDone."""

    token: str
    event: str
    source: str
    destination: str
    task_ids: tuple[str, ...]
    timeout_s: float
    arguments: dict[str, str] = {}
    with_properties: bool = False
    """CONFIGURE: every task gets its own property map (core.md 2.7)."""


class TriggerHooks(Instruction, frozen=True):
    """Start the processes of hook tasks. Answered by HooksTriggered; their ends come as TaskTerminated."""

    token: str
    task_ids: tuple[str, ...]
    timeout_s: float


class RunCall(Instruction, frozen=True):
    """Evaluate a call of an integrated service. Answered by CallDone."""

    token: str
    role: int
    func: str
    return_var: str
    stack: dict[str, str]
    """Consolidated stack of the call role with the ``__call_*`` keys (core.md 2.8.2)."""


class NewRunNumber(Instruction, frozen=True):
    """Answered by RunNumberGranted."""

    token: str


class StartTimer(Instruction, frozen=True):
    """Answered by TimerFired unless stopped. ``at_ms`` is when it fires, so that a restart can arm it again."""

    timer: str
    at_ms: int


class StopTimer(Instruction, frozen=True):
    timer: str


class Release(Instruction, frozen=True):
    """Unlock tasks: they no longer belong to the environment."""

    task_ids: tuple[str, ...]


class Kill(Instruction, frozen=True):
    """End released tasks. Answered by TasksKilled."""

    token: str
    task_ids: tuple[str, ...]
    timeout_s: float


class Reply(Instruction, frozen=True):
    """Answer the request; error "" is success."""

    request_id: str
    error: str = ""
    reason: str = ""
    """Name of a server.api.errors.Reason when there is an error."""
    killed: tuple[str, ...] = ()


class Gone(Instruction, frozen=True):
    """The environment is finished: forget it."""


AnyInstruction = (
    Publish
    | Acquire
    | Command
    | TriggerHooks
    | RunCall
    | NewRunNumber
    | StartTimer
    | StopTimer
    | Release
    | Kill
    | Reply
    | Gone
)

Answered = Acquire | Command | TriggerHooks | RunCall | NewRunNumber | Kill

_ENCODER = msgspec.json.Encoder()


def encode(instruction: AnyInstruction) -> bytes:
    """Return the instruction as one line of JSON, for recordings and comparison."""
    return _ENCODER.encode(instruction)
