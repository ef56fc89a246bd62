"""When is the control port of a new task open, and when is the task in STANDBY? One of the few places that may sleep.

Our own devices say so through a pipe and wait for no timer. A foreign task's port is tried on a plain socket: one
prober for all ports, every 5 ms for a few and every 250 ms for 500, so that its cost does not grow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from executor.control import Reply
from executor.holder import accepts
from executor.task_pipe import TaskPipe

MIN_INTERVAL_S = 0.005
_INTERVAL_PER_PORT_S = 0.0005
STATE_INTERVAL_S = 0.020
_START_STATES = ("STANDBY", "ERROR", "DONE")


class Readiness:
    """Waits for control ports on the loopback interface."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._prober: asyncio.Task[None] | None = None

    async def port_open(self, port: int, pipe: TaskPipe | None) -> None:
        """Return as soon as the port accepts connections. Without a deadline of its own: to be cancelled.

        Args:
            port: TCP port on 127.0.0.1.
            pipe: on which the task may say so. Closed if the waiting is cancelled.
        """
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[opened] = port
        if pipe is not None:
            pipe.on_open = lambda: None if opened.done() else opened.set_result(None)
        if self._prober is None or self._prober.done():
            self._prober = asyncio.create_task(self._probe(), name="port prober")
        try:
            await opened
        except asyncio.CancelledError:
            if pipe is not None:
                pipe.close()
            raise
        finally:
            del self._waiting[opened]

    async def close(self) -> None:
        """End the prober."""
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.gather(self._prober, return_exceptions=True)

    async def _probe(self) -> None:
        while self._waiting:
            for opened, port in list(self._waiting.items()):
                if not opened.done() and accepts(port):
                    opened.set_result(None)
            await asyncio.sleep(max(MIN_INTERVAL_S, len(self._waiting) * _INTERVAL_PER_PORT_S))


class FirstAnswer(NamedTuple):
    """How a new task was found; ``error`` says why it is not to be talked to."""

    state: str
    pid: int
    error: str = ""


async def first_answer(
    query: Callable[[], Awaitable[Reply]], find_stranger: Callable[[int], str], on_trouble: Callable[[str], None]
) -> FirstAnswer:
    """Ask until the task is in STANDBY, ERROR or DONE, or somebody else answers. To be cancelled, like ``port_open``.

    Args:
        find_stranger: gets the process id of an answer; "" if it is of the task, else who it is.
        on_trouble: is told why there is no such state yet, whenever that changes.
    """
    trouble = ""
    while True:
        reply = await query()
        if stranger := find_stranger(reply.pid):
            return FirstAnswer("", 0, stranger)
        if reply.state in _START_STATES:
            return FirstAnswer(reply.state, reply.pid)
        if (news := reply.error or f"state {reply.native or reply.state or 'not known'}") != trouble:
            trouble = news
            on_trouble(trouble)
        await asyncio.sleep(STATE_INTERVAL_S)
