"""The files that get the output of a task: bounded in size, turned when full, never a reason for the task to stop.

What a disk does not take is dropped, with a notice when it begins and one in the output itself when it is over. How the
files are read as one stream: executor/api/output.py. Who reads from the task: pump.py.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from executor.api.output import Turns, older, read_turns, write_turns

_LOG = logging.getLogger(__name__)
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Nothing is followed or waited for: the folder may belong to the user of the task."""


@dataclass(frozen=True, slots=True)
class OutputLimits:
    """For each stream of each task."""

    file_bytes: int = 0
    """A file that would become longer is turned; 0: never."""
    older_files: int = 0
    """Older files beside the one that is written."""


class OutputFile:
    """One stream of one task. Its methods block as long as the disk does, and never raise for what the disk does."""

    def __init__(self, path: Path, limits: OutputLimits) -> None:
        self._path = path
        self._limits = limits
        self._file = -1
        self._size = 0
        self._dropped = 0
        self._was_noticed = False
        self.lost_bytes = 0
        """All that the disk did not take."""

    def write(self, data: bytes) -> None:
        """Append; at the limit the file is turned, at the end of a line if there is one."""
        left = memoryview(data)
        try:
            if self._file < 0:
                self._open()
            if self._dropped:
                self._put(memoryview(f"\n[executor] {self._dropped} bytes of output were lost here\n".encode()))
                self._dropped = 0
            while left:
                left = left[self._put(left) :]
        except OSError as error:
            if not self._was_noticed:
                _LOG.warning("output=%s is dropped error=%r", self._path, error.strerror or str(error))
            self._was_noticed = True
            self._dropped += len(left)
            self.lost_bytes += len(left)

    def close(self) -> None:
        """Write no more; what was lost is told once more, with how much it was."""
        if self.lost_bytes:
            _LOG.warning("output=%s lost_bytes=%d", self._path, self.lost_bytes)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        self._file = os.open(self._path, _FLAGS, 0o644)
        self._size = os.fstat(self._file).st_size

    def _put(self, data: memoryview) -> int:
        """Write the beginning of the data and return how much of it, 0 if the file was turned instead."""
        limit = self._limits.file_bytes
        if limit and self._size + len(data) > limit:
            room = max(0, limit - self._size)
            end = bytes(data[:room]).rfind(b"\n") + 1
            if not end and self._size:
                self._turn()
                return 0
            data = data[: end or room]
        written = os.write(self._file, data)
        self._size += written
        return written

    def _turn(self) -> None:
        path, kept = self._path, self._limits.older_files
        turns = read_turns(path)
        write_turns(path, turns._replace(is_under_way=True))
        self.close()
        last = older(path, kept) if kept else path
        gone = last.stat().st_size if last.exists() else 0
        for number in range(kept - 1, 0, -1):
            if older(path, number).exists():
                older(path, number).replace(older(path, number + 1))
        if kept:
            path.replace(older(path, 1))
        else:
            path.unlink()
        self._file, self._size = os.open(path, _FLAGS | os.O_EXCL, 0o644), 0
        write_turns(path, Turns(turns.number + 1, turns.gone_bytes + gone))
