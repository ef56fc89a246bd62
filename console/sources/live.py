"""Batches from a core that pushes them: aliecs.live.v1.Watch, with a sign of life that never stays out for long.

A core that knows no heartbeat is asked a cheap question when it is quiet; its answer counts as one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from console.sources.source import Source
from server.api.client import Client
from server.api.errors import AliecsError, CoreError, LinkError
from server.api.model import Batch, Part

HEARTBEAT_S = 1.0
SILENCE_S = 15.0


class LiveSource(Source):
    """Watches a core through a client, which it does not own.

    Args:
        heartbeat_s: how often a quiet core shall say that it is alive; twice that is quiet.
        silence_s: when nothing at all came for so long, the link counts as broken.
    """

    is_advisory = False

    def __init__(self, client: Client, *, heartbeat_s: float = HEARTBEAT_S, silence_s: float = SILENCE_S) -> None:
        self.name = client.endpoint
        self._client = client
        self._heartbeat_s = heartbeat_s
        self._silence_s = silence_s

    def now(self) -> float:
        """Return the time of this machine: the picture is of this moment."""
        return time.time()

    async def batches(self, epoch: str, since: int) -> AsyncIterator[Batch]:
        """Yield what the core sends, and a batch without changes for each answer to a question of ours.

        Raises:
            LinkError: the link broke, or nothing came for ``silence_s``.
            CoreError: the core has no live picture.
        """
        await self._client.ready(patient=True)
        stream = self._client.watch(epoch, since, heartbeat_s=self._heartbeat_s)
        last = Batch(epoch, since, Part.NONE, ())
        has_heartbeat = False
        # After a resumption nothing may come for long: a core without heartbeat is asked soon.
        quiet_s = (0.2 if epoch else 2.0) * self._heartbeat_s
        heard_at = time.monotonic()
        coming: asyncio.Future[Batch] = asyncio.ensure_future(anext(stream))
        asked: asyncio.Future[None] | None = None
        try:
            while True:
                waiting: set[asyncio.Future[Any]] = {coming} if asked is None else {coming, asked}
                done, _ = await asyncio.wait(waiting, timeout=quiet_s, return_when=asyncio.FIRST_COMPLETED)
                quiet_s = 2 * self._heartbeat_s
                if coming in done:
                    last = self._received(coming)
                    coming = asyncio.ensure_future(anext(stream))
                    has_heartbeat = has_heartbeat or (not last.changes and last.part is Part.NONE)
                    heard_at = time.monotonic()
                    yield last
                elif asked is not None and asked in done:
                    if asked.exception() is None:
                        heard_at = time.monotonic()
                        yield replace(last, part=Part.NONE, changes=())
                    asked = None
                elif time.monotonic() - heard_at > self._silence_s:
                    raise LinkError(f"no core at {self.name}: nothing heard for {self._silence_s:g} s")
                elif asked is None and not has_heartbeat:
                    asked = asyncio.ensure_future(self._ask())
        finally:
            open_ends: list[asyncio.Future[Any]] = [coming] if asked is None else [coming, asked]
            for one in open_ends:
                one.cancel()
            await asyncio.gather(*open_ends, return_exceptions=True)

    def _received(self, coming: asyncio.Future[Batch]) -> Batch:
        """Return what came; of a core that has no live picture say so in words."""
        try:
            return coming.result()
        except CoreError as error:
            if error.code != "UNIMPLEMENTED":
                raise
            raise CoreError(
                error.reason, f"the core at {self.name} has no live picture (aliecs.live.v1)", code=error.code
            ) from error

    async def _ask(self) -> None:
        """Ask the core something cheap; LinkError without an answer in time."""
        try:
            async with asyncio.timeout(self._silence_s):
                await self._client.framework()
        except (AliecsError, TimeoutError) as error:
            raise LinkError(f"no core at {self.name}: no answer") from error
