"""A program on a pseudo-terminal whose screen is kept by pyte: what a person would see, without a terminal program.

It answers the question for the cursor's place, as terminals do. Nothing is polled: each output wakes whoever waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Callable, Mapping, Sequence

import pyte


class PseudoTerminal:
    """One program; an async context manager that ends it."""

    def __init__(
        self, words: Sequence[str], *, size: tuple[int, int] = (100, 24), environment: Mapping[str, str] | None = None
    ) -> None:
        self._words = list(words)
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._environment = os.environ | {"TERM": "xterm-256color"} | dict(environment or {})
        self._grown = asyncio.Event()
        self._master = self._other = -1
        self._process: asyncio.subprocess.Process | None = None
        self.raw = b""
        """All that was written."""

    async def __aenter__(self) -> PseudoTerminal:
        self._master, self._other = pty.openpty()
        self._set_size()
        # The first terminal that a session's leader opens becomes its own: Ctrl-C must become a signal.
        opened = ("sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(self._other))
        self._process = await asyncio.create_subprocess_exec(
            *opened, *self._words, env=self._environment, start_new_session=True
        )
        os.set_blocking(self._master, False)
        asyncio.get_running_loop().add_reader(self._master, self._read)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
        await asyncio.wait_for(self._process.wait(), 60)
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._other)

    def press(self, keys: str) -> None:
        """Send keys as the terminal would: "\\x03" is Ctrl-C, "\\t" the tabulator."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(lines, columns)
        self._set_size()

    @property
    def lines(self) -> list[str]:
        """What is shown, without blanks at the ends."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def last(self) -> str:
        """The line that the cursor stands in."""
        return self.lines[self._screen.cursor.y]

    async def until(self, condition: Callable[[PseudoTerminal], bool], within_s: float = 60.0) -> list[str]:
        """Return the screen once it meets the condition; AssertionError with the screen if it never does."""
        try:
            async with asyncio.timeout(within_s):
                while not condition(self):
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            raise AssertionError("the terminal never showed it:\n" + "\n".join(self.lines)) from None
        return self.lines

    async def shows(self, *texts: str, within_s: float = 60.0) -> list[str]:
        """Return the screen once it holds all the texts."""
        return await self.until(
            lambda it: all(any(text in line for line in it.lines) for text in texts), within_s=within_s
        )

    def terminate(self) -> None:
        """Ask the program to end, as somebody outside would."""
        assert self._process is not None
        self._process.terminate()

    async def ended(self, within_s: float = 60.0) -> int:
        """Return the exit code of the program once it is over."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), within_s)

    def _set_size(self) -> None:
        size = struct.pack("HHHH", self._screen.lines, self._screen.columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def _read(self) -> None:
        data = os.read(self._master, 1 << 16)
        self.raw += data
        self._stream.feed(data)
        for _ in range(data.count(b"\x1b[6n")):
            os.write(self._master, b"\x1b[%d;%dR" % (self._screen.cursor.y + 1, self._screen.cursor.x + 1))
        self._grown.set()
