"""Records a session to a file, beside everything else that goes on: it never holds up the console.

The loop puts what comes into a bounded queue; a thread makes lines of it and writes them. Format: recording_lines.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from console.marks import marks
from console.recording_lines import REDACTED, Act, Chain, Header, timestamp
from console.session import Session
from console.snapshot import rates, snapshot
from console.store import Key
from server.api.batch_json import to_json
from server.api.errors import ConfigError
from server.api.model import Batch, Part

QUEUE_LENGTH = 1000
"""Lines that wait for the disk. When it is full lines are left out, and a new picture follows when there is room."""
LINES_AT_ONCE = 100
CLOSE_S = 5.0
"""For the rest of the queue to reach the disk."""
PICTURE_AFTER = 4
"""A picture is written after so many times its changes: seeking is quick, and the file grows by a quarter."""
PICTURE_CHANGES = 500
"""But not after less than so many."""


Rates = dict[str, list[tuple[float, float]]]


class _Entry(NamedTuple):
    t: float
    kind: str
    value: Batch | Act | str | int
    rates: Rates | None = None
    """With the first batch of a picture."""


class Recorder:
    """One recording of one session; an async context manager that records from entry to exit.

    Args:
        path: must not exist yet; gets mode 0600.
        say: called once, on the loop, with the reason if the recording ends early.
        redacted: globs on names of variables whose values are left out.
    """

    def __init__(
        self, session: Session, path: Path, *, say: Callable[[str], None], redacted: tuple[str, ...] = REDACTED
    ) -> None:
        self.path = path
        self.size_bytes = 0
        self.problem = ""
        """Why it ended early."""
        self._session = session
        self._say = say
        self._chain = Chain(redacted)
        self._queue: queue.Queue[_Entry] = queue.Queue(QUEUE_LENGTH)
        self._started_at = 0.0
        self._left_out = 0
        self._changes = 0
        """Since the last picture."""
        self._things = 0
        """Changes of the last picture."""
        self._link = session.store.link
        self._taps = contextlib.ExitStack()
        self._thread: threading.Thread | None = None

    @property
    def is_on(self) -> bool:
        return self._thread is not None and not self.problem

    @property
    def duration_s(self) -> float:
        return time.monotonic() - self._started_at

    async def __aenter__(self) -> Self:
        """Begin with what the session shows now.

        Raises:
            ConfigError: the file cannot be made.
        """
        session = self._session
        core = session.store.core
        header = Header(
            version=version("aliecs"),
            started=timestamp(time.time()),
            endpoint=session.source.name,
            instance=core.instance if core is not None else "",
            user=session.client.user,
            redacted=self._chain.redacted,
        )
        self._started_at = time.monotonic()
        loop = asyncio.get_running_loop()
        file = await asyncio.to_thread(_create, self.path)
        self._link = session.store.link
        self._put_picture("batch")
        self._taps.enter_context(session.tap(self._on_batch))
        self._taps.enter_context(session.listening(self._on_change))
        work = (file, self._chain.header(header), loop)
        self._thread = threading.Thread(target=self._write, args=work, name="recorder", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._taps.close()
        if self._thread is not None:
            thread, self._thread = self._thread, None
            await asyncio.to_thread(self._finish, thread)
            if thread.is_alive():
                self.problem = f"the disk did not take the rest within {CLOSE_S:g} s"
                self._tell()

    def mark(self, text: str) -> None:
        """Mark this moment."""
        self._put("mark", text)

    def act(self, act: Act) -> None:
        """Note what somebody did."""
        self._put("act", act)

    # ---- on the loop -------------------------------------------------------------------------

    def _on_batch(self, batch: Batch) -> None:
        """Take a batch that the store has not taken in yet."""
        if not batch.changes and batch.part is Part.NONE:
            return
        if batch.part in (Part.NONE, Part.BEGIN):  # else the store is between two pictures
            if self._left_out and self._queue.qsize() < QUEUE_LENGTH // 2:
                left_out, self._left_out = self._left_out, 0
                self._put("gap", left_out)
                self._put_picture("picture")
            elif self._changes >= max(PICTURE_CHANGES, PICTURE_AFTER * self._things):
                self._put_picture("picture")
        self._put("batch", batch)
        self._changes += len(batch.changes)
        for text in marks(self._session.store, batch):
            self.mark(text)

    def _on_change(self, changed: set[Key]) -> None:
        store = self._session.store
        if store.link is not self._link:
            self._link = store.link
            self.mark(f"link {store.link.value}" + (f": {store.problem}" if store.problem else ""))

    def _put_picture(self, kind: str) -> None:
        t, store = self.duration_s, self._session.store
        batches = snapshot(store)
        for batch in batches:
            self._put(kind, batch, t, rates(store) if batch.part is Part.BEGIN else None)
        self._changes = 0
        self._things = sum(len(batch.changes) for batch in batches)

    def _put(
        self, kind: str, value: Batch | Act | str | int, t: float | None = None, rates: Rates | None = None
    ) -> None:
        if self.problem:
            return
        try:
            if self._left_out:
                raise queue.Full  # nothing after a gap but what closes it
            self._queue.put_nowait(_Entry(self.duration_s if t is None else t, kind, value, rates))
        except queue.Full:
            self._left_out += 1

    def _tell(self) -> None:
        self._taps.close()
        self._say(f"recording to {self.path} ended: {self.problem}")

    # ---- in threads --------------------------------------------------------------------------

    def _write(self, file: FileIO, header: bytes, loop: asyncio.AbstractEventLoop) -> None:
        """Write until told to end; after an error keep the whole lines and say it once."""
        try:
            with file:
                self._append(file, header)
                is_open = True
                while is_open:
                    entries = self._entries()
                    is_open = entries[-1].kind != "end"
                    self._append(file, b"".join(self._line(entry) for entry in entries))
        except Exception as error:  # whatever it is, the console goes on
            self.problem = (error.strerror if isinstance(error, OSError) else None) or repr(error)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                loop.call_soon_threadsafe(self._tell)

    def _entries(self) -> list[_Entry]:
        """Return what waits to be written, one entry at least, up to the end."""
        entries = [self._queue.get()]  # no deadline: the thread ends with the process
        with contextlib.suppress(queue.Empty):
            while len(entries) < LINES_AT_ONCE and entries[-1].kind != "end":
                entries.append(self._queue.get_nowait())
        return entries

    def _line(self, entry: _Entry) -> bytes:
        value: Any = entry.value
        if isinstance(value, Batch):
            value = to_json(value)
        elif isinstance(value, Act):
            value = asdict(value)
        more = {} if entry.rates is None else {"rates": entry.rates}
        return self._chain.entry(entry.t, entry.kind, value, **more)

    def _append(self, file: FileIO, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[file.write(rest) or 0 :]
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(self.size_bytes)
            raise
        self.size_bytes += len(data)

    def _finish(self, thread: threading.Thread) -> None:
        with contextlib.suppress(queue.Full):
            if not self.problem:
                self._queue.put(_Entry(self.duration_s, "end", "closed"), timeout=CLOSE_S)
        thread.join(CLOSE_S)


def _create(path: Path) -> FileIO:
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, mode=0o700)
        return FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except FileExistsError:
        raise ConfigError(f"{path} exists already", hint="a recording never overwrites: name another file") from None
    except OSError as error:
        raise ConfigError(f"cannot record to {path}: {error.strerror or error}") from error
