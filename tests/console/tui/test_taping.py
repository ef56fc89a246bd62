"""Recording from the screen, noting something in it, and playing a recording in the place of the screen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fake_core import FakeCore
from screen import app_on, arm, shows, told, types, until
from terminal import Terminal
from textual.pilot import Pilot

from console.recording import Recording
from console.settings import Settings
from console.tui.dialogs.base import Question
from console.tui.dialogs.confirm import Confirm

SIZE = (100, 30)


def recorded(folder: Path) -> Recording:
    """Return the only recording in a folder."""
    (file,) = folder.glob("*.jsonl")
    return Recording(file)


async def test_a_key_records_what_is_shown_and_done_until_it_is_pressed_again(core: FakeCore, tmp_path: Path) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint, Settings(recordings=str(tmp_path / "own")))
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, one.id)
        await pilot.press("m")
        await told(pilot, "nothing is recorded: R begins a recording")
        await pilot.press("R")
        await until(pilot, lambda lines: "● REC 0:" in lines[0])
        await told(pilot, "recording", str(tmp_path / "own"))
        await pilot.press("m")
        await types(pilot, "beam is back")
        await pilot.press("enter")
        await arm(pilot)
        app.operator.submit(["env", "reset", one.id])
        await until(pilot, lambda _: isinstance(app.screen, Confirm))
        await pilot.press("enter")
        await until(pilot, lambda lines: any("DEP" in line for line in lines))
        await until(pilot, lambda _: not app.operator.acts)
        await pilot.press("R")
        await told(pilot, "recording", "recorded ", " to ")
        assert "REC" not in (await until(pilot, lambda lines: "REC" not in lines[0]))[0]
        found = recorded(tmp_path / "own")
        assert "beam is back" in [mark.text for mark in found.marks]
        assert [(act.verb, act.target, act.outcome) for _, act in found.acts] == [("env reset", one.id, "DEPLOYED")]
        assert found.warnings == []
        found.close()


async def test_leaving_the_screen_ends_the_recording_and_says_where_it_is(core: FakeCore, tmp_path: Path) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint, Settings(recordings=str(tmp_path)))
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        app.operator.submit(["record", str(tmp_path / "mine.jsonl")])
        await shows(pilot, "REC 0:")
    assert app.farewell.startswith("recorded ") and str(tmp_path / "mine.jsonl") in app.farewell
    found = recorded(tmp_path)
    assert found.warnings == []
    found.close()


async def test_a_recording_that_cannot_be_made_is_told_and_the_screen_goes_on(core: FakeCore, tmp_path: Path) -> None:
    (tmp_path / "there.jsonl").touch()
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint, Settings(recordings=str(tmp_path)))
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        app.operator.submit(["record", str(tmp_path / "there.jsonl")])
        await told(pilot, "not recorded", "exists already")
        assert not app.taping.is_on


async def play(pilot: Pilot[Any], name: str) -> None:
    """Choose a recording in the palette."""
    await pilot.press("ctrl+p")
    await types(pilot, f"recording {name}")
    await until(pilot, lambda lines: any(f"▸ recording {name}" in line for line in lines))
    await pilot.press("enter")


async def test_recordings_are_in_the_palette_and_take_the_place_of_the_screen(core: FakeCore, tmp_path: Path) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint, Settings(recordings=str(tmp_path)))
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await play(pilot, "calm-run")
        await until(pilot, lambda _: app.recording is not None)
    assert app.recording is not None and app.recording.replay is not None
    assert "calm-run" in app.recording.replay.name
    assert app.return_code == 0
    await app.recording.close()


async def test_an_armed_screen_asks_before_it_is_left_for_a_recording(core: FakeCore, tmp_path: Path) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint, Settings(recordings=str(tmp_path)))
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        await play(pilot, "calm-run")
        await shows(pilot, "This console is armed.", "[ Leave ]")
        assert isinstance(app.screen, Question)
        await pilot.press("escape")
        await until(pilot, lambda _: not isinstance(app.screen, Question))
        assert app.recording is None and app.is_running
        (tmp_path / "broken.jsonl").write_text("no recording\n")
        app.operator.submit(["replay", "broken"])
        await told(pilot, "not played", "broken.jsonl")


async def test_a_recording_that_is_closed_gives_its_place_back_to_the_live_screen(
    core: FakeCore, tmp_path: Path
) -> None:
    core.add("first", state="CONFIGURED")
    two = core.add("second", state="CONFIGURED")
    words = [sys.executable, "-P", "-m", "console", "--endpoint", core.endpoint]
    places = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "STATE", "DATA")}
    async with Terminal(tmp_path, words, size=(100, 30), environment=places) as terminal:
        await terminal.shows(two.id, "OBSERVE")
        await terminal.press("j", "R")
        await terminal.shows("REC 0:", f"Selected  {two.id}")
        await terminal.press("C-p")
        await terminal.shows("What can be done")
        await terminal.type("recording crit")
        await terminal.shows("▸ recording critical-task-death")
        await terminal.press("Enter")
        await terminal.shows("REPLAY", "00:")
        await terminal.press("q")
        await terminal.shows("OBSERVE", f"Selected  {two.id}")
        await terminal.press("q")
        assert await terminal.ended() == 0
        await terminal.shows("recorded ", f"to {tmp_path}")
