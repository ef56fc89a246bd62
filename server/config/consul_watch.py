"""Follows a folder in Consul by blocking queries: a thread that calls back, ends at once, and survives Consul's restarts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from occ.errors import AliecsError
from server.config.consul_kv import ConsulKv

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""Pause after a failure."""
JOIN_S = 5.0


class ConsulWatch:
    """A Watch. It calls back for the first time as soon as Consul has answered once, when it is lost, and when it is back.

    Args:
        kv: of its own; closed with it.
        prefix: what the keys that are followed begin with.
        changed: called in the watch's thread; must not block.
    """

    def __init__(self, kv: ConsulKv, prefix: str, changed: Callable[[], None], *, retry_s: float = RETRY_S) -> None:
        self._kv = kv
        self._prefix = prefix
        self._changed = changed
        self._retry_s = retry_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"watch {prefix}", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Do nothing: Consul tells by itself."""

    def close(self) -> None:
        """End the thread, also while it waits for an answer."""
        self._over.set()
        self._kv.close()
        if self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    def _follow(self) -> None:
        index: int | None = None
        is_lost = False
        while not self._over.is_set():
            try:
                found = self._kv.next_index(self._prefix, index)
            except AliecsError as error:
                if self._over.is_set():
                    return
                if not is_lost:
                    log.warning("watch lost store=%s folder=%s error=%s", self._kv.uri, self._prefix, error.message)
                    self._changed()  # what happens from now on cannot be told
                index, is_lost = None, True
                self._over.wait(self._retry_s)
                continue
            if is_lost:
                log.info("watch back store=%s folder=%s", self._kv.uri, self._prefix)
                is_lost = False
            if found != index and not self._over.is_set():
                self._changed()
            index = found if index is None or found >= index else None  # a restored Consul counts anew
