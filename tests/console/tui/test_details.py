"""Enter shows what a row of a list says in full, where it opens nothing else."""

from __future__ import annotations

from typing import Any

from fake_core import FakeCore
from screen import app_on, shows, told, until
from textual.pilot import Pilot

from console.tui.dialogs.reading import Reading
from console.tui.widgets.service_grid import ServiceGrid
from server.api.model import History, TransitionRecord
from server.api.model_events import EnvironmentEvent

LONG = " ".join(f"word{number}" for number in range(40)) + " " + "x" * 200


async def closed(pilot: Pilot[Any]) -> None:
    await pilot.press("escape")
    await until(pilot, lambda _: not isinstance(pilot.app.screen, Reading))


async def test_long_events_values_and_outcomes_can_be_read_to_their_ends(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    core.variables(one.id, defaults={"size": "1"}, vars={}, user_vars={"size": f"{LONG}end"})
    record = TransitionRecord(
        event="CONFIGURE", source="DEPLOYED", reached="ERROR", started_ms=1_000, ended_ms=4_000, error=f"{LONG}stop"
    )
    core.histories[one.id] = History(environment_id=one.id, transitions=(record,))
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, one.id)
        core.publish(EnvironmentEvent(at_ms=1, environment_id=one.id, error=f"{LONG}last"))
        await pilot.press("4")
        await until(pilot, lambda _: app.shown_tab == "events")
        await shows(pilot, "word1 word2")
        await pilot.press("enter")
        await shows(pilot, "Event", "word39", "xlast", "1970-01-01")
        await pilot.press("y")
        await told(pilot, "copied")
        await closed(pilot)
        await pilot.press("2")
        await until(pilot, lambda _: app.shown_tab == "environment")
        await pilot.press("v")
        await shows(pilot, "VARIABLE", "word1 word2")
        await pilot.press("enter")
        await shows(pilot, "size", "word39", "xend", "instead of")
        await closed(pilot)
        await pilot.press("i")
        await shows(pilot, "CONFIGURE  ")
        await pilot.press("enter")
        await shows(pilot, "Transition", "DEPLOYED", "3.0 s", "xstop")
        await closed(pilot)
        await pilot.press("8")
        await shows(pilot, "dcs")
        await pilot.press("tab")
        await until(pilot, lambda _: isinstance(app.focused, ServiceGrid))
        await pilot.press("enter")
        await shows(pilot, "READY", "dcs:1", "enabled")
