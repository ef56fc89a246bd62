"""The executors' end of the core: the gRPC service that they dial, on a Unix socket. What is said there: messages.py."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import grpc.aio

from executor.api import executor_pb2, executor_pb2_grpc
from executor.api.convert import command_to_pb, report_from_pb
from executor.api.messages import Command, Hello, Report
from occ.errors import AliecsError, LinkError

log = logging.getLogger(__name__)

MAX_PATH = 100
"""Bytes; the kernel's limit for a Unix socket is 107."""
MAX_MESSAGE = 64 * 1024 * 1024
"""Bytes of one message; a Launch of thousands of tasks is one message."""
MAX_QUEUED = 10_000
"""Commands waiting to be written to one executor. When full the link is dropped: the executor dials again."""


class LinkOwner(Protocol):
    """Who is told about links. Called on the loop."""

    def said_hello(self, link: ExecutorLink, hello: Hello) -> None: ...

    def said(self, link: ExecutorLink, report: Report) -> None: ...

    def went_down(self, link: ExecutorLink) -> None: ...


class ExecutorLink:
    """One open link to one executor.

    Attributes:
        host, executor_id: from its Hello.
    """

    def __init__(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self.host = ""
        self.executor_id = ""
        self._context = context
        self._queue: deque[executor_pb2.Command] = deque()
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()

    def send(self, command: Command) -> bool:
        """Queue a command; False if the queue is full, which drops the link."""
        if len(self._queue) >= MAX_QUEUED:
            log.error(
                "executor does not read its commands, link dropped host=%s executor=%s", self.host, self.executor_id
            )
            self.drop()
            return False
        self._queue.append(command_to_pb(command))
        self._wake.set()
        return True

    def drop(self) -> None:
        """End the link from our side."""
        self._ended.set()

    async def ended(self) -> None:
        """Wait until the link is to end; as long as the executor lives."""
        await self._ended.wait()

    async def write(self) -> None:
        """Write what is queued, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._context.write(self._queue.popleft())


class LinkServer(executor_pb2_grpc.LinkServicer):
    """Listens for executors.

    Args:
        owner: is told of everything after a Hello.
        hello_s: a link without a Hello is dropped after so long.
        close_s: links that do not end in that time are cut at the end.
    """

    def __init__(self, owner: LinkOwner, *, hello_s: float, close_s: float) -> None:
        self._owner = owner
        self._hello_s = hello_s
        self._close_s = close_s
        self._open: set[ExecutorLink] = set()
        self._server: grpc.aio.Server | None = None

    async def start(self, path: Path) -> None:
        """Listen; a socket that an earlier core left there is replaced.

        Raises:
            LinkError: the socket cannot be made.
        """
        limits = [("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.max_send_message_length", MAX_MESSAGE)]
        limits.append(("grpc.http2.max_ping_strikes", 0))  # executors ask after us, however rare our heartbeats are
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0), *limits])
        executor_pb2_grpc.add_LinkServicer_to_server(self, self._server)
        try:
            self._server.add_insecure_port(f"unix:{path}")
            await self._server.start()
            os.chmod(path, 0o600)
        except (RuntimeError, OSError) as error:
            raise LinkError(
                f"executors cannot be listened for on {path}: {error}", hint="is the folder writable?"
            ) from error

    async def close(self) -> None:
        """Drop all links and remove the socket."""
        if self._server:
            for link in self._open:
                link.drop()
            await self._server.stop(self._close_s)
            self._server = None

    async def Attach(  # type: ignore[override]  # a coroutine that writes to its context, which the stub does not know
        self, requests: AsyncIterator[executor_pb2.Report], context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """Serve one executor until either side ends the link."""
        link = ExecutorLink(context)
        try:
            async with asyncio.timeout(self._hello_s):
                first = report_from_pb(await anext(requests))
        except (TimeoutError, StopAsyncIteration, LinkError) as error:
            log.warning("link without a Hello dropped reason=%s", error or type(error).__name__)
            return
        if not isinstance(first, Hello):
            log.warning("link did not begin with a Hello but with %s, dropped", type(first).__name__)
            return
        link.host, link.executor_id = first.host, first.executor_id
        self._open.add(link)
        try:
            async with asyncio.TaskGroup() as group:
                self._owner.said_hello(link, first)
                ways = (group.create_task(link.write()), group.create_task(self._read(link, requests)))
                await link.ended()
                for way in ways:
                    way.cancel()
        except* (grpc.RpcError, grpc.aio.UsageError, grpc.aio.InternalError, asyncio.InvalidStateError) as errors:
            log.info("link broke host=%s executor=%s reason=%s", link.host, link.executor_id, errors.exceptions[0])
        finally:
            self._open.discard(link)
            self._owner.went_down(link)

    async def _read(self, link: ExecutorLink, requests: AsyncIterator[executor_pb2.Report]) -> None:
        async for message in requests:
            self._hear(link, message)
        link.drop()

    def _hear(self, link: ExecutorLink, message: executor_pb2.Report) -> None:
        try:
            report = report_from_pb(message)
        except AliecsError as error:
            log.warning("report not understood host=%s reason=%s", link.host, error)
            return
        self._owner.said(link, report)


def socket_path(state_directory: Path) -> Path:
    """Return where the socket of this state directory is, the same for every life of the core.

    A path too long for the kernel is replaced by one in a private folder of the temporary directory.

    Raises:
        LinkError: that folder belongs to somebody else.
    """
    path = state_directory.resolve() / "executors.sock"
    if len(os.fsencode(path)) <= MAX_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"aliecs-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise LinkError(f"{folder} belongs to somebody else", hint="remove it, or choose a shorter state directory")
    return folder / "executors.sock"
