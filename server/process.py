"""What every process of ours does: it logs, tells who started it that it serves, and ends when it is told to."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time

READY_FD = "ALIECS_READY_FD"
"""Environment variable with the number of an inherited descriptor: the ports are written there once they are open."""
STOP_GRACE_S = 1.0
"""Seconds that calls in progress have when a process stops."""


def log_to(file: str, *, verbose: bool) -> None:
    """Log to a file, or with "" to standard error."""
    logging.Formatter.converter = time.gmtime
    logging.getLogger("transitions").setLevel(logging.WARNING)
    handler = logging.FileHandler(file) if file else logging.StreamHandler(sys.stderr)
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        handlers=[handler],
        format="%(asctime)s.%(msecs)03dZ level=%(levelname)s logger=%(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )


def tell_ready(*ports: int) -> None:
    """Write the ports, if somebody wants to know."""
    number = os.environ.pop(READY_FD, "")
    if number.isdecimal():
        with os.fdopen(int(number), "w") as pipe:
            pipe.write(f"{' '.join(map(str, ports))}\n")


def told_to_end() -> asyncio.Future[signal.Signals]:
    """Return what is done with the first of SIGTERM, SIGINT and SIGUSR1."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[signal.Signals] = loop.create_future()

    def end(number: signal.Signals) -> None:
        if not told.done():
            told.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        loop.add_signal_handler(number, end, number)
    return told
