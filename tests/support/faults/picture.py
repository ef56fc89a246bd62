"""What a console shows of a facility: always the newest, however long whoever looks at it takes to think about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from facility import Facility

from console.store import Store
from server.api import live_pb2
from server.api.convert import from_batch

BEAT_MS = 100


class Picture:
    """Changes by itself."""

    def __init__(self) -> None:
        self._store = Store()
        self._changed = asyncio.Event()
        self._end = ""

    async def newest(self) -> Store:
        """Return the picture, after something was heard since the last look: a change, or a sign of life."""
        await self._changed.wait()
        assert not self._end, self._end
        self._changed.clear()
        return self._store

    async def follow(self, facility: Facility) -> None:
        """Take what is told until the link ends."""
        call = facility.live.Watch(live_pb2.WatchRequest(heartbeat_ms=BEAT_MS))
        try:
            async for batch in call:
                self._store.apply(from_batch(batch))
                if self._store.is_complete:
                    self._changed.set()
            self._end = "the picture ended"
        except grpc.aio.AioRpcError as error:
            self._end = f"the picture ended: {error.code().name}: {error.details()}"
        finally:
            call.cancel()
            self._changed.set()


@asynccontextmanager
async def following(facility: Facility) -> AsyncIterator[Picture]:
    """Follow the picture of a core for a while."""
    picture = Picture()
    task = asyncio.create_task(picture.follow(facility))
    try:
        yield picture
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
