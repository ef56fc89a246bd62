"""What the processes of tasks use of this host: CPU, memory, threads; of each task its whole session.

Read from /proc directly, one file per process: psutil needs three and an object for each, four times the time, which
hundreds of tasks would pay every few seconds. When to look, and who is told: runner.py.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from executor.api.messages import MetricSample

CPU, CPU_TIME, MEMORY, THREADS, PROCESSES = (
    "process.cpu", "process.cpu.time", "process.memory", "process.threads", "process.count"
)  # fmt: skip
_UNITS = {CPU: "%", CPU_TIME: "s", MEMORY: "B", THREADS: "1", PROCESSES: "1"}

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STAT_BYTES = 4096
"""More than any such file has."""
_SHORTEST_S = 0.01
"""No share of CPU time is taken of less: CPU time is counted in such steps."""
_STATE, _SESSION, _TIMES, _THREADS, _STARTED, _RESIDENT = 0, 3, slice(11, 15), 17, 19, 21
"""Places in /proc/<pid>/stat after the name, see proc_pid_stat(5)."""


@dataclass(slots=True)
class Usage:
    """Of all processes of a session together."""

    cpu_s: float = 0.0
    """Of living processes and of those that they have waited for, since their start."""
    memory_bytes: int = 0
    """Resident; what processes share is counted in each."""
    threads: int = 0
    processes: int = 0
    since_s: float = float("inf")
    """Start of the oldest process, by the clock that counts from the start of the host."""


def read_usage(sessions: Collection[int], proc: Path = Path("/proc")) -> dict[int, Usage]:
    """Return the usage of each session that has a living process. Blocks: some 20 ms for 1000 processes."""
    found: dict[int, Usage] = {}
    for name in os.listdir(proc):
        if name.isdecimal() and (session := _session(int(name))) in sessions:
            try:
                _add(found, session, _read(f"{proc}/{name}/stat"))
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended meanwhile
    return found


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, _STAT_BYTES)
    finally:
        os.close(file)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0  # ended meanwhile, or hidden from us


def _add(found: dict[int, Usage], session: int, stat: bytes) -> None:
    fields = stat[stat.rindex(b")") + 2 :].split()
    if int(fields[_SESSION]) != session:
        return  # the number has a new owner
    usage = found.setdefault(session, Usage())
    usage.cpu_s += sum(map(int, fields[_TIMES])) / _TICKS
    usage.since_s = min(usage.since_s, int(fields[_STARTED]) / _TICKS)
    if fields[_STATE] not in (b"Z", b"X"):
        usage.memory_bytes += int(fields[_RESIDENT]) * _PAGE_BYTES
        usage.threads += int(fields[_THREADS])
        usage.processes += 1


def uptime_s() -> float:
    """Return the time by the clock of ``Usage.since_s``."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class UsageNews:
    """Makes metrics of what tasks use, and tells only those that changed."""

    def __init__(self) -> None:
        self._told: dict[str, dict[str, float]] = {}
        self._before: dict[str, tuple[float, float]] = {}
        """CPU seconds of each task, and when."""

    def tell_all(self) -> None:
        """Tell everything the next time: whoever listens has nothing yet."""
        self._told = {task_id: {} for task_id in self._told}

    def take(self, usages: Mapping[str, Usage], now_s: float) -> tuple[MetricSample, ...]:
        """Return what changed of some tasks.

        Args:
            usages: by task id.
            now_s: as of ``uptime_s``.
        """
        samples: list[MetricSample] = []
        for task_id, usage in usages.items():
            values = {
                CPU: self._cpu_percent(task_id, usage, now_s),
                CPU_TIME: round(usage.cpu_s, 2),
                MEMORY: float(usage.memory_bytes),
                THREADS: float(usage.threads),
                PROCESSES: float(usage.processes),
            }
            self._tell(samples, task_id, values)
        return tuple(samples)

    def take_ended(self, living: Container[str]) -> tuple[MetricSample, ...]:
        """Return that all other tasks use nothing any more, once."""
        samples: list[MetricSample] = []
        for task_id in [known for known in self._told if known not in living]:
            self._tell(samples, task_id, {CPU: 0.0, MEMORY: 0.0, THREADS: 0.0, PROCESSES: 0.0})
            del self._told[task_id]
            self._before.pop(task_id, None)
        return tuple(samples)

    def _cpu_percent(self, task_id: str, usage: Usage, now_s: float) -> float:
        """Return the share of one core since the last time, or since the start."""
        before_s, then_s = self._before.get(task_id, (0.0, usage.since_s))
        if usage.since_s > then_s:  # another process than the last time
            before_s, then_s = 0.0, usage.since_s
        self._before[task_id] = usage.cpu_s, now_s
        # A member that ended and was waited for by nobody takes its time with it.
        return round(100 * max(0.0, usage.cpu_s - before_s) / max(_SHORTEST_S, now_s - then_s), 1)

    def _tell(self, samples: list[MetricSample], task_id: str, values: Mapping[str, float]) -> None:
        told = self._told.setdefault(task_id, {})
        for name, value in values.items():
            if told.get(name) != value:
                told[name] = value
                samples.append(MetricSample(task_id=task_id, name=name, value=value, unit=_UNITS[name]))
