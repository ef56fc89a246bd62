"""Takes what tasks write out of their pipes and puts it into files, in a thread of its own: a slow disk stops only itself.

Files, their limits and full disks: output_file.py. Whose pipes: process.py.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from executor.output_file import OutputFile

_LOG = logging.getLogger(__name__)
_PIECE_BYTES = 65536
"""Read at once; what a pipe holds."""
_LAST_PIECES = 64
"""Read of a pipe after its task has ended, at most: somebody whom the task left behind may still write."""


class Stream:
    """The read end of a pipe and where its bytes go. Used by the pump once it is added.

    Args:
        tail_bytes: kept of the end, whatever becomes of the file.
    """

    def __init__(self, pipe: int, file: OutputFile, tail_bytes: int) -> None:
        self.pipe = pipe
        self.file = file
        self._tail_bytes = tail_bytes
        self._tail = bytearray()

    @property
    def tail(self) -> str:
        """The last that was written, as text."""
        return bytes(self._tail[-self._tail_bytes :]).decode(errors="replace")

    def take(self) -> int | None:
        """Move one piece; return its size, 0 at the end, None if there is nothing now."""
        try:
            data = os.read(self.pipe, _PIECE_BYTES)
        except BlockingIOError:
            return None
        if self._tail_bytes:
            self._tail += data
            if len(self._tail) > self._tail_bytes + _PIECE_BYTES:
                del self._tail[: -self._tail_bytes]
        if data:
            self.file.write(data)
        return len(data)

    def close(self) -> None:
        os.close(self.pipe)
        self.pipe = -1
        self.file.close()


class Pump:
    """All streams of one executor. Its methods are called from one thread; it has another one from ``start`` on."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._orders: deque[Callable[[], None]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._is_closing = False

    def start(self) -> None:
        """Have the thread; RuntimeError if there is none left."""
        if not self._thread.is_alive():
            self._thread.start()

    def add(self, streams: Sequence[Stream]) -> None:
        """Begin to move what comes through these pipes; after ``start``."""
        self._order(lambda: self._add(streams))

    def finish(self, streams: Sequence[Stream], done: Callable[[], None]) -> None:
        """Move what is left, close the streams, then call ``done`` in the thread of the pump."""
        self._order(lambda: self._finish(streams, done))

    def close(self, *, deadline_s: float) -> None:
        """End the thread once all streams are finished; a disk that takes longer is left to itself."""
        if self._thread.is_alive():
            self._order(self._end)
            self._thread.join(deadline_s)
        if self._thread.is_alive():
            _LOG.error("output is not on the disk after %g s and is lost", deadline_s)
        else:
            self._selector.close()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        try:
            os.write(self._wake_write, b"!")
        except BlockingIOError:
            _LOG.debug("the pump has been woken often enough")

    # ---- in the thread of the pump -----------------------------------------------------------

    def _run(self) -> None:
        while not self._is_closing:
            for key, _ in self._selector.select():
                try:
                    self._serve(key)
                except Exception:
                    _LOG.exception("output of a task was not moved")

    def _serve(self, key: selectors.SelectorKey) -> None:
        stream: Stream | None = key.data
        if stream is None:
            os.read(self._wake_read, _PIECE_BYTES)
            while self._orders:
                self._carry_out(self._orders.popleft())
        elif stream.pipe >= 0 and stream.take() == 0:
            self._selector.unregister(stream.pipe)  # the task has closed its end

    def _carry_out(self, order: Callable[[], None]) -> None:
        try:
            order()
        except Exception:  # of one task: others wait behind it
            _LOG.exception("output of a task was not moved")

    def _add(self, streams: Sequence[Stream]) -> None:
        for stream in streams:
            self._selector.register(stream.pipe, selectors.EVENT_READ, stream)
            stream.file.write(b"")  # the file is there, also of who writes nothing

    def _finish(self, streams: Sequence[Stream], done: Callable[[], None]) -> None:
        with ExitStack() as ends:
            ends.callback(done)
            for stream in streams:
                ends.callback(stream.close)
                if stream.pipe in self._selector.get_map():
                    self._selector.unregister(stream.pipe)
            for stream in streams:
                for _ in range(_LAST_PIECES):
                    if not stream.take():
                        break

    def _end(self) -> None:
        self._is_closing = True
