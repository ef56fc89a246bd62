"""The help says what keys and verbs there are, and why a verb is not possible now."""

from __future__ import annotations

from fake_core import FakeCore
from screen import app_on, screen_of, shows, types, until

from console.command import SCREEN
from console.commands import commands_of
from console.tui.dialogs.reading import Reading
from console.tui.widgets.pager import Pager


async def test_the_help_shows_keys_verbs_and_reasons_and_is_filtered(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 30)) as pilot:
        await shows(pilot, "Selected  2ab1")
        await pilot.press("question_mark")
        await shows(pilot, "Keys and verbs", "Lists", "page down", "pgdn, ^d")
        text = app.screen.query_one(Pager).text()
        assert "Verbs, for 2ab1CDEFgh" in text and "Everywhere" in text and "^p" in text
        assert [one.name for one in commands_of(SCREEN) if f"  {one.name} " not in text] == []
        await pilot.press("slash")
        await types(pilot, "stop")
        lines = await shows(pilot, "env stop", "STOP_ACTIVITY needs RUNNING, the environment is CONFIGURED")
        assert not any("page down" in line for line in lines)
        await pilot.press("escape")
        await shows(pilot, "page down")
        await pilot.press("q")
        await until(pilot, lambda _: not isinstance(app.screen, Reading))


async def test_it_is_read_to_its_end_on_the_smallest_terminal(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "CFG")
        await pilot.press("question_mark")
        await shows(pilot, "Keys and verbs")
        await pilot.press("G")
        await shows(pilot, "leave; the core goes on")
        await pilot.press("g")
        await shows(pilot, "Lists")
        assert all(len(line) == 80 for line in screen_of(app))
