"""What can happen to an environment. Everything ``advance`` reacts to is one of these, and each is journalled before it acts.

All serialise with msgspec. ``at_ms`` is Unix milliseconds: the decider has no clock of its own. A field may be added,
never renamed: journals outlive a version.
"""

from __future__ import annotations

import msgspec

from server.template.model import LoadedWorkflow


class Stimulus(msgspec.Struct, frozen=True, tag=True, tag_field="is", kw_only=True):
    """Base of all stimuli."""

    at_ms: int


class Requester(msgspec.Struct, frozen=True, kw_only=True):
    """Who asked (common.User); informational (core.md 7.6)."""

    name: str = ""
    external_id: int | None = None
    id: int | None = None

    def to_variable(self) -> str:
        """Return the text of the variable ``last_request_user``; null where nobody is named (core.md 7.6)."""
        shown = {"externalId": self.external_id, "id": self.id, "name": self.name or None}
        return msgspec.json.encode({key: value for key, value in shown.items() if value is not None} or None).decode()


LHC = Requester(name="LHC", external_id=60)
TIMER = Requester(name="TIMER", external_id=65)


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Deadlines in seconds, from the settings at creation (design: deadlines are settings)."""

    deploy_s: float = 90.0
    """No news from a task being deployed for so long fails DEPLOY; the template's ``deploy_timeout`` wins."""
    configure_s: float = 120.0
    transition_s: float = 90.0
    kill_s: float = 30.0
    destroy_s: float = 90.0
    """So long a destroy without force waits for a running transition."""
    go_error_delay_s: float = 0.5
    """Between the ERROR of a critical task and GO_ERROR, so that one cause is reported once (core.md 2.13)."""


class Created(Stimulus, frozen=True):
    """First stimulus: the workflow is loaded and its detectors are reserved."""

    environment_id: str
    workflow: LoadedWorkflow
    defaults: dict[str, str]
    vars: dict[str, str]
    user_vars: dict[str, str]
    detectors: tuple[str, ...]
    requester: Requester
    timings: Timings
    created_ms: int
    is_auto: bool = False
    """Start by itself, destroy when the run ends (core.md 2.11)."""
    request_id: str = ""


class Requested(Stimulus, frozen=True):
    """An operator asks for a transition; one that is not possible now is refused and changes nothing."""

    event: str
    requester: Requester
    request_id: str


class DestroyRequested(Stimulus, frozen=True):
    """An operator asks to destroy the environment (core.md 2.12)."""

    requester: Requester
    request_id: str
    keep_tasks: bool = False
    allow_running: bool = False
    force: bool = False


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A task that now stands behind a role."""

    role: int
    """``Role.order``: paths need not be unique."""
    task_id: str
    host: str
    class_name: str
    mode: str


class Acquired(Stimulus, frozen=True):
    """The tasks were placed and handed over for launch, or not."""

    token: str
    assignments: tuple[Assignment, ...] = ()
    undeployable: dict[int, str] = {}
    """Role order to the reason in words."""


class TaskChange(msgspec.Struct, frozen=True, kw_only=True):
    """What changed about one task; None: unchanged."""

    task_id: str
    state: str | None = None
    status: str | None = None
    error: str = ""
    exit_code: int | None = None
    signal: int | None = None


class TasksChanged(Stimulus, frozen=True):
    changes: tuple[TaskChange, ...]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a command did to one task; error "" is success."""

    task_id: str
    error: str = ""


class CommandDone(Stimulus, frozen=True):
    """All targets of a transition command have answered, or their time is over."""

    token: str
    failed: tuple[Outcome, ...] = ()
    error: str = ""
    """The command could not be built at all."""


class HooksTriggered(Stimulus, frozen=True):
    token: str
    failed: tuple[Outcome, ...] = ()


class TaskTerminated(Stimulus, frozen=True):
    """The process of a basic or hook task ended."""

    task_id: str
    exit_code: int
    stdout: str
    stderr: str
    voluntary: bool
    final_status: str


class DeviceReported(Stimulus, frozen=True):
    """END_OF_STREAM or TASK_INTERNAL_ERROR from a task."""

    task_id: str
    type: int


class CallDone(Stimulus, frozen=True):
    """A call of an integrated service returned; error "" is success."""

    token: str
    output: str = ""
    return_name: str = ""
    error: str = ""


class VariablesWritten(Stimulus, frozen=True):
    """A service wrote runtime variables of the root role; ``appended`` items join a comma-separated list."""

    values: dict[str, str] = {}
    appended: dict[str, str] = {}


class RunNumberGranted(Stimulus, frozen=True):
    token: str
    run_number: int = 0
    error: str = ""


class TimerFired(Stimulus, frozen=True):
    timer: str


class TasksKilled(Stimulus, frozen=True):
    token: str
    killed: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()


AnyStimulus = (
    Created
    | Requested
    | DestroyRequested
    | Acquired
    | TasksChanged
    | CommandDone
    | HooksTriggered
    | TaskTerminated
    | DeviceReported
    | CallDone
    | VariablesWritten
    | RunNumberGranted
    | TimerFired
    | TasksKilled
)

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[AnyStimulus] = msgspec.json.Decoder(AnyStimulus)


def encode(stimulus: AnyStimulus) -> bytes:
    """Return the stimulus as one line of JSON."""
    return _ENCODER.encode(stimulus)


def decode(line: bytes) -> AnyStimulus:
    """Read back what ``encode`` wrote.

    Raises:
        msgspec.ValidationError: the line is not a stimulus of this version.
    """
    return _DECODER.decode(line)
