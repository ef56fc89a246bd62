"""The console's screen in a test: an app on a core, the text that a person would see, and waiting for it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Self

from fake_core import FakeCore
from textual._context import visible_screen_stack
from textual.app import App
from textual.events import Key
from textual.notifications import Notifications
from textual.pilot import Pilot
from textual.screen import ModalScreen

from console.session import Session, Timings
from console.settings import Settings
from console.tui.app import ConsoleApp
from server.api.client import Client, Deadlines

QUICK = Timings(retry_first_s=0.01, retry_last_s=0.05, snapshot_s=60.0, settle_s=60.0, stale_s=120.0, silence_s=240.0)
"""A lost link is made anew at once, and nothing is given up because a busy machine stood still for some seconds."""
PAUSE_S = 0.04
NAMED = ("enter", "tab", "escape", "ctrl+p", "ctrl+u")
"""Keys that are not letters of a text."""
WITHIN_S = 60.0


def app_on(endpoint: str, settings: Settings | None = None, *, timings: Timings = QUICK) -> ConsoleApp:
    """Return the app on a core, not yet running."""
    client = Client(endpoint, deadlines=Deadlines(connect_s=60.0), user="shifter@control")
    app = ConsoleApp(Session(client, timings=timings), settings)
    app._notifications = _Said()
    return app


class _Said(Notifications):
    """Keeps what was said: a machine may stand still for longer than a message is shown."""

    def _reap(self) -> Self:
        return self


def screen_of(app: App[Any]) -> list[str]:
    """Return the lines as a person sees them, with what shows through from below a dialog."""
    visible_screen_stack.set(app._background_screens)
    return ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]


def row_with(lines: list[str], *texts: str) -> str:
    """Return the first line that holds all texts."""
    return next(line for line in lines if all(text in line for text in texts))


def app_of(pilot: Pilot[Any]) -> ConsoleApp:
    """Return the app behind a pilot."""
    assert isinstance(pilot.app, ConsoleApp)
    return pilot.app


async def until(pilot: Pilot[Any], condition: Callable[[list[str]], bool], within_s: float = WITHIN_S) -> list[str]:
    """Return the screen once it meets the condition; AssertionError with the screen if it never does."""
    ends_at = time.monotonic() + within_s
    while time.monotonic() < ends_at:
        lines = screen_of(pilot.app)
        if pilot.app.screen.is_mounted and condition(lines):  # before that nothing has the focus that shall have it
            return lines
        await pilot.pause(PAUSE_S)
    raise AssertionError("the screen never showed it:\n" + "\n".join(screen_of(pilot.app)))


async def shows(pilot: Pilot[Any], *texts: str, within_s: float = WITHIN_S) -> list[str]:
    """Return the screen once it holds all the texts."""
    return await until(pilot, lambda lines: all(any(text in line for line in lines) for text in texts), within_s)


async def closed(pilot: Pilot[Any]) -> None:
    """Wait until nothing stands over the screen any more."""
    await until(pilot, lambda _: not isinstance(pilot.app.screen, ModalScreen))


async def arm(pilot: Pilot[Any]) -> None:
    """Arm the console as an operator does, once there is a live picture: on another nothing can be changed."""
    await until(pilot, lambda _: not app_of(pilot).session.refusal())
    await pilot.press("A")
    await shows(pilot, "Arm this console")
    await pilot.press("enter")
    await until(pilot, lambda lines: "ARMED" in lines[0])


@asynccontextmanager
async def silence(pilot: Pilot[Any], core: FakeCore) -> AsyncIterator[None]:
    """Let the core say nothing, and the picture grow old after a moment of that; at the end it is fresh again."""
    session = app_of(pilot).session
    usual = session.timings
    core.is_mute = True
    session.timings = replace(usual, stale_s=0.5)
    session._look_at_age()
    yield
    core.is_mute = False
    await until(pilot, lambda lines: "STALE" not in lines[0])
    session.timings = usual


async def types(pilot: Pilot[Any], text: str) -> None:
    """Type a text into what has the focus."""
    await pilot.press(*("space" if letter == " " else letter for letter in text))


def burst(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys faster than anything can be painted between them, as a slow link delivers them; a text is typed."""
    names = {" ": "space", ":": "colon", "-": "minus"}
    for key in keys:
        for letter in [key] if key in NAMED else key:
            pilot.app.post_message(Key(names.get(letter, letter), letter if len(letter) == 1 else None))


async def told(pilot: Pilot[Any], *texts: str, within_s: float = WITHIN_S) -> str:
    """Return the message in the corner that holds all the texts, once there is one."""
    ends_at = time.monotonic() + within_s
    app = pilot.app
    while time.monotonic() < ends_at:
        for one in app._notifications:
            if all(text in f"{one.title}: {one.message}" for text in texts):
                return f"{one.title}: {one.message}"
        await pilot.pause(PAUSE_S)
    raise AssertionError(f"nobody said {texts}, only {[f'{one.title}: {one.message}' for one in app._notifications]}")
