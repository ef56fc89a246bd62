"""What the Agent remembers of one task, what its command tells of it, and how the end of a process reads in words.

Decisions: agent.py, ladder.py.
"""

from __future__ import annotations

import signal as signals
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from executor.api.messages import Phase, TaskReport, TaskSpec

ECHOES = 8
"""States of replies that the StateStream has still to repeat; more are not remembered."""


class Stage(Enum):
    """How far the process of a task is."""

    IDLE = "no process"
    """Basic and hook tasks between their runs."""
    SPAWNING = "being started"
    PORT = "its control port is not open yet"
    STANDBY = "it has not reached STANDBY yet"
    UP = "running"
    ENDED = "ended"
    """The task is over: only its record is left."""


class Rung(Enum):
    """Where a task stands on the kill ladder (occ-executor-mesos.md 3.9)."""

    WAIT_SPAWN = 0
    QUERY = 1
    WALK = 2
    DONE = 3
    TERM = 4
    INT = 5
    KILL = 6
    STUCK = 7
    """Survived SIGKILL so far."""


@dataclass(slots=True)
class Task:
    """Mutated by the Agent only."""

    spec: TaskSpec
    stage: Stage
    state: str = ""
    pid: int = 0
    """Of the child, hence of its process group; 0 without a process."""
    occ_pid: int = 0
    """Of the controlled process as it says itself: behind a shell another one."""
    connected: bool = False
    """ConnectOcc was given and CloseOcc not yet."""
    running: str = ""
    """The event that is being executed, "" if the task is free."""
    command_id: str = ""
    """Who waits for ``running`` when no OCC call stands for it (basic and hook tasks)."""
    kills: list[str] = field(default_factory=list)
    """Kill commands that wait for the end."""
    rung: Rung | None = None
    at_once: bool = False
    """It is to be ended without being asked."""
    exit_asked: bool = False
    done: bool = False
    """DONE was reached on request."""
    override: str = ""
    """Final status of a basic or hook process that is being ended on request."""
    timed_out: bool = False
    echoes: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """States of the StateStream since ``running`` began, each where it was told last."""
    trouble: str = ""
    """Why the task is not in STANDBY yet, while it starts."""
    failure: str = ""
    """Why the start failed, while its process still has to end."""
    exit_code: int | None = None
    signal: int | None = None
    limits: str = ""
    final_status: str = ""
    error: str = ""
    tells_states: bool = field(init=False)
    """It has a stream of states, which repeats those of replies."""

    def __post_init__(self) -> None:
        self.tells_states = not speaks_json(self.spec)

    @property
    def is_remote(self) -> bool:
        """Whether the task is controlled over OCC."""
        return self.spec.mode.is_controlled

    @property
    def has_process(self) -> bool:
        return self.stage not in (Stage.IDLE, Stage.ENDED)

    @property
    def phase(self) -> Phase:
        if self.stage is Stage.ENDED:
            return Phase.ENDED
        return Phase.ACTIVE if self.stage is Stage.UP or not self.is_remote else Phase.STARTING

    def report(self, at_ms: int) -> TaskReport:
        return TaskReport(
            task_id=self.spec.task_id,
            environment_id=self.spec.environment_id,
            phase=self.phase,
            state=self.state,
            pid=self.occ_pid or self.pid,
            final_status=self.final_status,
            exit_code=self.exit_code,
            signal=self.signal,
            error=self.error,
            timestamp_ms=at_ms,
            limits=self.limits,
        )


def describe_exit(exit_code: int | None, signal: int | None, last_line: str = "", out_of_memory: str = "") -> str:
    """Return ``exit code 3`` or ``killed by signal 9 (SIGKILL)``, with the last words if there are any.

    Args:
        out_of_memory: which memory a process was killed for: the task's own if it is SIGKILL that ended it.
    """
    if signal is not None:
        names = {member.value: member.name for member in signals.Signals}
        how = f"killed by signal {signal} ({names.get(signal, 'unnamed')})"
    else:
        how = f"exit code {exit_code}"
    if out_of_memory and signal == signals.SIGKILL:
        how = f"killed by {out_of_memory} (signal 9)"
    elif out_of_memory:
        how += f"; a process of it was killed by {out_of_memory}"
    return f"{how}; last line on stderr: {last_line}" if last_line else how


def speaks_json(spec: TaskSpec) -> bool:
    """Whether the command loads the plugin OCClite, which has no protobuf (occ-executor-mesos.md 3.6, step 3).

    The original looks for ``-P OCClite`` in single words of the command only, so it sees it in shell commands alone.
    """
    words = (spec.value, *spec.arguments)
    return any("-P OCClite" in word for word in words) or ("-P", "OCClite") in pairwise(words)
