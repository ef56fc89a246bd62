"""Who keeps tasks from which hosts, and that a journal remembers it."""

from __future__ import annotations

from pathlib import Path

from server.api.model import Drain
from server.deploy.drains import Drains
from server.journal import Journal

SINCE_MS = 1_764_000_000_000
"""2025-11-24 16:00 UTC."""


async def test_drained_hosts_outlive_the_core_with_who_since_when_and_why(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.sqlite")
    drains = Drains(journal)
    await drains.drain("flp001", Drain(who="kim", why="disk", since_ms=SINCE_MS))
    await drains.drain("flp002", Drain(who="kim", since_ms=SINCE_MS))
    await drains.drain("flp002", Drain(who="lee", since_ms=SINCE_MS + 60_000))
    await drains.drain("flp003", Drain(who="kim", since_ms=SINCE_MS))
    await drains.undrain("flp003")
    await drains.undrain("flp004")
    await journal.close()
    journal = await Journal.open(tmp_path / "journal.sqlite")
    after = Drains(journal)
    assert after.hosts() == []
    await after.restore()
    assert (after.hosts(), after.of("flp003")) == (["flp001", "flp002"], None)
    assert after.of("flp001") == Drain(who="kim", why="disk", since_ms=SINCE_MS)
    assert after.closed() == {
        "flp001": "is drained by kim since 2025-11-24 16:00 UTC: disk",
        "flp002": "is drained by lee since 2025-11-24 16:01 UTC",
    }
    await journal.close()
