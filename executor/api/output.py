"""The output of a task as it stands on disk: ``stdout`` is being written, ``stdout.1``, ``stdout.2`` ... are older.

Whoever reads sees one stream whose offsets never start anew, also while a file is turned into ``.1``. The file
``stdout.turns`` says how much of the beginning is gone; its number of turns tells a reader that it was disturbed. Writer:
executor/output_file.py.
"""

from __future__ import annotations

import math
import os
import stat
import time
from pathlib import Path
from typing import NamedTuple

_RECORD_BYTES = 64
_UNDISTURBED_S = 5.0
"""For an attempt to open that no turn disturbs. A turn takes less than a millisecond, or as long as its writer is kept from
a processor; one that began longer ago was never completed, and is ignored."""


class Turns(NamedTuple):
    """How often a file was turned, and how many bytes of the stream were deleted with the oldest ones."""

    number: int = 0
    gone_bytes: int = 0
    is_under_way: bool = False


def older(path: Path, number: int) -> Path:
    """Return the name of an older file of a stream; 1 is the latest."""
    return path.with_name(f"{path.name}.{number}")


def read_turns(path: Path) -> Turns:
    """Return the record of a stream. Does not block: whoever runs the task may have put anything there."""
    file = _open_regular(path.with_name(f"{path.name}.turns"))
    if file < 0:
        return Turns()
    try:
        words = os.read(file, _RECORD_BYTES).split()
    finally:
        os.close(file)
    if len(words) < 2 or not (words[0].isdigit() and words[1].isdigit()):
        return Turns()
    return Turns(int(words[0]), int(words[1]), len(words) > 2)


def _age_s(path: Path) -> float:
    """Return for how long the record of a stream has been as it is."""
    try:
        return abs(time.time() - path.with_name(f"{path.name}.turns").stat().st_mtime)
    except FileNotFoundError:
        return math.inf


def write_turns(path: Path, turns: Turns) -> None:
    """Write the record of a stream. Takes no more room on the disk than the first time."""
    text = f"{turns.number} {turns.gone_bytes}{' turning' if turns.is_under_way else ''}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    file = os.open(path.with_name(f"{path.name}.turns"), flags, 0o644)
    try:
        os.pwrite(file, text.encode().ljust(_RECORD_BYTES), 0)
    finally:
        os.close(file)


class KeptOutput:
    """All that is kept of one stream, as it was when it was opened. To be closed.

    Raises:
        FileNotFoundError: there is no such output.
    """

    def __init__(self, path: Path) -> None:
        self._parts: list[tuple[int, int]] = []
        """Descriptors and sizes, the oldest first."""
        ends_at = time.monotonic() + _UNDISTURBED_S
        while True:
            before = read_turns(path)
            self.close()
            self._open(path)
            is_disturbed = before != read_turns(path) or (before.is_under_way and _age_s(path) < _UNDISTURBED_S)
            if not is_disturbed or time.monotonic() > ends_at:
                break
            os.sched_yield()
        if not self._parts:
            raise FileNotFoundError(path)
        self.first = before.gone_bytes
        self.end = self.first + sum(size for _, size in self._parts)

    def read(self, offset: int, limit: int) -> bytes:
        """Return what is at an offset of the stream, b"" at its end; fewer bytes than asked are not the end."""
        at = self.first
        for file, size in self._parts:
            if at <= offset < at + size:
                return os.pread(file, min(limit, at + size - offset), offset - at)
            at += size
        return b""

    def close(self) -> None:
        for file, _ in self._parts:
            os.close(file)
        self._parts = []

    def _open(self, path: Path) -> None:
        name, number = path, 0
        while (file := _open_regular(name)) >= 0:
            self._parts.insert(0, (file, os.fstat(file).st_size))
            number += 1
            name = older(path, number)


def _open_regular(path: Path) -> int:
    """Return a descriptor, -1 if there is no such file or something that only looks like one."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return -1
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return -1
