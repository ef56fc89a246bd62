"""Every screen as it is painted from the shipped recordings: as text at three sizes, the main ones as pictures.

After a change of looks: ``make pictures``, look at what changed, commit it. The README shows these very pictures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import snap
from screen import screen_of, shows, until
from textual.pilot import Pilot

from console.session import Session
from console.settings import Settings
from console.tui.replay import ReplayApp

ROOT = Path(__file__).resolve().parents[3]
SIZES = ((80, 24), (120, 40), (200, 60))
THEMES = ("dark", "light", "okabe-ito", "mono")
LAST_S = 1e6
"""After the end of every recording."""
STEADY = 3
"""Paints in a row that must be the same."""


class Shot(NamedTuple):
    """One moment of one recording, and the keys that lead to what shall be seen of it."""

    recording: str
    at_s: float
    keys: tuple[str, ...] = ()
    text: str = ""
    """What is on the screen when it is complete."""


SHOTS = {
    "overview-running": Shot("calm-run", 20.0, text="RUN "),
    "overview-transition": Shot("calm-run", 3.2, text="DEPLOY"),
    "overview-fault": Shot("critical-task-death", LAST_S, text="First fault"),
    "environment-running": Shot("calm-run", 28.0, ("2",), "RUNNING"),
    "environment-transition": Shot("calm-run", 3.2, ("2",), "waiting for"),
    "environment-fault": Shot("critical-task-death", LAST_S, ("2",), "First fault"),
    "environment-tasks": Shot("critical-task-death", LAST_S, ("2", "x"), "stfsender"),
    "environment-variables": Shot("calm-run", 28.0, ("2", "v"), "VARIABLE"),
    "environment-timeline": Shot("calm-run", 28.0, ("2", "i"), "OUTCOME"),
    "environment-events": Shot("calm-run", 28.0, ("2", "e"), "WHAT HAPPENED"),
    "tasks": Shot("critical-task-death", LAST_S, ("3",), "PROBLEM"),
    "task": Shot("critical-task-death", LAST_S, ("3", "enter"), "does not hold what tasks write"),
    "events": Shot("critical-task-death", LAST_S, ("4",), "GO_ERROR"),
    "new": Shot("calm-run", 20.0, ("7",), "could not be listed"),
    "services": Shot("calm-run", 20.0, ("8",), "EXECUTOR"),
    "help": Shot("calm-run", 20.0, ("question_mark",), "Keys and verbs"),
    "palette": Shot("calm-run", 20.0, ("ctrl+p",), "What can be done"),
    "filter": Shot("critical-task-death", LAST_S, ("3", "slash", *"state=err"), "1 row"),
}
PICTURES = ("overview-fault", "environment-running", "environment-transition", "palette")


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def steady(pilot: Pilot[Any]) -> list[str]:
    """Return the screen once it does not change any more."""
    last, same = screen_of(pilot.app), 0
    while same < STEADY:
        await pilot.pause(0.05)
        now = screen_of(pilot.app)
        last, same = now, same + 1 if now == last else 0
    return last


async def taken(shot: Shot, size: tuple[int, int], settings: Settings) -> tuple[list[str], str]:
    """Return the screen as text and as a picture."""
    session = await Session.replaying(ROOT / "recordings" / f"{shot.recording}.jsonl", at_s=shot.at_s)
    assert session.replay
    session.replay.pause()
    app = ReplayApp(session, settings)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda _: bool(app.environment_id))
        await steady(pilot)
        for key in shot.keys:
            await pilot.press(key)
            await pilot.pause()
        await shows(pilot, shot.text)
        lines = await steady(pilot)
        return lines, snap.steady(app.export_screenshot(title="aliecs"))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("name", SHOTS)
async def test_the_screen_is_painted_as_its_golden_shows(name: str, size: tuple[int, int]) -> None:
    lines, _ = await taken(SHOTS[name], size, Settings())
    assert all(len(line) <= size[0] for line in lines) and len(lines) == size[1]
    snap.matches(f"screens/{name}-{size[0]}x{size[1]}.txt", snap.text_of(lines))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", PICTURES)
async def test_the_pictures_of_the_documentation_are_true(name: str, theme: str) -> None:
    _, svg = await taken(SHOTS[name], (120, 40), Settings(theme=theme))
    snap.matches(f"{name}-{theme}.svg", svg, folder=ROOT / "docs" / "pictures")
