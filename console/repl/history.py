"""The lines typed in earlier sessions, in a file that only their writer can read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

ENTRIES_KEPT = 5000


class Lines(FileHistory):
    """A file of lines; those that begin with a blank are not kept."""

    def store_string(self, string: str) -> None:
        if not string.startswith(" "):
            super().store_string(string)


def open_history() -> tuple[History, str]:
    """Return the history and, in words, why it will not be kept ("" if it will)."""
    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        file.chmod(0o600)
        _shorten(file)
    except OSError as error:
        return InMemoryHistory(), f"{file}: {error.strerror}; lines are not kept"
    return Lines(str(file)), ""


def path() -> Path:
    """Return the file."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state, "aliecs", "history")


def _shorten(file: Path) -> None:
    """Forget the oldest entries of a file with far too many; each begins with its time behind ``#``."""
    with file.open(encoding="utf-8", errors="replace") as stream:
        lines = stream.readlines()
    begins = [at for at, line in enumerate(lines) if line.startswith("#")]
    if len(begins) > 2 * ENTRIES_KEPT:
        _rewrite(file, lines[begins[-ENTRIES_KEPT] :])


def _rewrite(file: Path, lines: Iterable[str]) -> None:
    beside = file.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.writelines(lines)
    beside.replace(file)
