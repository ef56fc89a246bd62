"""Opens the screen on a recording, for the command line."""

from __future__ import annotations

import argparse
import asyncio

from console.execute import open_recording
from console.settings import Settings
from console.tui.app import ConsoleApp
from console.tui.run import prepare_environment


def run_replay(args: argparse.Namespace, settings: Settings, problem: str = "") -> int:
    """Play the recording that the arguments name and return the exit code when the screen is closed.

    Args:
        problem: what is wrong with the settings, to be shown.

    Raises:
        AliecsError: the recording cannot be played.
    """
    prepare_environment(settings)

    async def run() -> int:
        app = ConsoleApp(await open_recording(args, usual_speed=1.0), settings, problem=problem)
        return await app.run_async() or app.return_code or 0

    return asyncio.run(run())
