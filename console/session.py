"""A session with one core: its client, the store, and the loop that keeps the store true.

The loop watches the core's live picture, comes back after a lost link where it was, and tells whoever listens. One
session per process; everything runs on one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from server.api.client import Client, Deadlines
from server.api.errors import AliecsError, DeadlineError, LinkError

if TYPE_CHECKING:
    from console.store import Key, Link, Store

Listener = Callable[["set[Key]"], None]
"""Called after each change with the kinds and ids that changed; an empty set when only the link did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """In seconds."""

    snapshot_s: float = 20.0
    """For the first complete picture."""
    settle_s: float = 5.0
    """For the picture to show what a reply already said."""
    retry_first_s: float = 0.1
    retry_last_s: float = 5.0


class Session:
    """Owns a client and the loop that follows the core; close it, or use it as an async context manager."""

    def __init__(self, client: Client, *, timings: Timings | None = None) -> None:
        self.client = client
        self._store: Store | None = None
        self.timings = timings or Timings()
        self._listeners: list[Listener] = []
        self._changed = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    @classmethod
    async def open(
        cls,
        endpoint: str,
        *,
        deadlines: Deadlines | None = None,
        timings: Timings | None = None,
        read_only: bool = False,
    ) -> Self:
        """Connect; LinkError if no core answers."""
        return cls(await Client.connect(endpoint, deadlines=deadlines, read_only=read_only), timings=timings)

    async def close(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        await self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def store(self) -> Store:
        """What is known of the core."""
        if self._store is None:
            from console.store import Store  # with the model of the picture, which a plain question does not need

            self._store = Store()
        return self._store

    # ---- the picture -------------------------------------------------------------------------

    def follow(self) -> None:
        """Start following the core, if that is not going on already."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._follow(), name="follow")  # owned: close() ends it

    async def picture(self) -> Store:
        """Return the store once it holds a complete picture.

        Raises:
            DeadlineError: no complete picture in time.
            CoreError: the core has none to offer.
        """
        if not await self.until(lambda: self.store.is_complete, self.timings.snapshot_s):
            raise DeadlineError(
                f"no picture from {self.client.endpoint} within {self.timings.snapshot_s:g} s", hint=self.store.problem
            )
        return self.store

    async def until(self, condition: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait until the condition holds, looking after each change; False when the time is over.

        Raises:
            AliecsError: the core cannot be followed at all.
        """
        self.follow()
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    if self._failure is not None:
                        raise self._failure
                    await self._changed.wait()
        except TimeoutError:
            return condition()
        return True

    async def settle(self, condition: Callable[[], bool]) -> bool:
        """Wait a little for the picture to show what a reply already said; False if it does not."""
        return await self.until(condition, self.timings.settle_s)

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Call the listener after each change while the context is open."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    # ---- the loop ----------------------------------------------------------------------------

    async def _follow(self) -> None:
        from console.store import Link

        try:
            await self._follow_forever()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            # Whoever waits for the picture gets it; nobody would see it in this task.
            self._failure = error
            self._set_link(Link.LOST, str(error))
            if not isinstance(error, AliecsError):
                raise

    async def _follow_forever(self) -> None:
        from console.store import Link

        pause_s = self.timings.retry_first_s
        while True:
            try:
                await self.client.ready(patient=True)
                if self.store.is_complete:
                    self._set_link(Link.LIVE)  # the next batch may be long in coming
                async for batch in self.client.watch(*self.store.resume_point):
                    changed = self.store.apply(batch)
                    pause_s = self.timings.retry_first_s
                    if self.store.link is not Link.LIVE and self.store.is_complete:
                        self.store.set_link(Link.LIVE)
                    self._tell(changed)
            except LinkError as error:
                self._set_link(Link.LOST, error.message)
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, self.timings.retry_last_s)

    async def _pause(self, seconds: float) -> None:
        """Wait before the next attempt."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.get_running_loop().create_future(), seconds)

    def _set_link(self, link: Link, problem: str = "") -> None:
        if (self.store.link, self.store.problem) != (link, problem):
            self.store.set_link(link, problem)
            self._tell(set())

    def _tell(self, changed: set[Key]) -> None:
        woken, self._changed = self._changed, asyncio.Event()
        woken.set()
        for listener in tuple(self._listeners):
            listener(changed)
