"""A helper process from its outside: started, asked, heard, ended. Its inside: helper.py.

Calls are answered in order and each within a deadline; more than a limit of them are refused instead of queued.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

from occ.errors import ConfigError, DeadlineError, LinkError

log = logging.getLogger(__name__)

MAX_LINE = 256 * 1024 * 1024
"""Bytes; the offers of a big cluster come in one line."""
MAX_CALLS = 10_000
"""Calls that may wait for their answer."""


def require_pymesos() -> None:
    """Look whether the helper processes find what they need; nothing is imported.

    Raises:
        ConfigError: they do not.
    """
    missing = [name for name in ("pymesos", "httptools") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} of Python is not installed", hint="install the extra mesos, as docs/mesos.md says"
        )


class HelperProcess:
    """One helper process.

    Args:
        module: its body.
        on_event: called on the loop with each line that is no answer.

    Attributes:
        pid: once started.
    """

    def __init__(self, module: str, on_event: Callable[[dict[str, Any]], None]) -> None:
        self.pid = 0
        self._module = module
        self._on_event = on_event
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._last_id = 0

    async def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it, in a session of its own; it ends when we do.

        Args:
            environment: None is our own.

        Raises:
            LinkError: it cannot be started.
        """
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise LinkError(f"helper process {self._module} cannot be started: {error.strerror}") from error
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", self._module, str(theirs.fileno()),
                pass_fds=[theirs.fileno()], stdin=asyncio.subprocess.DEVNULL, start_new_session=True, env=environment,
            )  # fmt: skip
        except asyncio.CancelledError:
            ours.close()
            raise
        except OSError as error:
            ours.close()
            raise LinkError(f"helper process {self._module} cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
        self.pid = self._process.pid
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=MAX_LINE)
        self._reading = asyncio.create_task(self._read(reader), name=f"read {self._module}")

    async def ended(self) -> str:
        """Wait until it has ended; returns how, in words."""
        assert self._process and self._reading
        await asyncio.wait([self._reading])
        code = await self._process.wait()
        self._fail_calls()
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    async def call(self, name: str, *, timeout_s: float, **arguments: Any) -> None:
        """Ask for something and wait until it is done.

        Raises:
            LinkError: it is not done; says why.
            DeadlineError: no answer came in time; it may be done yet.
        """
        answer = self._ask(name, arguments)
        try:
            async with asyncio.timeout(timeout_s):
                await answer
        except TimeoutError:
            raise DeadlineError(f"{name} got no answer within {timeout_s:g} s") from None

    def post(self, name: str, **arguments: Any) -> bool:
        """Ask for something and do not wait; False if it cannot even be asked for. A failure is logged."""
        try:
            answer = self._ask(name, arguments)
        except LinkError as error:
            log.warning("call refused call=%s reason=%s", name, error)
            return False
        answer.add_done_callback(lambda done: _log_failure(name, done))
        return True

    def hang_up(self) -> None:
        """Make it end; ``ended`` tells when."""
        if self._writer:
            self._writer.close()
        if self._reading:
            self._reading.cancel()

    async def close(self, grace_s: float) -> None:
        """Hang up, which makes it end; after the grace it is killed."""
        if self._process is None:
            return
        self.hang_up()
        if self._reading:
            await asyncio.wait([self._reading])
        try:
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        except TimeoutError:
            log.warning("helper process does not end, killed module=%s pid=%d", self._module, self.pid)
            self._process.kill()
            await self._process.wait()
        self._fail_calls()

    def _ask(self, name: str, arguments: Mapping[str, Any]) -> asyncio.Future[None]:
        if self._writer is None or self._writer.is_closing() or self._reading is None or self._reading.done():
            raise LinkError(f"{name}: the helper process is not there")
        if len(self._waiting) >= MAX_CALLS:
            raise LinkError(f"{name}: {MAX_CALLS} calls wait already")
        self._last_id += 1
        answer = self._waiting[self._last_id] = asyncio.get_running_loop().create_future()
        line = {"id": self._last_id, "call": name, "arguments": arguments}
        self._writer.write(json.dumps(line).encode() + b"\n")
        return answer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if "reply" not in message:
                    self._tell(message)
                elif (answer := self._waiting.pop(message["reply"], None)) and not answer.done():
                    if message["error"]:
                        answer.set_exception(LinkError(message["error"]))
                    else:
                        answer.set_result(None)
        except ConnectionError as error:
            log.info("helper process hung up module=%s reason=%s", self._module, error)
        finally:
            if self._writer:
                self._writer.close()

    def _tell(self, event: dict[str, Any]) -> None:
        try:
            self._on_event(event)
        except Exception:
            # One that is not understood must not cost us the others.
            log.exception("event was not handled event=%s", event.get("event"))

    def _fail_calls(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(LinkError("the helper process has ended"))


def _log_failure(name: str, answer: asyncio.Future[None]) -> None:
    if not answer.cancelled() and (error := answer.exception()):
        log.warning("call failed call=%s reason=%s", name, error)
