"""Starts a core, opens the console on it, and leaves nothing behind, however it ends.

Events are descriptors here: signals arrive through a pipe, ends of processes through pidfds, readiness through an
inherited pipe; every wait has a deadline. Finding and ending what is left: processes.py. The files: facility.py.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from occ.errors import AliecsError, LinkError
from server.demo.processes import adopt_orphans, end_all, reap_orphans
from server.ids import new_id

HOST = "127.0.0.1"
PORTS_TRIED = 100
LOG_LINES = 20
"""How much of the core's error output is shown when it does not start."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start and how long to wait for it, in seconds."""

    state: Path
    """Folder of the core; exists."""
    server: Sequence[str]
    """Command of the core; ``--controlPort`` and its port are added."""
    console: Sequence[str]
    """Command of the console; an item ``{endpoint}`` is replaced."""
    beside: Sequence[str] = ()
    """Command that works while the console shows it, written like the console's; its words go to ``run.log``."""
    port: int = 32102
    """The first port to try."""
    is_terminal: bool = False
    """The console owns the terminal: it must stay in its foreground process group."""
    has_input: bool = False
    """The console reads our standard input."""
    ready_s: float = 120.0
    console_grace_s: float = 20.0
    """For the console to end after a signal; a script runs its cleanup block."""
    drain_s: float = 45.0
    """For the core to end everything."""
    kill_s: float = 10.0
    """For killed processes to be gone."""


class Interrupted(Exception):
    """A signal asked us to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Signals:
    """The signals that end us, as a descriptor that becomes readable; none interrupts anything by itself."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Signals:
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def fileno(self) -> int:
        """Descriptor for a selector."""
        return self._reader

    def take(self) -> int | None:
        """Return the next signal, None if there is none."""
        try:
            data = os.read(self._reader, 1)
        except BlockingIOError:
            return None
        self.received.append(data[0])
        return data[0]


class Launcher:
    """One demo, from its start to its end. Needs a process of its own: at the end it kills all children left."""

    def __init__(self, plan: Plan, signals: Signals) -> None:
        self._plan = plan
        self._signals = signals
        self._instance = f"{new_id()}-{os.getpid()}"  # two demos may start in one tick of the clock
        self._server: subprocess.Popen[bytes] | None = None
        self._console: subprocess.Popen[bytes] | None = None
        self._beside: subprocess.Popen[bytes] | None = None
        self._server_ended_early = False

    def run(self) -> int:
        """Run the plan and return the exit code: the console's, 128 + the signal that ended us, 1 if something was left.

        Messages go to standard error.
        """
        adopt_orphans()
        code = 1
        try:
            endpoint = f"{HOST}:{self._start_server()}"
            code = self._run_console(endpoint)
        except Interrupted as interrupted:
            code = 128 + interrupted.number
        except AliecsError as error:
            _say(str(error))
        finally:
            is_clean = self._end()
        while self._signals.take() is not None:
            continue
        if self._signals.received:
            return 128 + self._signals.received[0]
        return code or int(not is_clean or self._server_ended_early)

    def _start_server(self) -> int:
        """Start the core on the first free port and return it once the core serves."""
        port = self._plan.port
        while True:
            port = _free_port(port)
            problem = self._try_server(port)
            if problem is None:
                break
            if _is_free(port):
                raise LinkError(problem)
            port += 1  # somebody took it between our look and the core's
        if port != self._plan.port:
            _say(f"port {self._plan.port} is taken, using {port}")
        return port

    def _try_server(self, port: int) -> str | None:
        """Start the core and wait for its ready line; return what went wrong, None if nothing did."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            errors = self._plan.state / "core.stderr"
            with errors.open("wb") as output:
                self._check_signals()
                self._server = subprocess.Popen(
                    [*self._plan.server, "--controlPort", str(port)],
                    env=self._environment({"ALIECS_READY_FD": str(writer)}),
                    pass_fds=(writer,),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # Ctrl-C in the terminal must not reach it
                    preexec_fn=_end_with_parent(os.getpid()),
                )
            os.close(writer)
            writer = -1
            if not self._wait(reader, self._plan.ready_s):
                self._kill(self._server)
                return f"the core was not ready within {self._plan.ready_s:g} s; its log is in {self._plan.state}"
            if os.read(reader, 64):  # its port
                return None
            code = self._kill(self._server)
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)
        said = errors.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join([f"the core ended with {_end_text(code)} before it was ready", *said])

    def _run_console(self, endpoint: str) -> int:
        """Run the console to its end and return its exit code, 128 + number if a signal ended it."""
        self._check_signals()
        if self._plan.beside:
            self._start_beside(endpoint)
        command = [item.replace("{endpoint}", endpoint) for item in self._plan.console]
        # Outside a terminal's foreground group Ctrl-C reaches us only, and the console by us, once.
        group = None if self._plan.is_terminal else 0
        self._console = subprocess.Popen(
            command,
            env=self._environment({}),
            stdin=None if self._plan.has_input else subprocess.DEVNULL,
            process_group=group,
            preexec_fn=_end_with_parent(os.getpid()),
        )
        interrupted: Interrupted | None = None
        try:
            self._wait_for_end(self._console, None)
        except Interrupted as signalled:
            interrupted = signalled
            self._console.send_signal(signal.SIGTERM if signalled.number == signal.SIGHUP else signalled.number)
            try:
                self._wait_for_end(self._console, self._plan.console_grace_s)
            except Interrupted:
                _say("second signal: not waiting for the console")
        code = self._kill(self._console)
        assert self._server is not None
        if self._server.poll() is not None:
            self._server_ended_early = True
            _say(f"the core ended early, with {_end_text(self._server.returncode)}; its log is in {self._plan.state}")
        if interrupted is not None:
            raise interrupted
        return code if code >= 0 else 128 - code

    def _start_beside(self, endpoint: str) -> None:
        with (self._plan.state / "run.log").open("wb") as output:
            self._beside = subprocess.Popen(
                [item.replace("{endpoint}", endpoint) for item in self._plan.beside],
                env=self._environment({}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
                preexec_fn=_end_with_parent(os.getpid()),
            )

    def _end(self) -> bool:
        """End everything that is left; tell whether all of it ended in order."""
        if self._beside is not None:
            self._kill(self._beside)  # what it began, the core ends
        if self._console is not None:
            self._kill(self._console)
        is_clean = True
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGTERM)
            try:
                if not self._wait_patiently(self._server, self._plan.drain_s):
                    _say(f"the core did not end within {self._plan.drain_s:g} s")
                    is_clean = False
            except Interrupted:
                _say("second signal: ending everything at once")
        if self._server is not None:
            self._kill(self._server)
        # What the console's end or a killed core left behind; a core that drained leaves nothing.
        mark = f"ALIECS_INSTANCE={self._instance}"
        ended, left = end_all(mark, self._plan.kill_s)
        if ended and not self._signals.received:
            is_clean = False
        if ended:
            _say(f"killed what was left: {', '.join(ended)}")
        if left:
            is_clean = False
            _say(f"could not be killed: {', '.join(left)}")
        reap_orphans()
        return is_clean

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a child: our id on it, our own programs found first."""
        programs = str(Path(sys.executable).parent)
        path = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])
        return dict(os.environ) | {"PATH": path, "ALIECS_INSTANCE": self._instance} | dict(extra)

    def _check_signals(self) -> None:
        if (number := self._signals.take()) is not None:
            raise Interrupted(number)

    def _wait(self, descriptor: int, timeout_s: float | None) -> bool:
        """Wait until the descriptor is readable; False when the time is over. Raises Interrupted at a signal."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            selector.register(self._signals, selectors.EVENT_READ)
            while True:
                remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
                ready = {key.fd for key, _ in selector.select(remaining)}
                if self._signals.fileno() in ready:
                    self._check_signals()
                if descriptor in ready:
                    return True
                if remaining == 0.0:
                    return False

    def _wait_for_end(self, process: subprocess.Popen[bytes], timeout_s: float | None) -> bool:
        """Wait until our child has ended; False when the time is over."""
        if process.poll() is not None:
            return True
        with _pidfd(process.pid) as descriptor:
            if not self._wait(descriptor, timeout_s):
                return False
        process.wait(self._plan.kill_s)
        return True

    def _wait_patiently(self, process: subprocess.Popen[bytes], timeout_s: float) -> bool:
        """Wait as _wait_for_end does; the first signal of all has what it wants already, only another interrupts."""
        deadline = time.monotonic() + timeout_s
        while True:
            had_none = not self._signals.received
            try:
                return self._wait_for_end(process, max(0.0, deadline - time.monotonic()))
            except Interrupted:
                if not had_none:
                    raise

    def _kill(self, process: subprocess.Popen[bytes]) -> int:
        """Kill the child if it still runs and return its exit code, negative for a signal."""
        if process.poll() is None:
            process.kill()
        return process.wait(self._plan.kill_s)


@contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _end_with_parent(parent: int) -> Callable[[], None]:
    """Return what makes a child get SIGTERM when we die, whatever kills us; runs between fork and exec."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # died before the line above
            os._exit(1)

    return prepare


def _free_port(first: int) -> int:
    for port in range(first, min(first + PORTS_TRIED, 65536)):
        if _is_free(port):
            return port
    raise LinkError(f"no free port on {HOST} from {first} on", hint="give another one with --port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # closed connections of an earlier demo do not count
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def _end_text(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def _say(text: str) -> None:
    sys.stderr.write(f"aliecs demo: {text}\n")
    sys.stderr.flush()
