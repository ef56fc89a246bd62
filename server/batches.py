"""What changed in the live picture, in numbered batches, kept for watchers that were away. What changes: picture.py.

A change is serialised when somebody wants to read it and not before, once for all who do: a picture that nobody watches
costs its core no protobuf.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from server.api.convert import to_batch, to_change
from server.api.model import (
    Batch,
    Change,
    Environment,
    EnvironmentEvent,
    Event,
    History,
    Part,
    Removal,
    Role,
    RoleEvent,
    Task,
    TaskEvent,
    Thing,
    Variables,
)
from server.clock import now_ms

CHUNK_BYTES = 900_000
"""Of a message; gRPC takes 4 MiB at most, and the design promises less than 1 MiB."""
RING_BYTES = 32 * 1024 * 1024
"""Batches kept for watchers that were away; older ones cost them a snapshot."""


class Entry:
    """A change, and its serialised form once somebody wanted it."""

    __slots__ = ("_wire", "revision", "value")

    def __init__(self, value: Thing | Removal | Event, revision: int) -> None:
        self.value = value
        self.revision = revision
        self._wire: bytes | None = None

    @property
    def wire(self) -> bytes:
        """The field of a Batch that holds this change."""
        if self._wire is None:
            self._wire = _serialise(Change(self.value, self.revision))
        return self._wire

    @property
    def size_bytes(self) -> int:
        """About so many bytes; exact for what is rare, or serialised already."""
        estimate = _ESTIMATES.get(type(self.value)) if self._wire is None else None
        return estimate(self.value) if estimate else len(self.wire)


class Batches:
    """The latest batches of one life of a core.

    Args:
        epoch: names this life; sequence numbers of another life mean nothing.

    Attributes:
        seq: number of the last batch, 0 before the first.
    """

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.seq = 0
        self._ring: deque[_Kept] = deque()
        self._ring_bytes = 0
        self._dropped_seq = 0

    def add(self, entries: Iterable[Entry]) -> None:
        """Append what changed at once, as one batch or, if that would be too large, several."""
        for chunk, size_bytes in chunks(entries):
            self.seq += 1
            self._ring.append(_Kept(self.seq, chunk, size_bytes))
            self._ring_bytes += size_bytes
        while self._ring_bytes > RING_BYTES:
            dropped = self._ring.popleft()
            self._dropped_seq = dropped.seq
            self._ring_bytes -= dropped.size_bytes

    def can_resume(self, epoch: str, since: int) -> bool:
        """Tell whether everything after that batch is still here."""
        return epoch == self.epoch and self._dropped_seq <= since <= self.seq

    def after(self, seq: int) -> tuple[int, bytes] | None:
        """Return (last sequence number, serialised batch) of what came after, None if that is no longer here.

        Several batches become one: protobuf messages joined end to end are one message with all their changes.
        """
        if seq < self._dropped_seq:
            return None
        joined, last, size = [], seq, 0
        for kept in self._later(seq):
            data = kept.serialised(self.epoch)
            if size and size + len(data) > CHUNK_BYTES:
                break
            joined.append(data)
            last, size = kept.seq, size + len(data)
        return last, b"".join(joined)

    def _later(self, seq: int) -> Iterator[_Kept]:
        first = self._ring[0].seq if self._ring else 0
        for index in range(max(0, seq + 1 - first), len(self._ring)):
            yield self._ring[index]


class _Kept:
    """One batch: its changes, until somebody reads it, then its bytes."""

    __slots__ = ("_entries", "_wire", "at_ms", "seq", "size_bytes")

    def __init__(self, seq: int, entries: list[Entry], size_bytes: int) -> None:
        self.seq = seq
        self.at_ms = now_ms()
        self.size_bytes = size_bytes
        self._entries = entries
        self._wire = b""

    def serialised(self, epoch: str) -> bytes:
        if not self._wire:
            head = frame(epoch, self.seq, Part.NONE, self.at_ms)
            self._wire = head + b"".join([entry.wire for entry in self._entries])
            self._entries = []
        return self._wire


def chunks(entries: Iterable[Entry]) -> Iterator[tuple[list[Entry], int]]:
    """Yield the entries in groups that make messages of a good size, with about their bytes."""
    chunk: list[Entry] = []
    size_bytes = 0
    for entry in entries:
        more_bytes = entry.size_bytes
        if chunk and size_bytes + more_bytes > CHUNK_BYTES:
            yield chunk, size_bytes
            chunk, size_bytes = [], 0
        chunk.append(entry)
        size_bytes += more_bytes
    if chunk:
        yield chunk, size_bytes


def frame(epoch: str, seq: int, part: Part, at_ms: int) -> bytes:
    """Return a batch without changes; those of entries may be appended to it."""
    return to_batch(Batch(epoch, seq, part, (), timestamp_ms=at_ms)).SerializeToString()


_ESTIMATES: dict[type, Callable[[Any], int]] = {
    Task: lambda task: 200 + 2 * len(task.path) + len(task.class_name) + len(task.error) + 60 * len(task.metrics),
    Role: lambda role: 90 + 2 * len(role.path),
    TaskEvent: lambda event: 120 + 2 * len(event.class_name) + len(event.path),
    RoleEvent: lambda event: 65 + len(event.path),
    Environment: lambda environment: 1500 + _texts(environment.user_vars),
    Variables: lambda thing: 100 + _texts(thing.defaults) + _texts(thing.vars) + _texts(thing.user_vars),
    History: lambda history: 100 + 600 * len(history.transitions),
    EnvironmentEvent: lambda event: 300 + len(event.error) + _texts(event.vars),
}
"""Of what changes often: its numbers and short names, plus what may be long."""


def _texts(variables: Mapping[str, str]) -> int:
    return sum(map(len, variables)) + sum(map(len, variables.values())) + 8 * len(variables)


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
