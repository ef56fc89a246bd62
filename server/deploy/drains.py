"""Hosts on which nothing new is placed, by an expert's word; what runs there goes on. Kept in the journal."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from server.api.model import Drain
from server.journal import Journal, Table


class Drains:
    """Who keeps tasks from which hosts, of one core."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._by_host: dict[str, Drain] = {}

    async def restore(self) -> None:
        """Take up what an earlier life of the core left."""
        records = await self._journal.load(Table.DRAINS)
        self._by_host = {host: msgspec.json.decode(record, type=Drain) for host, record in records.items()}

    def of(self, host: str) -> Drain | None:
        return self._by_host.get(host)

    def hosts(self) -> list[str]:
        """Return the names of all drained hosts, sorted; some may be in no inventory any more."""
        return sorted(self._by_host)

    def closed(self) -> Mapping[str, str]:
        """Return the drained hosts, with the reason in words."""
        return {host: _words(drain) for host, drain in self._by_host.items()}

    async def drain(self, host: str, drain: Drain) -> None:
        """Place nothing there from now on; holds once this returns, also in the next life of the core.

        Raises:
            AliecsError: it cannot be recorded.
        """
        await self._journal.put(Table.DRAINS, host, msgspec.json.encode(drain))
        self._by_host[host] = drain

    async def undrain(self, host: str) -> None:
        """Let tasks be placed there again; nothing happens if they may be.

        Raises:
            AliecsError: it cannot be recorded.
        """
        await self._journal.delete(Table.DRAINS, host)
        self._by_host.pop(host, None)


def _words(drain: Drain) -> str:
    since = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(drain.since_ms / 1000))
    return f"is drained by {drain.who} since {since}{f': {drain.why}' if drain.why else ''}"
