"""Where tasks of tests (gated.py) ask before each transition: the test holds one there, does something to it, lets it go."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from types import TracebackType


class Gate:
    """Listens on a Unix socket; whoever is not held passes at once.

    Args:
        path: of the socket.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: dict[tuple[str, str], asyncio.Event] = {}
        self._reached: defaultdict[tuple[str, str], asyncio.Future[int]] = defaultdict(
            lambda: asyncio.get_running_loop().create_future()
        )
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Gate:
        self._server = await asyncio.start_unix_server(self._asked, self.path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        for event in self._open.values():
            event.set()
        await self._server.wait_closed()

    def hold(self, name: str, what: str) -> None:
        """Hold the tasks of that name before this transition from now on."""
        self._open[name, what] = asyncio.Event()
        self._reached.pop((name, what), None)

    async def reached(self, name: str, what: str, timeout_s: float = 60.0) -> int:
        """Return the pid of the task that is held there, as soon as one is."""
        async with asyncio.timeout(timeout_s):
            return await asyncio.shield(self._reached[name, what])

    def release(self, name: str, what: str) -> None:
        """Let go who is held there, and hold nobody any more."""
        if event := self._open.pop((name, what), None):
            event.set()

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            name, what, pid = (await reader.readline()).decode().split()
            if event := self._open.get((name, what)):
                if not (reached := self._reached[name, what]).done():
                    reached.set_result(int(pid))
                gone = asyncio.create_task(reader.read())
                freed = asyncio.create_task(event.wait())
                _, left = await asyncio.wait((gone, freed), return_when=asyncio.FIRST_COMPLETED)
                for one in left:
                    one.cancel()
            writer.write(b"!")
            await writer.drain()
        except (ConnectionError, ValueError):
            return
        finally:
            writer.close()
