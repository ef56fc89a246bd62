"""A session with one core: its client, the store, and the loop that keeps the store true.

The loop reads batches from a source (console/sources), comes back after a lost link where it was, and tells whoever
listens. One session per process; everything runs on one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from console.sources.source import is_heartbeat
from server.api.client import Client, Deadlines
from server.api.errors import AliecsError, CoreError, DeadlineError, LinkError

if TYPE_CHECKING:
    from pathlib import Path

    from console.recording import Rates
    from console.sources.live import LiveSource
    from console.sources.polling import Polling
    from console.sources.replay import Clock, ReplaySource
    from console.sources.source import Source
    from console.store import Key, Link, Store
    from server.api.model import Batch

Listener = Callable[["set[Key]"], None]
"""Called after each change with the kinds and ids that changed; an empty set when only the link or the age did."""

Tap = Callable[["Batch"], None]
"""Called with each batch as it came, before the picture takes it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """In seconds."""

    snapshot_s: float = 20.0
    """For the first complete picture."""
    settle_s: float = 5.0
    """For the picture to show what a reply already said."""
    retry_first_s: float = 0.1
    retry_last_s: float = 5.0
    heartbeat_s: float = 1.0
    """Between two signs of life of a core that is quiet."""
    stale_s: float = 5.0
    """A picture that was not heard of for longer is stale: nothing is changed on what it shows."""
    silence_s: float = 15.0
    """After so long without a sign of life the link is broken off and made anew."""


class Session:
    """Owns a client and the loop that follows the core; close it, or use it as an async context manager.

    Args:
        source: where the picture comes from; the client's core unless given.
    """

    def __init__(self, client: Client, *, source: Source | None = None, timings: Timings | None = None) -> None:
        self.client = client
        self.replay: ReplaySource | None = None
        """The source if it is a recording."""
        self._given = source
        self._live: LiveSource | None = None
        self._polling: Polling | None = None
        self._source: Source | None = None
        """The one that gave the last batch."""
        self._focus = ""
        self._forgotten: set[Key] = set()
        """What a jump in a recording changes, until the picture after it is there."""
        self._rates: Rates | None = None
        """To be remembered when that picture is there."""
        self._store: Store | None = None
        self.timings = timings or Timings()
        self._listeners: list[Listener] = []
        self._taps: list[Tap] = []
        self._retry_s = self.timings.retry_first_s
        self._heard_at = -math.inf
        self._ageing: asyncio.TimerHandle | None = None
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

    @classmethod
    async def replaying(cls, path: Path, *, speed: float = 1.0, at_s: float = 0.0, clock: Clock | None = None) -> Self:
        """Play a recording; ``replay`` has the controls.

        Args:
            speed: times real time, 0.1 to 60; 0: as fast as possible.
            at_s: where to begin, in seconds from its start.

        Raises:
            ConfigError: the file cannot be read or is no recording; names the line.
        """
        from console.recording import Recording  # nobody else needs these
        from console.sources.replay import RecordedClient, ReplaySource

        recording = await asyncio.to_thread(Recording, path)
        source = ReplaySource(recording, speed=speed, at_s=at_s, clock=clock)
        session = cls(RecordedClient(recording.header), source=source)
        session.replay = source
        source.on_jump = session._forget
        return session

    async def close(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        if self._ageing is not None:
            self._ageing.cancel()
        if self.replay is not None:
            self.replay.close()
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

    @property
    def source(self) -> Source:
        """Where the picture comes from now."""
        return self._source or self._first_source()

    def focus(self, environment_id: str) -> None:
        """Say which environment is looked at, "" for none: of a core that is polled more is asked about it."""
        self._focus = environment_id
        self.source.focus(environment_id)

    async def notice(self) -> str:
        """Return in words what is only advisory in the picture of this core, "" if nothing is; it must be heard first.

        Raises:
            CoreError: the core has no picture to offer.
        """
        await self.until(lambda: self.age_s() < math.inf, self.timings.snapshot_s)
        return self.source.notice

    # ---- time --------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the Unix time of what is shown, in seconds: the only clock that a screen may show."""
        return self.source.now()

    def age_s(self) -> float:
        """Return the seconds since the core was last heard, infinite before that; 0 in a recording."""
        if self.replay is not None:
            return 0.0
        return time.monotonic() - self._heard_at

    @property
    def is_stale(self) -> bool:
        """What is shown may not be so any more: the link is not live, or the core has been silent."""
        from console.store import Link

        return self.store.link is not Link.LIVE or self.age_s() > self.timings.stale_s

    def refusal(self) -> str:
        """Return in words why nothing can be changed now, "" if it can.

        Of a picture that nobody follows it says nothing: there is none to be stale.
        """
        from console.store import Link

        if self.replay is not None:
            return "this is a recording"
        if self.client.read_only:
            return "this console only reads"
        if self._loop is None:
            return ""
        if self.store.link is Link.CONNECTING:
            return f"no picture of {self.client.endpoint} yet"
        if self.store.link is Link.LOST:
            return f"the link is lost: {self.store.problem}"
        return f"data is {self.age_s():.0f} s old" if self.is_stale else ""

    def waiting(self) -> str:
        """Return in words what is waited for while there is no picture, "" once there is one."""
        if self.store.is_complete:
            return ""
        return f"{self.store.problem}; tried again and again" if self.store.problem else "waiting for the core"

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
        self.source.wake()
        return await self.until(condition, self.timings.settle_s)

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Call the listener after each change while the context is open."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @contextlib.contextmanager
    def tap(self, tap: Tap) -> Iterator[None]:
        """Call the tap with each batch while the context is open, also with those that change nothing."""
        self._taps.append(tap)
        try:
            yield
        finally:
            self._taps.remove(tap)

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

        while True:
            try:
                await self._read()
            except LinkError as error:
                self._set_link(Link.LOST, error.message)
            await self._pause(self._retry_s)
            self._retry_s = min(2 * self._retry_s, self.timings.retry_last_s)

    async def _read(self) -> None:
        """Read batches until the link breaks. A core without aliecs.live.v1 is polled, and given a chance at each link."""
        try:
            await self._read_from(self._first_source())
        except CoreError as error:
            if self._given is not None or error.code != "UNIMPLEMENTED":
                raise
            if self._polling is None:
                from console.sources.polling import Polling  # a stock core is rare

                self._polling = Polling(self.client)
            await self._read_from(self._polling)

    async def _read_from(self, source: Source) -> None:
        source.focus(self._focus)
        async for batch in source.batches(*self.store.resume_point):
            self._source = source
            self._retry_s = self.timings.retry_first_s
            self._take(batch)

    def _first_source(self) -> Source:
        if self._given is not None:
            return self._given
        if self._live is None:
            from console.sources.live import LiveSource  # as for the store

            timings = self.timings
            self._live = LiveSource(self.client, heartbeat_s=timings.heartbeat_s, silence_s=timings.silence_s)
        return self._live

    def _take(self, batch: Batch) -> None:
        """Take in a batch; one that changes nothing wakes nobody, unless the picture was stale or a recording ends."""
        from console.store import Link

        was_stale = self.is_stale
        self._heard_at = time.monotonic()
        if self._ageing is None:
            self._ageing = asyncio.get_running_loop().call_later(self.timings.stale_s, self._look_at_age)
        for tap in tuple(self._taps):
            tap(batch)
        store = self.store
        is_quiet = is_heartbeat(batch, store.seq)
        changed: set[Key] = set() if is_quiet else store.apply(batch)
        if self.replay is not None:
            if self._rates is not None and store.is_complete:
                store.recall_rates(self._rates)
                self._rates = None
            changed |= self._forgotten
            self._forgotten = changed if self.replay.is_jumping else set()
            if self.replay.is_jumping:
                return  # nobody shall see how it gets there
        if store.link is not Link.LIVE and store.is_complete:
            store.set_link(Link.LIVE)
        if not is_quiet or was_stale or self.replay is not None:
            self._tell(changed)

    def _forget(self, rates: Rates | None) -> None:
        """Empty the store before a jump in a recording."""
        self._forgotten |= self.store.clear()
        self._rates = rates

    def _look_at_age(self) -> None:
        """Wake whoever listens at the moment when the picture becomes stale."""
        self._ageing = None
        left_s = self.timings.stale_s - self.age_s()
        if left_s >= 0:
            self._ageing = asyncio.get_running_loop().call_later(left_s + 0.01, self._look_at_age)
        else:
            self._tell(set())

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
