"""The standard streams, whatever became of them: closed from the start, without a reader, on a disk that is full."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO


class OutputError(Exception):
    """Standard output cannot be written; front.py and __main__.py say so."""


def reopen_closed() -> None:
    """Put the null device where a standard stream was closed before we began: nothing else may get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # as long as the process


def write(text: str, stream: TextIO | None = None) -> None:
    """Write to standard output, or another stream, at once; a reader that went away ends us quietly.

    Raises:
        OutputError: it cannot be written. What is told on standard error is never worth that.
    """
    target = stream or sys.stdout
    try:
        target.write(text)
        target.flush()
    except OSError as error:
        # The interpreter would complain at exit when it flushes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), target.fileno())
        if isinstance(error, BrokenPipeError) or target is sys.stderr:
            return
        raise OutputError(f"cannot write the output: {error.strerror or error}") from None


def told(work: Callable[[], int]) -> int:
    """Return the exit code of work that writes; 1 with a message if what it writes goes nowhere."""
    try:
        return work()
    except OutputError as error:
        write(f"{error}\n", sys.stderr)
        return 1
