"""The executor's end of the pipe that a task inherits as OCC_READY_FD. What comes through it: occ/state_pipe.py."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from occ.errors import TaskError
from occ.state_pipe import READ_BYTES, StateLines

_LOG = logging.getLogger(__name__)


class TaskPipe:
    """One task's pipe, read on the running loop until the task closes it or says what nobody understands.

    Args:
        task_id: for the log.
        descriptor: its read end, non-blocking, which is closed here: no reader of a closed one may linger on the loop.

    Attributes:
        on_open: called when the task has said that its control port is open.
    """

    def __init__(self, task_id: str, descriptor: int) -> None:
        self.on_open: Callable[[], object] | None = None
        self._task_id = task_id
        self._descriptor = descriptor
        self._lines = StateLines()
        self._waiting: list[str] = []
        self._on_state: Callable[[str], object] = self._waiting.append
        self._on_end: Callable[[], object] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    def listen(self, on_state: Callable[[str], object], on_end: Callable[[], object]) -> bool:
        """Pass on what came so far and what comes; False if this task does not tell its states here.

        Args:
            on_end: called once if the task ends to do so, or has done so: the states after that come another way.
        """
        if self._descriptor >= 0:
            self._read()  # what the task said before it answered on its port is not missed
        if not self._waiting:
            self.close()
            return False
        for state in self._waiting:
            on_state(state)
        self._on_state = on_state
        if self._descriptor < 0:
            on_end()
        else:
            self._on_end = on_end
        return True

    def close(self) -> None:
        """Read no more, and call nobody."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, READ_BYTES)
            states = self._lines.take(data)
        except BlockingIOError:
            return
        except TaskError as error:
            _LOG.warning("task=%s pipe closed error=%r", self._task_id, error.message)
            self._end()
            return
        if data and self.on_open is not None:
            self.on_open()
            self.on_open = None
        for state in states:
            self._on_state(state)
        if not data or len(data) == READ_BYTES:
            self._end()

    def _end(self) -> None:
        self.close()
        if self._on_end is not None:
            self._on_end()
