"""What was read of a folder of a store, kept until something in it changes: lookups without a request each."""

from __future__ import annotations

import threading
from collections.abc import Callable

from server.config.store import Store, Watch


class FollowedFolder:
    """Follows a folder from the first look on, until the store is closed. Safe to use from several threads."""

    def __init__(self, store: Store, folder: str, changed: Callable[[], None]) -> None:
        self._store = store
        self._folder = folder
        self._changed = changed
        self._watch: Watch | None = None
        self._lock = threading.Lock()

    def check(self) -> None:
        """Look for changes, where only looking can tell; ``changed`` was called for them when this returns."""
        with self._lock:
            if self._watch is None:
                self._watch = self._store.watch(self._folder, self._changed)
            self._watch.check()


class KeptFolder:
    """A folder that is read again only after it has changed. Safe to use from several threads."""

    def __init__(self, store: Store, folder: str) -> None:
        self._store = store
        self._folder = folder
        self._followed = FollowedFolder(store, folder, self._forget)
        self._reading = threading.Lock()
        self._guard = threading.Lock()
        self._kept: Store | None = None
        self._changes = 0

    def get(self) -> Store:
        """Return the folder as it was read last; reads it if it has changed since, or was not read yet.

        Raises:
            AliecsError: as reading the store does.
        """
        with self._reading:
            self._followed.check()
            with self._guard:
                kept, changes = self._kept, self._changes
            if kept is not None:
                return kept
            read = self._store.snapshot(self._folder)
            with self._guard:
                if changes == self._changes:
                    self._kept = read
            return read

    def _forget(self) -> None:
        with self._guard:
            self._kept = None
            self._changes += 1
