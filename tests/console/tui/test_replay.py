"""A recording in the live screens: where it is, how it is driven, and that nothing can be changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from screen import screen_of, shows, until
from textual.pilot import Pilot

from console import draft
from console.session import Session
from console.settings import Settings
from console.tui.replay import ReplayApp
from server.api.errors import RefusedError

RECORDINGS = Path(__file__).resolve().parents[3] / "recordings"
DEATH = RECORDINGS / "critical-task-death.jsonl"


@asynccontextmanager
async def playing(
    path: Path, size: tuple[int, int] = (120, 40), *, speed: float = 1.0, at_s: float = 0.0
) -> AsyncIterator[tuple[ReplayApp, Pilot[Any]]]:
    app = ReplayApp(await Session.replaying(path, speed=speed, at_s=at_s), Settings())
    async with app.run_test(size=size) as pilot:
        yield app, pilot


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_recording_is_shown_as_such_with_its_time_line(size: tuple[int, int]) -> None:
    async with playing(DEATH, size, speed=0.0) as (_, pilot):
        await shows(pilot, "ERR", "First fault")
        lines = await until(
            pilot,
            lambda lines: "max" in lines[-2] and "◆" in lines[-2] and "pause" in lines[-1] and "REPLAY" in lines[0],
        )
        assert ("recorded 20" in lines[0] and "control:32102" in lines[0]) or size[0] < 100
        assert all(len(line) == size[0] for line in lines)


async def test_it_is_paused_moved_and_played_faster_by_keys() -> None:
    async with playing(DEATH) as (app, pilot):
        await pilot.press("space")
        await until(pilot, lambda lines: "‖" in lines[-2])
        assert app.replay.is_paused
        await pilot.press("right")
        await until(pilot, lambda _: app.replay.position_s >= 10)
        before = app.replay.position_s
        await pilot.press("left")
        await until(pilot, lambda _: app.replay.position_s < before)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda _: any(abs(mark.t - app.replay.position_s) < 0.01 for mark in app.replay.marks))
        await pilot.press("plus", "plus")
        await until(pilot, lambda lines: "4x" in lines[-2])
        await pilot.press("minus", "space")
        await until(pilot, lambda lines: "2x" in lines[-2] and "▶" in lines[-2])


async def test_going_to_the_last_mark_shows_what_playing_to_the_end_shows() -> None:
    async with playing(DEATH, speed=0.0) as (app, pilot):
        await until(pilot, lambda _: app.replay.at_end)
        await shows(pilot, "ERR")
        played: list[str] = []
        while played != (seen := screen_of(app)[2:-2]):  # until all of it is painted
            played = seen
            await pilot.pause(0.5)
    async with playing(DEATH, at_s=app.replay.duration_s) as (app, pilot):
        await until(pilot, lambda lines: lines[2:-2] == played)


async def test_nothing_can_be_asked_of_a_core_while_a_recording_is_shown() -> None:
    async with playing(DEATH, speed=0.0) as (app, pilot):
        await shows(pilot, "ERR")
        assert app.session.refusal()
        with pytest.raises(RefusedError):
            await app.session.client.environments()
        with pytest.raises(RefusedError):
            await app.session.client.destroy("2abc")


async def test_nothing_can_be_made_in_a_recording_and_no_draft_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with playing(DEATH, (80, 24), speed=0.0) as (_, pilot):
        await shows(pilot, "ERR")
        await pilot.press("7")
        await shows(pilot, "the templates could not be listed", "recording")
        await pilot.press("greater_than_sign", "X")
        await shows(pilot, "no template chosen yet")
    assert not draft.folder().exists()
