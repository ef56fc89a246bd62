"""The ``/`` line: rows of the focused list are left out while it is typed, and come back."""

from __future__ import annotations

from fake_core import FakeCore
from screen import app_on, shows, types, until

from console.tui.widgets.filter_line import FilterLine

SIZE = (100, 30)


async def test_rows_are_filtered_while_typing_and_enter_keeps_that(core: FakeCore) -> None:
    core.add("first", state="CONFIGURED")
    two = core.add("second", state="ERROR")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, two.id)
        await pilot.press("slash")
        await types(pilot, "state=err")
        lines = await until(
            pilot,
            lambda lines: two.id in lines[3] and lines[-1].startswith("/ state=err ") and lines[-1].endswith("1 row "),
        )
        assert not lines[4].strip()
        await until(pilot, lambda _: app.environment_id == two.id)
        await pilot.press("enter")
        lines = await until(pilot, lambda lines: "/state=err: 1 row " in lines[-1])
        assert two.id in lines[3] and not isinstance(app.screen, FilterLine)
        core.add("third", state="ERROR")
        await shows(pilot, "/state=err: 2 rows")
        await pilot.press("escape")
        await until(pilot, lambda lines: all("2ab" in line for line in lines[3:6]))
        await until(pilot, lambda lines: "/state" not in lines[-1])


async def test_escape_shows_all_rows_again(core: FakeCore) -> None:
    core.add("first", state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await pilot.press("slash")
        await types(pilot, "nothing")
        await shows(pilot, "no row matches /nothing", "0 rows")
        await pilot.press("escape")
        await until(pilot, lambda lines: "CFG" in lines[3])


async def test_the_focused_list_is_filtered(core: FakeCore) -> None:
    core.add("first", state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await pilot.press("3")
        await shows(pilot, "flp002")
        await pilot.press("slash")
        await types(pilot, "!host=flp001 sink")
        await until(pilot, lambda lines: sum("flp00" in line for line in lines[2:-1]) == 1)
        await pilot.press("enter", "1")
        await until(pilot, lambda lines: "CFG" in lines[3])
        await pilot.press("3")
        await until(pilot, lambda lines: "/!host=flp001 sink: 1 row" in lines[-1])
