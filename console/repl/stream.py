"""``aliecs repl`` where lines come from a pipe or a file: no prompt, no control sequences, no questions."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal

from console.execute import open_session, say
from console.exit_codes import INTERRUPTED, TERMINATED, exit_code, explain
from console.repl.shell import Open, Shell
from console.settings import Settings
from server.api.errors import AliecsError

STANDARD_INPUT = 0
CHUNK_BYTES = 1 << 16


async def run(settings: Settings, options: argparse.Namespace, open_session_at: Open) -> int:
    """Run the lines of standard input; return the exit code of the last that failed, 0 if none did.

    With ``--on-error stop`` it ends at the first that fails.
    """
    try:
        session = await open_session(settings)
    except AliecsError as error:
        say(explain(error))
        return exit_code(error)
    shell = Shell(session, settings, options, open_session=open_session_at)
    source = Input(STANDARD_INPUT)
    ended_by: list[int] = []

    def stop(code: int) -> None:
        ended_by.append(code)
        shell.stop()
        source.close()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop, INTERRUPTED)
    loop.add_signal_handler(signal.SIGTERM, stop, TERMINATED)
    try:
        while not shell.is_over and (line := await source.line()) is not None:
            code = await shell.run_line(line)
            if code and options.on_error == "stop":
                break
        await shell.jobs_done()
    finally:
        source.close()
        await shell.close()
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)
    return ended_by[0] if ended_by else shell.last_code


class Input:
    """Lines of a file descriptor, which stays as it is: others may read from it too."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._text = b""
        self._is_over = False
        self._readable: asyncio.Future[None] | None = None

    async def line(self) -> str | None:
        """Return the next line, None at the end or after ``close``."""
        while b"\n" not in self._text and not self._is_over:
            await self._wait()
            if self._is_over:
                return None
            chunk = os.read(self._descriptor, CHUNK_BYTES)
            self._is_over = not chunk
            self._text += chunk
        if not self._text:
            return None
        line, _, self._text = self._text.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")

    def close(self) -> None:
        """Let nobody wait for a line any more."""
        self._is_over, self._text = True, b""
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)

    async def _wait(self) -> None:
        """Return when reading does not block."""
        loop = asyncio.get_running_loop()
        readable = self._readable = loop.create_future()

        def note() -> None:
            if not readable.done():
                readable.set_result(None)

        try:
            loop.add_reader(self._descriptor, note)
        except PermissionError:
            return  # a file on disk is always readable
        try:
            await readable
        finally:
            loop.remove_reader(self._descriptor)
