"""Connections of requests that another thread can end while an answer is waited for, and that then stay closed."""

from __future__ import annotations

import socket
import threading
import weakref
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

CONNECTIONS = 32
"""Kept for later requests; more may be open at once."""


class InterruptibleAdapter(HTTPAdapter):
    """Transport of a session over plain HTTP. Safe to use from several threads."""

    def __init__(self) -> None:
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._guard = threading.Lock()
        self._is_over = False
        super().__init__(pool_maxsize=CONNECTIONS)

    def interrupt(self) -> None:
        """End all connections; a request that waits, and every later one, fails as if the other side had hung up."""
        with self._guard:
            self._is_over = True
            for one in list(self._sockets):
                _shut(one)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool, of connections that are known here."""
        super().init_poolmanager(*args, **kwargs)
        adapter = self

        class Connection(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                adapter._opened(self.sock)

        class Pool(HTTPConnectionPool):
            ConnectionCls = Connection

        self.poolmanager.pool_classes_by_scheme = {"http": Pool}

    def _opened(self, sock: socket.socket | None) -> None:
        with self._guard:
            if sock is not None:
                self._sockets.add(sock)
                if self._is_over:
                    _shut(sock)


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has ended by itself
