"""The live picture: what clients of aliecs.live.v1 are shown, the same for all of them.

A change of a thing replaces the one that waits for it; what changed in one turn of the event loop leaves as one
batch, at once. Batches stay a while, so a watcher that comes back goes on where it was: batches.py. Who serves it: live.py.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from server.api.model import (
    Core,
    Environment,
    Event,
    Fault,
    History,
    Host,
    Kind,
    Part,
    Removal,
    Role,
    Service,
    Task,
    Thing,
    Variables,
)
from server.batches import Batches, Entry, chunks, frame
from server.clock import now_ms

EVENTS_KEPT = 200
"""Events that a snapshot ends with, so that a log is not empty at first."""

Key = tuple[Kind, str]


class Picture:
    """The things of one core, and the batches in which they changed.

    Args:
        epoch: names this life of the core.
    """

    def __init__(self, epoch: str) -> None:
        self._batches = Batches(epoch)
        self._things: dict[Key, Entry] = {}
        self._pending: dict[Key, Entry] = {}
        self._events: list[Entry] = []
        self._last_events: deque[Entry] = deque(maxlen=EVENTS_KEPT)
        self._revision = 0
        self._flushing = False
        self._grown = asyncio.Event()

    @property
    def epoch(self) -> str:
        return self._batches.epoch

    @property
    def seq(self) -> int:
        """Sequence number of the last batch."""
        return self._batches.seq

    # ---- in ----------------------------------------------------------------------------------

    def update(self, thing: Thing) -> None:
        """Show a thing as it is now; nothing happens if it is shown so already."""
        key = key_of(thing)
        shown = self._things.get(key)
        if shown is not None and shown.value == thing:
            return
        self._revision += 1
        self._things[key] = self._pending[key] = Entry(thing, self._revision)
        self._flush_soon()

    def remove(self, kind: Kind, name: str) -> None:
        """Show no longer; with an environment go its roles, fault, variables and history."""
        key = (kind, name)
        gone = [key]
        if kind is Kind.ENVIRONMENT:
            gone += [one for one in self._things if one[0] is Kind.ROLE and one[1].startswith(f"{name}/")]
            gone += [(goes_too, name) for goes_too in (Kind.FAULT, Kind.VARIABLES, Kind.HISTORY)]
        if not any(one in self._things for one in gone):
            return
        for one in gone:
            self._things.pop(one, None)
            self._pending.pop(one, None)
        self._revision += 1
        self._pending[key] = Entry(Removal(kind, name), self._revision)
        self._flush_soon()

    def log(self, event: Event) -> None:
        """Add an event to the stream; the last ones are sent with every snapshot."""
        self._revision += 1
        self._events.append(Entry(event, self._revision))
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        events, self._events = self._events, []
        changes, self._pending = self._pending, {}
        self._last_events += events
        self._batches.add([*events, *changes.values()])
        self._grown.set()
        self._grown = asyncio.Event()

    # ---- out ---------------------------------------------------------------------------------

    def can_resume(self, epoch: str, since: int) -> bool:
        """Tell whether everything after that batch is still here."""
        return self._batches.can_resume(epoch, since)

    def snapshot(self) -> list[bytes]:
        """Return the picture of the last batch and the last events as serialised batches: BEGIN, MORE ..., END."""
        entries = [*self._things.values(), *self._last_events]
        parts = [b"".join([entry.wire for entry in chunk]) for chunk, _ in chunks(entries)] or [b""]
        messages = [self._frame(Part.BEGIN) + parts[0]]
        messages += [self._frame(Part.MORE) + part for part in parts[1:]]
        return [*messages, self._frame(Part.END)]

    def after(self, seq: int) -> tuple[int, bytes] | None:
        """Return (last sequence number, serialised batch) of what came after, None if that is no longer here."""
        return self._batches.after(seq)

    async def grown(self, seq: int, timeout_s: float | None = None) -> bool:
        """Wait until there is something after that batch; False when the time is over (None: wait for ever)."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.seq <= seq:
                    await self._grown.wait()
        except TimeoutError:
            return self.seq > seq
        return True

    def heartbeat(self) -> bytes:
        """Return a batch without changes: all is as it was, at this time."""
        return self._frame(Part.NONE)

    def _frame(self, part: Part) -> bytes:
        return frame(self.epoch, self.seq, part, now_ms())


def key_of(thing: Thing) -> Key:
    """Return what identifies a thing."""
    return _KEYS[type(thing)](thing)


_KEYS: dict[type, Callable[[Any], Key]] = {
    Environment: lambda environment: (Kind.ENVIRONMENT, environment.id),
    Role: lambda role: (Kind.ROLE, f"{role.environment_id}/{role.order}"),
    Task: lambda task: (Kind.TASK, task.task_id),
    Host: lambda host: (Kind.HOST, host.name),
    Service: lambda service: (Kind.SERVICE, service.id),
    Fault: lambda fault: (Kind.FAULT, fault.environment_id),
    Variables: lambda variables: (Kind.VARIABLES, variables.environment_id),
    History: lambda history: (Kind.HISTORY, history.environment_id),
    Core: lambda core: (Kind.UNSPECIFIED, ""),
}
