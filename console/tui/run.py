"""Opens the screen on a core, for the command line."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable

from console.execute import deadlines_of, timings_of
from console.session import Session
from console.settings import Settings
from console.tui import terminal_keys
from console.tui.app import ConsoleApp
from console.tui.hangup import end_with_terminal
from server.api.client import Client


def run_screen(settings: Settings, problem: str = "") -> int:
    """Open the screen and return the exit code when it is closed. It starts without a core too, and waits for one.

    Args:
        problem: what is wrong with the settings, to be shown.
    """
    prepare_environment(settings)

    def live() -> ConsoleApp:
        client = Client(settings.endpoint, deadlines=deadlines_of(settings), read_only=settings.read_only)
        return ConsoleApp(Session(client, timings=timings_of(settings)), settings, problem=problem)

    return asyncio.run(in_turn(live, settings, comes_back=True))


async def in_turn(first: Callable[[], ConsoleApp], settings: Settings, *, comes_back: bool = False) -> int:
    """Run screens one after the other: a recording that is asked for, and what stood there before; return the exit code.

    Args:
        first: makes a screen, on the loop that it runs on.
        comes_back: a recording gives its place back to such a screen; else it ends with the recording.
    """
    app, environment_id = first(), ""
    while True:
        code = await app.run_async() or app.return_code or 0
        if app.farewell:
            sys.stderr.write(f"{app.farewell}\n")
        was_live = app.session.replay is None
        if code or (app.recording is None and (was_live or not comes_back)):
            return code
        environment_id = app.environment_id if was_live else environment_id
        if app.recording is not None:
            from console.tui.replay import ReplayApp  # it needs this module

            app = ReplayApp(app.recording, settings)
        else:
            app = first()
            app.focus_environment(environment_id)


def prepare_environment(settings: Settings) -> None:
    """Make the process ready for a screen that stays open for days; nothing that a shell exports decides how it looks."""
    gc.enable()  # off since front.py
    end_with_terminal()
    terminal_keys.teach()
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)  # they would fix the size: the terminal itself knows it
    os.environ.pop("NO_COLOR", None)  # textual would make greys of all themes: settings.py has decided already
    if settings.is_colourless:
        os.environ["NO_COLOR"] = "1"
