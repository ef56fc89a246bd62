"""The screen on a core that has AliECS's own surface only."""

from __future__ import annotations

from dataclasses import replace

from fake_core import FakeCore
from screen import app_on, shows, until
from stock_core import StockCore


async def test_it_works_by_polling_and_says_that_it_is_advisory(core: FakeCore) -> None:
    first = core.add("first", state="CONFIGURED")
    second = core.add("second", state="CONFIGURED")
    async with StockCore(core.endpoint) as stock:
        app = app_on(stock.endpoint)
        async with app.run_test(size=(120, 40)) as pilot:
            lines = await shows(pilot, first.id, second.id, "ADVISORY")
            assert "ADVISORY" in lines[0]
            await pilot.press("j")
            await until(pilot, lambda _: app.environment_id == second.id)
            core.environments[second.id] = replace(second, state="RUNNING", run_number=571204)
            await shows(pilot, "571204")
            await pilot.press("2")
            await shows(pilot, "flp001", "flp002", "RUNNING")
            await pilot.press("8")
            await shows(pilot, "states are seen by polling", "flp001")
            await pilot.press("enter")
            await shows(pilot, "Host show: failed", "gives experts no access", "hosts, task ls and task show tell")
            await pilot.press("escape")
            await stock.cut()
            await until(pilot, lambda lines: "LINK LOST" in lines[0])
            await stock.start()
            await until(pilot, lambda lines: "ADVISORY" in lines[0] and "LOST" not in lines[0])
            assert app.environment_id == second.id
