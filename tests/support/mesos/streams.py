"""An event stream to one subscriber: RecordIO over chunked HTTP, one chunk for each event; it can be made to misbehave."""

from __future__ import annotations

import asyncio
import uuid

from aiohttp import web

from mesos.terms import Json, record

BACKLOG = 65_536
"""Events that wait for a slow subscriber; with one more it is cut off."""


class EventStream:
    """What the double says to one scheduler or executor. Nothing here blocks the one who speaks."""

    def __init__(self, request: web.Request) -> None:
        self.stream_id = str(uuid.uuid4())
        self.is_silent = False
        self.ended = asyncio.Event()
        """Set when nothing can be said any more and the double knows it."""
        self._request = request
        self._queue: asyncio.Queue[Json | None] = asyncio.Queue(BACKLOG)
        self._is_over = False

    @property
    def is_open(self) -> bool:
        return not self._is_over

    def send(self, event: Json) -> None:
        """Say ``event`` after all that was said before; nothing on a stream that is over."""
        if self._is_over:
            return
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self.cut()

    def close(self) -> None:
        """End the stream in order, after all that was said: the subscriber sees its end."""
        if not self._is_over:
            self._is_over = True
            self._queue.put_nowait(None)

    def cut(self) -> None:
        """Break the connection at once; what was not yet written is lost."""
        self._is_over = True
        if self._request.transport is not None:
            self._request.transport.abort()

    def silence(self) -> None:
        """Leave the connection open and write nothing more to it: half of it is dead, and nobody says so."""
        self.is_silent = True

    async def run(self, headers: dict[str, str]) -> web.StreamResponse:
        """Answer the subscription, and write until the stream or the connection ends."""
        response = web.StreamResponse(headers={"Content-Type": "application/json", **headers})
        response.enable_chunked_encoding()
        try:
            await response.prepare(self._request)
            while (event := await self._queue.get()) is not None:
                if not self.is_silent:
                    await response.write(record(event))
            await response.write_eof()
        except ConnectionResetError:
            response.force_close()
        finally:
            self._is_over = True
            self.ended.set()
        return response
