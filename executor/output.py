"""Parts of what tasks wrote, read for the core (executor/api ReadOutput). Blocks: to be called in a thread."""

from __future__ import annotations

import os
from pathlib import Path

from executor.api.messages import OutputPiece, ReadOutput
from executor.api.output import KeptOutput

STREAMS = ("stdout", "stderr")
TAIL_BYTES = 1 << 20
"""The last lines are looked for in so much of the end."""
LIMIT_BYTES = 1 << 20
"""Of one piece, whatever is asked for."""


def read_output(folder: Path, asked: ReadOutput) -> OutputPiece:
    """Return the part that was asked for, or why there is none.

    Args:
        folder: has a folder for each task.
    """
    if asked.stream not in STREAMS:
        return _failed(asked, f"no stream {asked.stream!r}, there are stdout and stderr")
    if asked.task_id in ("", ".", "..") or not {"/", "\0"}.isdisjoint(asked.task_id):
        return _failed(asked, f"{asked.task_id!r} is no task id")
    try:
        path = Path(
            os.path.realpath(folder / asked.task_id / asked.stream)
        )  # Path.resolve raises for links in a circle
        if not path.is_relative_to(folder.resolve()):  # its task could put anything there
            raise FileNotFoundError
        kept = KeptOutput(path)
        try:
            size = kept.end
            offset = _tail(kept, asked.lines) if asked.offset is None else max(kept.first, asked.offset)
            if offset > size:
                offset = kept.first  # replaced meanwhile
            data = _read(kept, offset, min(asked.limit_bytes, LIMIT_BYTES))
        finally:
            kept.close()
    except FileNotFoundError:
        return _failed(asked, f"this host keeps no {asked.stream} of task {asked.task_id}")
    except OSError as error:
        return _failed(asked, f"{asked.stream} of task {asked.task_id} cannot be read: {error.strerror or error}")
    return OutputPiece(request_id=asked.request_id, offset=offset, size=size, data=data)


def _read(kept: KeptOutput, offset: int, limit: int) -> bytes:
    data = b""
    while len(data) < limit and (piece := kept.read(offset + len(data), limit - len(data))):
        data += piece
    return data


def _tail(kept: KeptOutput, lines: int) -> int:
    """Return where the last lines begin; a line that is not complete is one."""
    if lines <= 0:
        return kept.end
    begin = max(kept.first, kept.end - TAIL_BYTES)
    data = _read(kept, begin, kept.end - begin)
    at = len(data) - data.endswith(b"\n")
    for _ in range(lines):
        at = data.rfind(b"\n", 0, at)
        if at < 0:
            return begin
    return begin + at + 1


def _failed(asked: ReadOutput, error: str) -> OutputPiece:
    return OutputPiece(request_id=asked.request_id, error=error)
