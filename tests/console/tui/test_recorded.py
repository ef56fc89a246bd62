"""What a recording shows at its end is what the screen showed live."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_core import FakeCore
from screen import app_on, screen_of, shows, until

from console.recorder import Recorder
from console.session import Session
from console.settings import Settings
from console.sources.live import LiveSource
from console.tui.replay import ReplayApp
from server.api.states import EnvironmentEvent


def body_of(lines: list[str], *, has_time_line: bool) -> list[str]:
    """Return the body as far as both have it: the time line takes a line of it in a replay."""
    shown = [line.rstrip() for line in (lines[2:-2] if has_time_line else lines[2:-1])]
    return [line for line in shown if line]


@pytest.mark.parametrize("key", ["1", "2", "3", "4"])
async def test_the_last_screen_of_a_replay_is_the_last_live_one(
    core: FakeCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    one = core.add(state="CONFIGURED")
    file = tmp_path / "seen.jsonl"
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, one.id)
        async with Recorder(app.session, file, say=print):
            await app.session.client.control(one.id, EnvironmentEvent.START_ACTIVITY)
            core.fault(one.id, "flp002", "RUNNING")
            await shows(pilot, "First fault")
        recorded = await Session.replaying(file, at_s=1e6)
        assert recorded.replay is not None
        at_end = recorded.replay.recording.header.started_s + recorded.replay.duration_s
        monkeypatch.setattr(LiveSource, "now", lambda self: at_end)
        await pilot.press(key)
        tab = next(tab.name for tab in app.tabs if tab.key == key)
        await until(pilot, lambda _: app.shown_tab == tab)
        app._tick()  # all ages are painted anew
        await pilot.pause(1.2)
        live = body_of(screen_of(app), has_time_line=False)
        replayed = ReplayApp(recorded, Settings())
        recorded.replay.pause()
        async with replayed.run_test(size=(120, 41)) as other:
            await until(other, lambda _: bool(replayed.environment_id))
            await other.press(key)
            await until(other, lambda lines: body_of(lines, has_time_line=True) == live)
