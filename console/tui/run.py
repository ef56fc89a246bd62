"""Opens the screen on a core, for the command line."""

from __future__ import annotations

import asyncio
import gc
import os

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

    async def run() -> int:
        client = Client(settings.endpoint, deadlines=deadlines_of(settings), read_only=settings.read_only)
        app = ConsoleApp(Session(client, timings=timings_of(settings)), settings, problem=problem)
        return await app.run_async() or app.return_code or 0

    return asyncio.run(run())


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
