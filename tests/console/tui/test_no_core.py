"""A screen without a core says so in words, at every place that waits for it."""

from __future__ import annotations

import pytest
from fake_core import FakeCore
from screen import QUICK, shows, until

from console.session import Session
from console.tui.app import ConsoleApp
from server.api.client import Client, Deadlines


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_where_no_core_ever_was_the_reason_is_shown_and_no_age(core: FakeCore, size: tuple[int, int]) -> None:
    await core.stop()
    client = Client(core.endpoint, deadlines=Deadlines(connect_s=0.2), user="shifter@control")
    app = ConsoleApp(Session(client, timings=QUICK))
    async with app.run_test(size=size) as pilot:
        why = f"no core at {core.endpoint}: it refuses connections"
        lines = await shows(pilot, why)
        assert "✖ NO CORE  OBSERVE" in lines[0] and ":" not in lines[0].partition("OBSERVE")[0]
        for key in "38":
            await pilot.press(key)
            await until(pilot, lambda lines: any(why in line for line in lines[2:]))


async def test_the_environment_that_a_screen_is_about_is_kept_until_there_is_a_core_to_list_it(core: FakeCore) -> None:
    core.add("first", state="CONFIGURED")
    two = core.add("second", state="CONFIGURED")
    await core.stop()
    app = ConsoleApp(Session(Client(core.endpoint, deadlines=Deadlines(connect_s=0.2)), timings=QUICK))
    app.focus_environment(two.id)
    async with app.run_test(size=(100, 30)) as pilot:
        await shows(pilot, "it refuses connections")
        await core.start(core.port)
        await shows(pilot, f"Selected  {two.id}")
        assert app.environment_id == two.id
