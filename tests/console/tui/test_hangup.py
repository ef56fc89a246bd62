"""A screen whose terminal goes away ends."""

from __future__ import annotations

import asyncio
import signal
import sys

from fake_core import FakeCore
from terminal_child import TerminalChild


async def test_a_console_ends_when_its_terminal_is_gone(core: FakeCore) -> None:
    environment = core.add(state="CONFIGURED")
    child = TerminalChild([sys.executable, "-P", "-m", "console", "--endpoint", core.endpoint, "tui"])
    async with child:
        await child.appears(environment.id.encode())
        child.hang_up()
        assert await asyncio.wait_for(child.process.wait(), 60) == -signal.SIGHUP
