"""How often a master is asked to offer everything."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from server.deploy.mesos_revival import Revival


class Calls:
    def __init__(self) -> None:
        self.times_s: list[float] = []
        self._changed = asyncio.Event()

    def __call__(self) -> None:
        self.times_s.append(asyncio.get_running_loop().time())
        self._changed.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.times_s) < count:
                self._changed.clear()
                await self._changed.wait()


async def test_some_calls_are_made_at_once_and_what_is_asked_beyond_is_one_later() -> None:
    calls = Calls()
    revival = Revival(calls, burst=3, wait_s=600.0)
    for _ in range(50):
        revival.ask()
    assert len(calls.times_s) == 3
    revival.close()
    calls = Calls()
    revival = Revival(calls, burst=1, wait_s=0.1)
    for count in range(1, 4):
        revival.ask()
        await calls.until(count)
    assert all(later - before > 0.09 for before, later in pairwise(calls.times_s))
    revival.close()


async def test_nothing_is_held_back_without_a_wait() -> None:
    calls = Calls()
    revival = Revival(calls, burst=0, wait_s=0.0)
    for _ in range(50):
        revival.ask()
    assert len(calls.times_s) == 50


async def test_what_waits_is_not_asked_any_more_when_it_is_closed() -> None:
    calls, others = Calls(), Calls()
    revival = Revival(calls, burst=1, wait_s=0.2)
    revival.ask()
    revival.ask()
    revival.close()
    made = len(calls.times_s)
    other = Revival(others, burst=1, wait_s=0.4)
    other.ask()
    other.ask()
    await others.until(2)
    assert len(calls.times_s) == made
