"""Who this executor is, and the times and limits by which it works. Values only; the command line is in __main__.py."""

from __future__ import annotations

import msgspec

from executor.api.options import LimitsMode


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What an executor says of itself in its Hello."""

    executor_id: str
    agent_id: str
    host: str
    pid: int
    instance: str
    version: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    port_open_s: float = 45.0
    """From the start of a process to its control port being open (occ-executor-mesos.md 3.6)."""
    standby_s: float = 30.0
    """From the open control port to STANDBY."""
    ladder_call_s: float = 5.0
    """For each call of the kill ladder: GetState, STOP, RESET, EXIT (3.9)."""
    done_s: float = 1.0
    """From DONE to the end of the process, before it is signalled."""
    sigterm_s: float = 2.0
    sigint_s: float = 3.0
    sigkill_s: float = 5.0
    """How long after SIGKILL a process may still be there before a Kill is answered with an error."""
    lost_s: float = 3.0
    """How long the answer to a command waits for the end of the process after the connection to it broke: on a busy machine
    that end, and its last words, come later than the break. Who lives on without his port has little to answer anyway."""
    command_s: float = 120.0
    """For a transition whose command names no timeout."""
    lease_s: float = 0.0
    """Until a core's Welcome names another one. 0: none."""
    remembered_replies: int = 1000
    """Replies kept for command ids that come again; older ones are forgotten."""
    output_bytes: int = 65536
    """Kept of each output stream of a hook or basic task, from its end."""
    output_file_bytes: int = 32 * 1024 * 1024
    """A file of output that would become longer is turned into ``.1``; 0: never."""
    output_older_files: int = 3
    """Kept of each output stream beside the file that is written."""
    kept_tasks: int = 1000
    """Folders of ended tasks that are kept, the latest; 0: all."""
    kept_tasks_s: float = 14 * 86400.0
    """How long they are kept; 0: for ever."""
    prune_interval_s: float = 600.0
    """Between two looks at what is kept; the first is at the start."""
    task_limits: LimitsMode = "auto"
    """Enforce the limits of tasks where that may be, or not at all."""
    core_quiet_s: float = 20.0
    """A core that said nothing for so long is asked, by gRPC itself, whether it is there."""
    core_answer_s: float = 10.0
    """For it to answer; after that it is dialled again."""
    redial_min_s: float = 0.05
    redial_max_s: float = 0.5
    agent_pause_s: float = 2.0
    """Longest pause between two attempts to be accepted by a Mesos agent."""
    queue_limit: int = 10000
    """Reports waiting for the link; what happens beyond: link.py."""
    flush_s: float = 1.0
    """For the last reports when the executor ends."""
    metrics_interval_s: float = 0.5
    rate_stale_s: float = 1.25
    """A rate that was not renewed for so long is 0; with the interval it stays below 2 s."""
    usage_interval_s: float = 5.0
    """Between two looks at what the processes of tasks use; 0: never."""
    resubscriptions: int = 5
    """How often a broken stream of a living task is opened again."""
