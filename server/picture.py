"""The live picture: what clients of aliecs.live.v1 are shown, as one serialised form for all of them.

A change of a thing replaces the one that waits for it; what changed in one turn of the event loop leaves as one
batch, at once. Batches stay in a ring, so a watcher that comes back goes on where it was. Who serves it: live.py.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator

from server.api.convert import to_batch, to_change
from server.api.model import (
    Batch,
    Change,
    Core,
    Environment,
    Event,
    Fault,
    History,
    Host,
    Kind,
    Part,
    Removal,
    Role,
    Service,
    Task,
    Thing,
    Variables,
)

CHUNK_BYTES = 900_000
"""Of a message; gRPC takes 4 MiB at most, and the design promises less than 1 MiB."""
RING_BYTES = 32 * 1024 * 1024
"""Batches kept for watchers that were away; older ones cost them a snapshot."""

EVENTS_KEPT = 200
"""Events that a snapshot ends with, so that a log is not empty at first."""

Key = tuple[Kind, str]


class Picture:
    """The things of one core, and the batches in which they changed.

    Args:
        epoch: names this life of the core; sequence numbers of another life mean nothing.
    """

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.seq = 0
        self._things: dict[Key, bytes] = {}
        self._known: dict[Key, Thing] = {}
        self._pending: dict[Key, Change] = {}
        self._events: list[Change] = []
        self._last_events: deque[bytes] = deque(maxlen=EVENTS_KEPT)
        self._ring: deque[tuple[int, bytes]] = deque()
        self._ring_bytes = 0
        self._dropped_seq = 0
        self._revision = 0
        self._flushing = False
        self._grown = asyncio.Event()

    # ---- in ----------------------------------------------------------------------------------

    def update(self, thing: Thing) -> None:
        """Show a thing as it is now; nothing happens if it is shown so already."""
        key = key_of(thing)
        if self._known.get(key) == thing:
            return
        self._known[key] = thing
        self._revision += 1
        self._pending[key] = Change(thing, self._revision)
        self._flush_soon()

    def remove(self, kind: Kind, name: str) -> None:
        """Show no longer; with an environment go its roles, fault, variables and history."""
        key = (kind, name)
        gone = [key]
        if kind is Kind.ENVIRONMENT:
            gone += [one for one in self._known if one[0] is Kind.ROLE and one[1].startswith(f"{name}/")]
            gone += [(goes_too, name) for goes_too in (Kind.FAULT, Kind.VARIABLES, Kind.HISTORY)]
        if not any(one in self._known for one in gone):
            return
        for one in gone:
            self._known.pop(one, None)
            self._things.pop(one, None)
            self._pending.pop(one, None)
        self._revision += 1
        self._pending[key] = Change(Removal(kind, name), self._revision)
        self._flush_soon()

    def log(self, event: Event) -> None:
        """Add an event to the stream; the last ones are sent with every snapshot."""
        self._revision += 1
        self._events.append(Change(event, self._revision))
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        events, self._events = self._events, []
        changes, self._pending = self._pending, {}
        parts: list[bytes] = [_serialise(change) for change in events]
        self._last_events += parts
        for key, change in changes.items():
            data = _serialise(change)
            if not isinstance(change.value, Removal):
                self._things[key] = data
            parts.append(data)
        for chunk in _chunks(parts):
            self.seq += 1
            self._push(self._frame(Part.NONE) + chunk)
        self._grown.set()
        self._grown = asyncio.Event()

    def _push(self, batch: bytes) -> None:
        self._ring.append((self.seq, batch))
        self._ring_bytes += len(batch)
        while self._ring_bytes > RING_BYTES:
            self._dropped_seq, dropped = self._ring.popleft()
            self._ring_bytes -= len(dropped)

    # ---- out ---------------------------------------------------------------------------------

    def can_resume(self, epoch: str, since: int) -> bool:
        """Tell whether everything after that batch is still here."""
        return epoch == self.epoch and self._dropped_seq <= since <= self.seq

    def snapshot(self) -> list[bytes]:
        """Return the whole picture and the last events as serialised batches: BEGIN, MORE ..., END."""
        chunks = list(_chunks([*self._things.values(), *self._last_events])) or [b""]
        messages = [self._frame(Part.BEGIN) + chunks[0]]
        messages += [self._frame(Part.MORE) + chunk for chunk in chunks[1:]]
        return [*messages, self._frame(Part.END)]

    def after(self, seq: int) -> tuple[int, bytes] | None:
        """Return (last sequence number, serialised batch) of what came after, None if that is no longer here.

        Several batches become one: protobuf messages joined end to end are one message with all their changes.
        """
        if seq < self._dropped_seq:
            return None
        joined, last, size = [], seq, 0
        for at, batch in self._later(seq):
            if size and size + len(batch) > CHUNK_BYTES:
                break
            joined.append(batch)
            last, size = at, size + len(batch)
        return last, b"".join(joined)

    def _later(self, seq: int) -> Iterator[tuple[int, bytes]]:
        first = self._ring[0][0] if self._ring else 0
        for index in range(max(0, seq + 1 - first), len(self._ring)):
            yield self._ring[index]

    async def grown(self, seq: int, timeout_s: float | None = None) -> bool:
        """Wait until there is something after that batch; False when the time is over (None: wait for ever)."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.seq <= seq:
                    await self._grown.wait()
        except TimeoutError:
            return self.seq > seq
        return True

    def heartbeat(self) -> bytes:
        """Return a batch without changes: all is as it was, at this time."""
        return self._frame(Part.NONE)

    def _frame(self, part: Part) -> bytes:
        head = Batch(self.epoch, self.seq, part, (), timestamp_ms=time.time_ns() // 1_000_000)
        return to_batch(head).SerializeToString()


def key_of(thing: Thing) -> Key:
    """Return what identifies a thing."""
    match thing:
        case Environment():
            return Kind.ENVIRONMENT, thing.id
        case Role():
            return Kind.ROLE, f"{thing.environment_id}/{thing.order}"
        case Task():
            return Kind.TASK, thing.task_id
        case Host():
            return Kind.HOST, thing.name
        case Service():
            return Kind.SERVICE, thing.id
        case Fault():
            return Kind.FAULT, thing.environment_id
        case Variables():
            return Kind.VARIABLES, thing.environment_id
        case History():
            return Kind.HISTORY, thing.environment_id
        case Core():
            return Kind.UNSPECIFIED, ""


_CHANGES_FIELD = b"\x22"
"""Tag of ``Batch.changes``: field 4, length-delimited."""


def _serialise(change: Change) -> bytes:
    data = to_change(change).SerializeToString()
    size, prefix = len(data), bytearray()
    while size > 0x7F:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    prefix.append(size)
    return _CHANGES_FIELD + bytes(prefix) + data


def _chunks(parts: list[bytes]) -> Iterator[bytes]:
    chunk: list[bytes] = []
    size = 0
    for part in parts:
        if chunk and size + len(part) > CHUNK_BYTES:
            yield b"".join(chunk)
            chunk, size = [], 0
        chunk.append(part)
        size += len(part)
    if chunk:
        yield b"".join(chunk)
