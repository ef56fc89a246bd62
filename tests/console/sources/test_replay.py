"""Playing recordings: at any pace, from anywhere, the picture is the one that was shown then."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stories import START_MS, seen, story, write

from console.session import Session
from console.sources.replay import RecordedClient
from console.store import Link, Store
from server.api.client import Client
from server.api.errors import ConfigError, RefusedError
from server.api.model import Kind


class HandClock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self._now = 100.0
        self._moved = asyncio.Event()
        self.waits: list[float] = []

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def wait(self, event: asyncio.Event, timeout_s: float) -> None:
        until = self._now + timeout_s
        self.waits.append(timeout_s)
        while not event.is_set() and self._now < until:
            ways = [asyncio.ensure_future(one.wait()) for one in (event, self._moved)]
            await asyncio.wait(ways, timeout=120, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "story.jsonl"
    write(path, story(80), marks={5.0: "five", 9.0: "nine", 20.0: "twenty"})
    return path


def straight(until: float) -> Store:
    """Return the store of somebody who watched from the beginning, without what recordings leave out."""
    store = Store()
    for t, batch in story(80):
        if t <= until:
            store.apply(batch)
    return store


def shown(store: Store) -> dict[str, object]:
    picture = seen(store)
    return picture | {"events": len(picture["events"])}


async def settled(session: Session, condition: Callable[[], bool]) -> None:
    assert await session.until(condition, 60)


def reached(session: Session, t: float) -> Callable[[], bool]:
    """Return a condition: all batches up to a position are in the store."""
    last = straight(t)
    return lambda: session.store.is_complete and session.store.seq == last.seq


async def test_a_recording_ends_in_the_picture_that_was_live_at_its_end(file: Path) -> None:
    async with await Session.replaying(file, speed=0) as session:
        assert session.replay
        store = await session.picture()
        assert await session.until(lambda: bool(session.replay and session.replay.at_end), 60)
        assert shown(store) == shown(straight(1e9))
        assert session.replay.at_end and session.replay.position_s == session.replay.duration_s
        assert store.link is Link.LIVE and not session.is_stale and session.age_s() == 0
        assert session.now() == START_MS / 1000 + session.replay.duration_s


async def test_time_passes_as_it_was_recorded_and_stands_still_in_a_pause(file: Path) -> None:
    clock = HandClock()
    async with await Session.replaying(file, clock=clock) as session:
        replay = session.replay
        assert replay
        await settled(session, reached(session, 0.0))
        clock.advance(4.0)
        await settled(session, reached(session, 4.0))
        assert session.now() == START_MS / 1000 + 4.0
        replay.pause()
        clock.advance(100.0)
        assert replay.is_paused and replay.position_s == 4.0
        replay.resume()
        clock.advance(2.5)
        await settled(session, reached(session, 6.5))
        assert shown(session.store) == shown(straight(6.5))
        assert not replay.at_end


async def test_speed_is_a_factor_of_time(file: Path) -> None:
    clock = HandClock()
    async with await Session.replaying(file, speed=10, clock=clock) as session:
        replay = session.replay
        assert replay
        await settled(session, reached(session, 0.0))
        clock.advance(0.5)
        await settled(session, reached(session, 5.0))
        replay.set_speed(0.1)
        clock.advance(10.0)
        await settled(session, reached(session, 6.0))
        assert replay.position_s == pytest.approx(6.0)
        replay.set_speed(1000)
        assert replay.speed == 60
        replay.set_speed(0.001)
        assert replay.speed == 0.1


async def test_going_back_shows_what_was_shown_then_and_names_what_changed(file: Path) -> None:
    clock = HandClock()
    async with await Session.replaying(file, at_s=30.0, clock=clock) as session:
        replay = session.replay
        assert replay
        replay.pause()
        await settled(session, reached(session, 30.0))
        assert shown(session.store) == shown(straight(30.0))
        before = {one.id for one in session.store.environments()}
        heard: set[tuple[Kind, str]] = set()
        with session.listening(heard.update):
            replay.seek(3.0)
            await settled(session, reached(session, 3.0))
        assert shown(session.store) == shown(straight(3.0)) and replay.position_s == 3.0
        after = {one.id for one in session.store.environments()}
        assert before - after <= {name for kind, name in heard if kind is Kind.ENVIRONMENT}
        replay.seek(-5)
        await settled(session, reached(session, 0.0))
        replay.seek(1e9)
        await settled(session, reached(session, 1e9))
        assert shown(session.store) == shown(straight(1e9))


async def test_marks_are_gone_to_one_after_the_other(file: Path) -> None:
    clock = HandClock()
    async with await Session.replaying(file, clock=clock) as session:
        replay = session.replay
        assert replay
        replay.pause()
        assert [mark.text for mark in replay.marks] == ["five", "nine", "twenty"]
        gone_to = [replay.next_mark() for _ in range(4)]
        assert [mark and mark.text for mark in gone_to] == ["five", "nine", "twenty", None]
        assert replay.position_s == 20.0
        await settled(session, reached(session, 20.0))
        back = [replay.previous_mark() for _ in range(3)]
        assert [mark and mark.text for mark in back] == ["nine", "five", None]
        await settled(session, reached(session, 5.0))


@given(places=st.lists(st.floats(0, 60), min_size=1, max_size=6), pauses=st.booleans())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_whatever_way_leads_to_a_place_the_same_is_shown(file: Path, places: list[float], pauses: bool) -> None:
    async def go() -> None:
        async with await Session.replaying(file, clock=HandClock()) as session:
            replay = session.replay
            assert replay
            if pauses:
                replay.pause()
            session.follow()
            for place in places:
                replay.seek(place)
                await settled(session, reached(session, replay.position_s))
                assert shown(session.store) == shown(straight(replay.position_s))

    asyncio.run(go())


async def test_places_asked_for_faster_than_they_can_be_shown_end_at_the_last_one(file: Path) -> None:
    async with await Session.replaying(file, clock=HandClock()) as session:
        replay = session.replay
        assert replay
        await settled(session, reached(session, 0.0))
        for place in (20.0, 3.0, 25.0, 8.0):
            replay.seek(place)
        await settled(session, reached(session, 8.0))
        assert shown(session.store) == shown(straight(8.0))


async def test_a_line_that_cannot_be_played_stops_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    lines = write(path, story(30))
    path.write_bytes(b"".join([*lines[:20], lines[20].replace(b'"seq":"', b'"seq":"x'), *lines[21:]]))
    async with await Session.replaying(path, speed=0) as session:
        with pytest.raises(ConfigError, match=":21: "):
            await session.until(lambda: False, 60)
        assert session.store.link is Link.LOST and ":21: " in session.store.problem


# ---- writes --------------------------------------------------------------------------------------


def calls_of(kind: type[Client]) -> list[str]:
    return [
        name
        for name, it in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and (inspect.iscoroutinefunction(it) or inspect.isasyncgenfunction(it))
    ]


ARGUMENTS = {
    "control": ("id", None), "create": ("t", {}), "create_async": ("t", {}), "create_auto": ("t", {}, "feed"),
    "roles": ("id", "**"), "add_repo": ("x",), "remove_repo": (0,), "set_default_repo": (0,),
    "set_global_default_revision": ("x",), "set_repo_default_revision": (0, "x"), "teardown": ("why",), "task": ("id",),
    "raw": ("GetTasks", ""), "plan": ("t", {}),
    "send": ("GetTasks", None, None, 1.0), "destroy": ("id",), "modify": ("id",), "environment": ("id",),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(calls_of(Client)) - {"close", "connect"}))
async def test_nothing_can_be_asked_of_a_recording(file: Path, name: str) -> None:
    from server.api.states import EnvironmentEvent

    async with await Session.replaying(file) as session:
        client = session.client
        assert isinstance(client, RecordedClient) and client.read_only and not hasattr(client, "_channel")
        arguments = [EnvironmentEvent.RESET if it is None else it for it in ARGUMENTS.get(name, ())]
        with pytest.raises(RefusedError, match="this is a recording"):
            asked = getattr(client, name)(*arguments)
            await (anext(asked) if isinstance(asked, AsyncIterator) else asked)
        assert session.refusal() == "this is a recording"
