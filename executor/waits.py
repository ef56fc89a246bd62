"""Waiting for something that may not happen: until it does, or a time has passed."""

from __future__ import annotations

import asyncio


async def happens(event: asyncio.Event, within_s: float | None) -> bool:
    """Wait until the event is set; False if it is not in time. Without a time only cancelling ends that."""
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
