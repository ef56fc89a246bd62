"""Hears what a controller publishes, for tests of it without gRPC."""

from __future__ import annotations

import asyncio

from occ.control import Channel

DEADLINE_S = 60.0


def follow(channel: Channel[object]) -> asyncio.Queue[object]:
    """Collect what is published from now on; None when the subscription ends."""
    queue: asyncio.Queue[object] = asyncio.Queue()

    async def pump() -> None:
        async for value in channel.subscribe():
            queue.put_nowait(value)
        queue.put_nowait(None)

    queue.pump = asyncio.create_task(pump())  # type: ignore[attr-defined]
    return queue


async def take(queue: asyncio.Queue[object], count: int) -> list[object]:
    async with asyncio.timeout(DEADLINE_S):
        return [await queue.get() for _ in range(count)]
