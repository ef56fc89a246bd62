"""The core's event bus: every event gets a sequence number, every subscriber a bounded queue of its own.

Events are opaque. Used from one event loop only; the publisher never waits. What goes over the wire: server/live.py
and server/service.py.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple


class Published(NamedTuple):
    """One event as subscribers get it; shared by all of them."""

    seq: int
    event: object


class Resync(NamedTuple):
    """Marker: this subscriber was too slow, everything up to and including ``seq`` is lost to it.

    It should take a snapshot and go on with what follows, which has no gap.
    """

    seq: int


class EventBus:
    """Hands every published event to every subscriber."""

    def __init__(self, first_seq: int = 1) -> None:
        self._next = first_seq
        self._subscriptions: set[Subscription] = set()

    @property
    def seq(self) -> int:
        """Sequence number of the last event published; one less than the first if there was none."""
        return self._next - 1

    @property
    def subscribers(self) -> int:
        """Number of open subscriptions."""
        return len(self._subscriptions)

    def publish(self, event: object) -> int:
        """Queue the event for every subscriber and return its sequence number. Never waits, never fails."""
        seq = self._next
        self._next += 1
        if self._subscriptions:
            published = Published(seq, event)
            for subscription in self._subscriptions:
                subscription._put(published)
        return seq

    def subscribe(self, bound: int) -> Subscription:
        """Open a subscription to everything published from now on.

        Args:
            bound: how many events may wait; one more, and the subscriber loses them and gets a Resync.
        """
        if bound < 1:
            raise ValueError(f"bound of a subscription must be at least 1, is {bound}")
        subscription = Subscription(self, bound)
        self._subscriptions.add(subscription)
        return subscription

    def close(self) -> None:
        """End all subscriptions; what they still hold can be read to its end."""
        for subscription in tuple(self._subscriptions):
            subscription.close()


class Subscription:
    """One subscriber's queue: an async iterator that ends after close(). For one reader."""

    def __init__(self, bus: EventBus, bound: int) -> None:
        self._bus = bus
        self._bound = bound
        self._queue: deque[Published | Resync] = deque()
        self._ready = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Published | Resync:
        await self._ready.wait()
        if not self._queue:
            raise StopAsyncIteration
        item = self._queue.popleft()
        if not self._queue and not self._closed:
            self._ready.clear()
        return item

    async def batch(self) -> list[Published | Resync]:
        """Wait until something is there and take all of it; an empty list means that the subscription has ended."""
        await self._ready.wait()
        return self.take()

    def take(self) -> list[Published | Resync]:
        """Take what waits now, possibly nothing."""
        items = list(self._queue)
        self._queue.clear()
        if not self._closed:
            self._ready.clear()
        return items

    def close(self) -> None:
        """Get no more events and end the iterator. May be called twice."""
        self._closed = True
        self._bus._subscriptions.discard(self)
        self._ready.set()

    def _put(self, item: Published) -> None:
        if len(self._queue) >= self._bound:
            self._queue.clear()
            self._queue.append(Resync(item.seq))
        else:
            self._queue.append(item)
        self._ready.set()
