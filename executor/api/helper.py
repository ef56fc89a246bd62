"""A helper process from its inside: lines of JSON over an inherited socket, and the fence around pymesos.

The other end, which starts it: helpers.py. Bodies of such processes: the two modules named mesos_driver.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from executor.api.parser import stand_in

log = logging.getLogger(__name__)


class Wire:
    """Our end of the socket. ``say`` may be called from any thread; when nobody listens any more the process ends."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._lock = threading.Lock()

    def say(self, **message: Any) -> None:
        """Write one line; blocks while the other end does not read."""
        data = json.dumps(message).encode() + b"\n"
        with self._lock:
            try:
                self._socket.sendall(data)
            except OSError:
                os._exit(0)

    def heard(self) -> Iterator[dict[str, Any]]:
        """Yield what the other end says, until it is gone."""
        with self._socket.makefile("rb") as lines:
            try:
                for line in lines:
                    yield json.loads(line)
            except ConnectionError:  # it was killed
                return


@contextmanager
def fenced() -> Iterator[None]:
    """Surround ``import pymesos``, in the main thread: it needs a parser, takes SIGINT, and writes its log twice.

    A thread of it that dies would raise in the main thread as if by Ctrl-C; it only ends instead.
    """
    stand_in()
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)
    process: Any = sys.modules["pymesos.process"]
    process.thread = types.SimpleNamespace(interrupt_main=lambda: None)
    logging.getLogger("pymesos").handlers.clear()


def begin() -> Wire:
    """Set the process up; argv names the inherited descriptor. Ends with its parent, not with its parent's terminal."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s.%(msecs)03dZ level=%(levelname)s logger=%(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    logging.getLogger("kazoo").setLevel(logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return Wire(int(sys.argv[1]))


def serve(wire: Wire, calls: object) -> None:
    """Carry out what the other end asks, one after the other, each by the method of that name; until it is gone.

    A line is ``{"id", "call", "arguments"}`` and is answered by ``{"reply": id, "error"}``; error "" is success.
    """
    for line in wire.heard():
        error = ""
        try:
            getattr(calls, line["call"])(**line["arguments"])
        except Exception as failure:
            error = str(failure) or type(failure).__name__
        wire.say(reply=line["id"], error=error)
