"""The screen in a real terminal on a real core."""

from __future__ import annotations

import sys
from pathlib import Path

from facility import Facility
from terminal import Terminal


def console_on(facility: Facility) -> list[str]:
    return [str(Path(sys.executable).parent / "aliecs"), "--endpoint", f"127.0.0.1:{facility.port}"]


async def test_the_screen_opens_in_a_terminal_follows_a_run_and_closes(facility: Facility, tmp_path: Path) -> None:
    async with Terminal(tmp_path, console_on(facility), environment={"XDG_CONFIG_HOME": str(tmp_path)}) as terminal:
        await terminal.shows("no environments")
        created = await facility.create("flow", ["flp001"])
        await terminal.shows(created.id, "CFG")
        await facility.ask(created.id, "START_ACTIVITY")
        await terminal.shows("RUN ")
        await terminal.resize(60, 15)
        await terminal.shows("terminal too small", "60x15")
        await terminal.resize(80, 24)
        await terminal.shows(created.id)
        await terminal.press("q")
        assert await terminal.ended() == 0
