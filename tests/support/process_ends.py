"""What becomes of processes, waited for with a deadline."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress

import psutil

from executor.holder import accepts


async def ends(pid: int, deadline_s: float = 60.0) -> bool:
    """Whether the process ends within the deadline."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(fd, gone.set)
    try:
        async with asyncio.timeout(deadline_s):
            await gone.wait()
        return True
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(fd)
        os.close(fd)


async def nothing_but(host, *pids: int) -> bool:
    """Whether all other processes of the instance are ending; those whose parent is gone may need a moment."""
    return all([await ends(process.pid) for process in host.processes() if process.pid not in pids])


async def all_killed(processes: Callable[[], Collection[int]], deadline_s: float = 60.0) -> None:
    """Kill the processes that are found, of which some may be gone already and others only begin, until there are none."""
    async with asyncio.timeout(deadline_s):
        while pids := await asyncio.to_thread(processes):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


async def becomes(pid: int, name: str, deadline_s: float = 60.0) -> None:
    """Return when the new process has become the program that it was started for."""
    async with asyncio.timeout(deadline_s):
        while await asyncio.to_thread(psutil.Process(pid).name) != name:
            pass


async def closes(port: int, deadline_s: float = 60.0) -> None:
    """Return when nobody listens on the port any more."""
    async with asyncio.timeout(deadline_s):
        while await asyncio.to_thread(accepts, port):
            pass
