"""The folders that tasks leave behind: deleted by age and number, never those of a task that lives.

Executors of several hosts may share one directory. Each holds a lock on the folder of every living task of its own, so a
folder without a lock is nobody's; locks end with their executor, however that ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Collection
from pathlib import Path

_LOG = logging.getLogger(__name__)


class TaskFolders:
    """Everything below one directory.

    Args:
        kept: how many folders of ended tasks stay, the latest; 0: all.
        kept_s: how long they stay after the last output; 0: for ever.
    """

    def __init__(self, directory: Path, kept: int = 0, kept_s: float = 0.0) -> None:
        self._directory = directory
        self._kept = kept
        self._kept_s = kept_s
        self._held: dict[str, int] = {}

    def hold(self, task_id: str) -> Path:
        """Make the folder of a task, if there is none, and keep it until ``let_go``.

        Raises:
            OSError: it cannot be made, or is being deleted.
        """
        folder = self._directory / task_id
        folder.mkdir(parents=True, exist_ok=True)
        if task_id not in self._held:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                raise
            self._held[task_id] = lock
        return folder

    def discard(self, task_id: str) -> None:
        """Remove the folder of a task if there is nothing in it."""
        try:
            (self._directory / task_id).rmdir()
        except (OSError, ValueError) as error:
            _LOG.debug("task=%s its folder stays error=%r", task_id, str(error))
        else:
            self.let_go(task_id)

    def let_go(self, task_id: str) -> None:
        """Keep the folder of a task no longer."""
        if task_id in self._held:
            os.close(self._held.pop(task_id))

    def let_go_but(self, living: Collection[str]) -> None:
        """Keep only the folders of these tasks from now on."""
        for task_id in [held for held in self._held if held not in living]:
            self.let_go(task_id)

    def prune(self, now_s: float) -> int:
        """Delete what is too old or too much; return how many folders. Blocks.

        Args:
            now_s: by the clock of files.
        """
        if not self._kept and not self._kept_s:
            return 0
        ended = sorted(self._ended(), reverse=True)
        surplus = ended[self._kept :] if self._kept else []
        old = [one for one in ended if self._kept_s and now_s - one[0] > self._kept_s]
        return sum(_delete(folder) for _, folder in {*surplus, *old})

    def _ended(self) -> list[tuple[float, Path]]:
        """Return the folders of tasks that nobody holds, with the time of their last output."""
        found: list[tuple[float, Path]] = []
        if not self._directory.exists():  # no task was started here yet
            return found
        with os.scandir(self._directory) as entries:
            for entry in entries:
                folder = Path(entry.path)
                times = [_written_s(folder / name) for name in ("stdout", "stderr")]
                if entry.is_dir(follow_symlinks=False) and any(times) and (lock := _lock(folder)) >= 0:
                    os.close(lock)
                    found.append((max(times), folder))
        return found


def _written_s(file: Path) -> float:
    try:
        return file.lstat().st_mtime
    except OSError:
        return 0.0


def _lock(folder: Path) -> int:
    """Return the descriptor that holds the lock for who deletes, -1 if the folder is in use or away."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return -1
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return -1
    return lock


def _delete(folder: Path) -> bool:
    lock = _lock(folder)
    if lock < 0:
        return False
    try:
        shutil.rmtree(folder)
    except OSError as error:
        _LOG.warning("folder=%s stays error=%r", folder, error.strerror or str(error))
        return False
    finally:
        os.close(lock)
    return True
