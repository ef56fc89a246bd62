"""What a task tells its executor through the pipe that it inherits: that its control port is open, and every state it reaches.

The form, for both sides: a line with its process id once the port is open; with it, and then for each state that is
reached, a line with that state. Whoever says a first state says them all, or closes the pipe. Whoever says none, closes
it or says anything else is listened to by ``StateStream``. Both ends never block.
"""

from __future__ import annotations

import logging
import os
import stat

from occ.errors import TaskError
from occ.states import MOVES, TaskState

_log = logging.getLogger(__name__)

READY_FD = "OCC_READY_FD"
"""Environment: number of the inherited descriptor to write to."""
READ_BYTES = 4096
"""At once. A task that is so far behind may have given up the pipe, so a reader that gets so much no longer trusts it."""
_LINE_BYTES = 64
"""More than any line has."""
_STATES = {state.value for _, *states in MOVES for state in states} | {TaskState.ERROR.value}


class StatePipe:
    """A task's end; it costs a few microseconds a state. Once it is full or broken it is closed, and says nothing more.

    Args:
        descriptor: as the environment names it; "" for none. It is hidden from children.
    """

    def __init__(self, descriptor: str) -> None:
        self._descriptor = -1
        if not descriptor:
            return
        try:
            number = int(descriptor)
            # Somebody on the way to us may have closed it, and its number has a new owner.
            if not stat.S_ISFIFO(os.fstat(number).st_mode):
                raise ValueError("it is no pipe")
            os.set_blocking(number, False)
            os.set_inheritable(number, False)
            self._descriptor = number
        except (ValueError, OSError, OverflowError) as error:
            _log.warning("%s=%s cannot be written: %s", READY_FD, descriptor, error)

    @classmethod
    def inherited(cls) -> StatePipe:
        """Take the pipe of this process, once: the environment names it no longer."""
        return cls(os.environ.pop(READY_FD, ""))

    def say_ready(self, state: TaskState | None) -> None:
        """Tell that the control port is open, and the state if all that follow are told."""
        self._write(f"{os.getpid()}\n" if state is None else f"{os.getpid()}\n{state.value}\n")

    def say(self, state: TaskState) -> None:
        """Tell a state that was reached."""
        self._write(f"{state.value}\n")

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, lines: str) -> None:
        if self._descriptor < 0:
            return
        try:
            os.write(self._descriptor, lines.encode())  # all or nothing: it is short
        except BlockingIOError:
            _log.warning("%s=%d is full and closed: nobody reads it", READY_FD, self._descriptor)
            self.close()
        except BrokenPipeError:
            _log.debug("%s=%d has no reader any more", READY_FD, self._descriptor)
            self.close()
        except OSError as error:
            _log.warning("%s=%d cannot be written: %s", READY_FD, self._descriptor, error)
            self.close()


class StateLines:
    """Understands what comes out of the other end."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_ready = False

    def take(self, data: bytes) -> list[str]:
        """Return the states in what was read; the process id before them is left out.

        Raises:
            TaskError: that is not the form.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not self._is_ready and lines:
            self._check(lines[0].isdigit(), lines[0])
            self._is_ready = True
            del lines[0]
        states = [line.decode("ascii", "replace") for line in lines]
        for state in states:
            self._check(state in _STATES, state)
        self._check(len(self._rest) <= _LINE_BYTES, self._rest)
        return states

    def _check(self, is_right: bool, found: bytes | str) -> None:
        if not is_right:
            raise TaskError(f"{READY_FD}: expected a process id, then states, found {found[:_LINE_BYTES]!r}")
