"""A program in a pseudo-terminal whose bytes are read by a benchmark."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Sequence

WAIT_S = 60.0
QUIET_S = 0.25


class TerminalChild:
    """Use as an async context manager; 120 columns, 40 lines."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self.seen = b""

    async def __aenter__(self) -> TerminalChild:
        own, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        unwanted = ("COLUMNS", "LINES", "NO_COLOR", "PYTHONDONTWRITEBYTECODE")  # a user has compiled modules
        environment = {key: value for key, value in os.environ.items() if key not in unwanted}
        self.process = await asyncio.create_subprocess_exec(
            *self._words, stdin=other, stdout=other, stderr=other, env=environment | {"TERM": "xterm-256color"}
        )
        os.close(other)
        self._own = own
        self._screen = asyncio.StreamReader(limit=1 << 24)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._screen), os.fdopen(own, "rb", 0, closefd=False)
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        if self.process.returncode is None:
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), WAIT_S)
        self.hang_up()

    def hang_up(self) -> None:
        """Close the terminal."""
        if not self._transport.is_closing():
            self._transport.close()
            os.close(self._own)

    def press(self, keys: bytes) -> None:
        os.write(self._own, keys)

    async def appears(self, text: bytes) -> None:
        """Return when the text was written to the terminal after the last call."""
        seen = b""
        async with asyncio.timeout(WAIT_S):
            while text not in seen:
                seen = seen[-400:] + await self._screen.read(1 << 20)

    async def is_quiet(self) -> None:
        """Return when nothing was written for a moment."""
        try:
            while True:
                async with asyncio.timeout(QUIET_S):
                    if not await self._screen.read(1 << 20):
                        return
        except TimeoutError:
            return

    def memory_mib(self) -> float:
        """Return the memory of the process that is its own, in MiB."""
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        return (int(fields["Private_Clean"].split()[0]) + int(fields["Private_Dirty"].split()[0])) / 1024
