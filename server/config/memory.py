"""A store that keeps nothing: empty at first, in the memory of one process (``mock://``, workflows-config.md 9.1)."""

from __future__ import annotations

import threading

from server.config.tree import Change, Folder, TreeStore


class MemoryStore(TreeStore):
    """A Store in memory. Safe to use from several threads."""

    def __init__(self, uri: str = "mock://") -> None:
        super().__init__(uri)
        self._lock = threading.Lock()
        self._root: Folder = {}

    def _read(self) -> Folder:
        return self._root

    def _change(self, change: Change) -> bool:
        with self._lock:
            changed = change(self._root)
            if changed is not None:
                self._root = changed
            return changed is not None
