"""Ends the console when its terminal is gone, as a hang-up does where the terminal is also the controlling one.

Without that a screen whose window was closed inside a container or by a supervisor would try for ever to write to it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading


def end_with_terminal() -> None:
    """Watch standard input from a thread of its own, which waits without cost; SIGHUP ends this process then."""
    if sys.stdin is None or not sys.stdin.isatty():
        return
    descriptor = sys.stdin.fileno()
    threading.Thread(target=_wait, args=(descriptor,), name="hang-up", daemon=True).start()


def _wait(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # nothing but a hang-up or an error
    poll.poll()
    os.kill(os.getpid(), signal.SIGHUP)
