"""What a source stamps on every message, and how a sink checks it. Pure; no sockets."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

_HEADER = struct.Struct("<4sIIIQ")
_MAGIC = b"AEC1"
_END_OF_RUN = b"AECE"

HEADER_BYTES = _HEADER.size

Buffer = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Stamp:
    """Header of a message: the first of its two frames."""

    source: int
    run: int
    sequence: int
    """Counts from 0 in every run; in an end-of-run mark, the number of messages of the run."""
    crc: int
    """CRC-32 of the payload."""
    ends_run: bool = False
    """No payload: the source has stopped."""

    def pack(self) -> bytes:
        """Return the frame."""
        magic = _END_OF_RUN if self.ends_run else _MAGIC
        return _HEADER.pack(magic, self.source, self.run, self.crc, self.sequence)

    @classmethod
    def unpack(cls, frame: Buffer) -> Stamp | None:
        """Return what ``frame`` says, None if it is no header."""
        if len(frame) != HEADER_BYTES:
            return None
        magic, source, run, crc, sequence = _HEADER.unpack(frame)
        if magic not in (_MAGIC, _END_OF_RUN):
            return None
        return cls(source, run, sequence, crc, magic == _END_OF_RUN)


class Continuity:
    """Finds what is missing or double in the numbers of one source.

    Messages that took different ways may overtake each other by up to ``window`` messages. A number counts as missing only
    if it lies between the first and the last that were seen.
    """

    def __init__(self, window: int = 1000) -> None:
        self.errors = 0
        """Missing and double numbers so far; overtaken ones count only when the window has passed, or in ``finish``."""
        self._window = window
        self._first = -1
        self._next = -1
        self._ahead: set[int] = set()
        self._before: set[int] = set()

    def accept(self, sequence: int) -> bool:
        """Note ``sequence``; return False if it was there before (or is too late to tell)."""
        if self._next < 0:
            self._first = self._next = sequence
        if sequence < self._first and sequence not in self._before and self._first - sequence <= self._window:
            self._before.add(sequence)
            return True
        if sequence < self._next or sequence in self._ahead:
            self.errors += 1
            return False
        self._ahead.add(sequence)
        self._advance()
        while len(self._ahead) > self._window:
            self._skip()
        return True

    def finish(self) -> int:
        """Count the gaps that are left and return all errors; no further ``accept``."""
        while self._ahead:
            self._skip()
        if self._before:
            self.errors += self._first - min(self._before) - len(self._before)
            self._before.clear()
        return self.errors

    def _advance(self) -> None:
        while self._next in self._ahead:
            self._ahead.discard(self._next)
            self._next += 1

    def _skip(self) -> None:
        lowest = min(self._ahead)
        self.errors += lowest - self._next
        self._next = lowest
        self._advance()


class Verifier:
    """Checks the messages of one run, from any number of sources."""

    def __init__(self, run: int) -> None:
        self.bytes = 0
        """Payload of the messages that were right."""
        self.messages = 0
        self.strays = 0
        """Right in themselves, but of another run: late, or early."""
        self._run = run
        self._spoilt = 0
        self._sources: dict[int, Continuity] = {}

    @property
    def errors(self) -> int:
        """Messages that are damaged, missing or double."""
        return self._spoilt + sum(
            source.errors for source in list(self._sources.values())
        )  # copied: another thread adds

    def accept(self, stamp: Stamp | None, payload: Buffer) -> None:
        """Check and count one message."""
        if stamp is None or zlib.crc32(payload) != stamp.crc:
            self._spoilt += 1
        elif stamp.run != self._run:
            self.strays += 1
        else:
            source = self._sources.get(stamp.source)
            if source is None:
                source = self._sources[stamp.source] = Continuity()
            if source.accept(stamp.sequence):
                self.messages += 1
                self.bytes += len(payload)

    def finish(self) -> None:
        """Count the gaps that nothing will fill any more."""
        for source in self._sources.values():
            source.finish()
