"""Child processes of one host: started, signalled, watched and reaped. What and when: program.py, agent.py.

Every child leads its own session and process group and dies with the executor. Its output goes through pipes to files
(pump.py); its exit is seen through a pidfd. To be used from the main thread only: a child's parent-death signal is tied
to the thread that started it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal as signals
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from executor import holder, pidfds
from executor.api.messages import TaskSpec
from executor.folders import TaskFolders
from executor.limits import Confinement, TaskLimits
from executor.output_file import OutputFile, OutputLimits
from executor.program import OUR_SETPRIV, Program, find_setpriv, program_of
from executor.pump import Pump, Stream
from executor.task_pipe import TaskPipe
from occ.errors import TaskError
from occ.state_pipe import READY_FD

_LOG = logging.getLogger(__name__)
_LAST_LINE_BYTES = 2048
"""Kept from the end of stderr to find its last line."""
_OUTPUT_S = 2.0
"""For the last output of an ended process to get to its file; after that the end is told without waiting for the disk."""
_KILLED_S = 2.0
"""For what was killed at the end to be gone; who waits for the kernel then stays behind."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended; exit_code is None if by a signal."""

    task_id: str
    exit_code: int | None
    signal: int | None
    stdout: str
    stderr: str
    out_of_memory: str = ""
    """Which memory it or a process of it was killed for, "" if none was."""
    lost_bytes: int = 0
    """Of its output: no disk took them."""


@dataclass(slots=True)
class Child:
    """A running process; ``ready_fd`` is the read end of its readiness pipe, -1 if it has none or it is closed."""

    spec: TaskSpec
    popen: subprocess.Popen[bytes]
    pidfd: int
    ready_fd: int
    stdout: Stream
    stderr: Stream
    confinement: Confinement

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def lost_bytes(self) -> int:
        return self.stdout.file.lost_bytes + self.stderr.file.lost_bytes

    def take_pipe(self) -> TaskPipe | None:
        """Return the pipe on which the task tells its states; whoever takes it closes it. None if there is none."""
        if self.ready_fd < 0:
            return None
        pipe = TaskPipe(self.spec.task_id, self.ready_fd)
        self.ready_fd = -1
        return pipe


class Processes:
    """The children of this executor.

    Args:
        folders: get ``<task id>/stdout`` and ``stderr``, and are where tasks run.
        instance: the id that every process of this instance carries in its environment.
        output_bytes: kept of each stream of a hook or basic task, from its end.
        on_exit: called on the loop, once per child, after it was reaped, its group killed and its output kept.
        limits: of the files.
        task_limits: what limits tasks; None: nothing does.
    """

    def __init__(
        self,
        folders: TaskFolders,
        instance: str,
        output_bytes: int,
        on_exit: Callable[[Ending], None],
        limits: OutputLimits = OutputLimits(),  # noqa: B008
        task_limits: TaskLimits | None = None,
    ) -> None:
        self._folders = folders
        self._instance = instance
        self._output_bytes = output_bytes
        self._on_exit = on_exit
        self._children: dict[str, Child] = {}
        self._limits = limits
        self._task_limits = task_limits or TaskLimits("", off="switched off")
        self._pump = Pump()
        self._is_closed = False
        self._setpriv: Sequence[str] = find_setpriv() or OUR_SETPRIV

    def get(self, task_id: str) -> Child | None:
        return self._children.get(task_id)

    def pids(self) -> dict[str, int]:
        """Return the leader of each task that has a process; it is also the number of its session and group."""
        return {task_id: child.pid for task_id, child in self._children.items()}

    def losses(self) -> dict[str, int]:
        """Return how much of its output each process has lost so far."""
        return {task_id: child.lost_bytes for task_id, child in self._children.items()}

    def spawn(self, spec: TaskSpec) -> Child:
        """Start the process of a task; blocks for about half a millisecond.

        Raises:
            TaskError: it could not be started; the message says why.
        """
        if spec.mode.is_controlled:
            holder.refuse_taken(spec.control_port, self._owner)
        try:
            child = self._start(spec)
        except (OSError, ValueError, RuntimeError) as error:  # a character that no argument can have; no thread is left
            self._folders.discard(spec.task_id)
            why = error.strerror if isinstance(error, OSError) else None
            raise TaskError(f"cannot start {spec.value!r}: {why or error}") from error
        except TaskError:
            self._folders.discard(spec.task_id)
            raise
        self._pump.add((child.stdout, child.stderr))
        self._children[spec.task_id] = child
        asyncio.get_running_loop().add_reader(child.pidfd, self._exited, child)
        return child

    def _start(self, spec: TaskSpec) -> Child:
        self._pump.start()
        folder = self._folders.hold(spec.task_id)
        program = program_of(spec, self._instance, folder)
        ours: list[int] = []
        childs: list[int] = []
        with ExitStack() as for_child, ExitStack() as for_us:
            for _ in range(3 if spec.mode.is_controlled else 2):
                for end, ends, stack in zip(os.pipe(), (ours, childs), (for_us, for_child), strict=True):
                    ends.append(end)
                    stack.callback(os.close, end)
                os.set_blocking(ours[-1], False)
            if switch := program.switch:
                for end in childs[:2]:
                    os.fchown(end, switch.uid, switch.gid)  # so that the task can open /dev/stdout
            if childs[2:]:
                program.environment[READY_FD] = str(childs[2])
            popen, pidfd, confinement = self._confined(spec, program, folder, childs)
            for_us.pop_all()
        stdout, stderr = self._streams(spec, folder, ours)
        return Child(spec, popen, pidfd, ours[2] if ours[2:] else -1, stdout, stderr, confinement)

    def _confined(
        self, spec: TaskSpec, program: Program, folder: Path, ends: Sequence[int]
    ) -> tuple[subprocess.Popen[bytes], int, Confinement]:
        """Start a process within the limits of its task; return it with a pidfd."""
        confinement = self._task_limits.confine(spec)
        try:
            popen = self._popen(program, folder, ends, confinement)
            return popen, _watch(popen), confinement
        except (OSError, ValueError):
            self._task_limits.end(confinement)
            raise

    def find_stranger(self, task_id: str, port: int, pid: int) -> str:
        """Return who answered on the control port of a task if that is not the task itself; "" if it is, or nobody can tell."""
        child = self._children.get(task_id)
        if child is None:
            return ""
        if not (stranger := holder.find_stranger(pid, port, child.pid, task_id, self._owner)):
            _LOG.info("task=%s process=%d answered_by=%d", task_id, child.pid, pid)
        return stranger

    def _owner(self, session: int) -> str:
        tasks = (f"task {task_id}" for task_id, child in self._children.items() if child.pid == session)
        return next(tasks, "")

    def signal(self, task_id: str, signal: int, pid: int = 0) -> None:
        """Send a signal to the process ``pid`` if it is of the task, else to the whole group; SIGKILL to both.

        One of the group is killed with it and not before: a shell that saw it die would exit by itself, with 137.
        Nothing happens when the process is gone.
        """
        child = self._children.get(task_id)
        if child is None:
            return
        if pid and not (signal == signals.SIGKILL and _group_of(pid) == child.pid):
            is_sent = pidfds.send(pid, signal, lambda: holder.is_of(pid, child.pid, task_id))
            if is_sent and signal != signals.SIGKILL:
                return
        _kill_group(child, signal)

    def close(self) -> None:
        """Kill every group that is left and reap its leader; blocks for some seconds if one does not die of it."""
        loop = asyncio.get_running_loop()
        for child in self._children.values():
            loop.remove_reader(child.pidfd)
            _kill_group(child, signals.SIGKILL)
        alive = pidfds.wait([child.pidfd for child in self._children.values()], _KILLED_S)
        for child in self._children.values():
            if child.pidfd in alive:
                _LOG.error("task=%s pid=%d is still there after SIGKILL", child.spec.task_id, child.pid)
                child.popen.returncode = -signals.SIGKILL  # subprocess must not miss it
            else:
                _reap(child)
            self._pump.finish((child.stdout, child.stderr), lambda: None)
            self._task_limits.end(child.confinement)
        self._children.clear()
        self._is_closed = True
        self._task_limits.close()
        self._pump.close(deadline_s=_OUTPUT_S)

    def _exited(self, child: Child) -> None:
        asyncio.get_running_loop().remove_reader(child.pidfd)
        # The leader is not reaped yet, so that its group id cannot belong to anybody else.
        _kill_group(child, signals.SIGKILL)
        exit_code, signal = _reap(child)
        del self._children[child.spec.task_id]
        out_of_memory = child.confinement.memory_end()
        self._task_limits.end(child.confinement)
        _Keeping(self._pump, child, lambda: self._tell(child, exit_code, signal, out_of_memory))

    def _tell(self, child: Child, exit_code: int | None, signal: int | None, out_of_memory: str) -> None:
        if self._is_closed:
            return
        stdout, stderr = child.stdout.tail, child.stderr.tail
        if child.spec.mode.is_controlled:
            stdout, stderr = "", _last_line(stderr)
        self._on_exit(Ending(child.spec.task_id, exit_code, signal, stdout, stderr, out_of_memory, child.lost_bytes))

    def _streams(self, spec: TaskSpec, folder: Path, pipes: list[int]) -> tuple[Stream, Stream]:
        kept = (0, _LAST_LINE_BYTES) if spec.mode.is_controlled else (self._output_bytes, self._output_bytes)
        stdout, stderr = (OutputFile(folder / name, self._limits) for name in ("stdout", "stderr"))
        return Stream(pipes[0], stdout, kept[0]), Stream(pipes[1], stderr, kept[1])

    def _popen(
        self, program: Program, folder: Path, ends: Sequence[int], confinement: Confinement
    ) -> subprocess.Popen[bytes]:
        out, err, *pass_fds = ends
        command = confinement.entered(program.become_by(self._setpriv), program.environment)
        return subprocess.Popen(
            command, env=program.environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            start_new_session=True, pass_fds=pass_fds,
        )  # fmt: skip


class _Keeping:
    """Waits until the output of an ended child is kept, or the disk has had its time; then tells it, once."""

    def __init__(self, pump: Pump, child: Child, tell: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._tell: Callable[[], None] | None = tell
        self._late = loop.call_later(_OUTPUT_S, self._over)

        def kept() -> None:
            loop.call_soon_threadsafe(self._over)

        pump.finish((child.stdout, child.stderr), kept)

    def _over(self) -> None:
        self._late.cancel()
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()


def _watch(popen: subprocess.Popen[bytes]) -> int:
    """Return a pidfd of a new process; without one it does not live on."""
    try:
        return os.pidfd_open(popen.pid)
    except OSError:
        os.killpg(popen.pid, signals.SIGKILL)
        popen.wait()
        raise


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _kill_group(child: Child, signal: int) -> None:
    try:
        os.killpg(child.pid, signal)
    except ProcessLookupError:
        _LOG.debug("task=%s group=%d has no process left", child.spec.task_id, child.pid)
    except PermissionError:
        _LOG.warning("task=%s group=%d signal=%d is not allowed", child.spec.task_id, child.pid, signal)


def _reap(child: Child) -> tuple[int | None, int | None]:
    """Return exit code and signal, one of them None; blocks until the process is dead, which it is or is about to be."""
    ending = os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED)
    os.close(child.pidfd)
    if child.ready_fd >= 0:
        os.close(child.ready_fd)
        child.ready_fd = -1
    status = ending.si_status if ending else 0
    exited = ending is not None and ending.si_code == os.CLD_EXITED
    child.popen.returncode = status if exited else -status  # subprocess must not wait for a pid that is free again
    return (status, None) if exited else (None, status)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
