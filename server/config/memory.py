"""A store that keeps nothing: empty at first, in the memory of one process (``mock://``, workflows-config.md 9.1)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from server.config.tree import Folder, TreeStore


class MemoryStore(TreeStore):
    """A Store in memory. Safe to use from several threads."""

    def __init__(self, uri: str = "mock://") -> None:
        super().__init__(uri)
        self._lock = threading.Lock()
        self._root: Folder = {}

    def prepare(self) -> None:
        """Do nothing: memory is always there."""

    def _read(self) -> Folder:
        with self._lock:
            return copied(self._root)

    def _change(self, change: Callable[[Folder], bool]) -> bool:
        with self._lock:
            root = copied(self._root)
            if changed := change(root):
                self._root = root
            return changed


def copied(folder: Folder) -> Folder:
    """Return a copy of a tree that shares no folder with it."""
    return {name: value if isinstance(value, str) else copied(value) for name, value in folder.items()}
