"""A console only observes until it is armed, and is armed for a while only."""

from __future__ import annotations

from fake_core import FakeCore
from screen import QUICK, app_of, app_on, arm, closed, screen_of, shows, told, until

from console.session import Session
from console.settings import Settings
from console.tui.app import ConsoleApp
from server.api.client import Client, Deadlines

SIZE = (100, 30)


async def test_the_console_observes_until_it_is_armed_and_again_when_told(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG", "OBSERVE")
        await pilot.press("A")
        await shows(pilot, "Arm this console", "after 15 min without a key", f"fake · {core.endpoint}")
        await pilot.press("escape")
        await closed(pilot)
        assert "OBSERVE" in screen_of(pilot.app)[0]
        await arm(pilot)
        await until(pilot, lambda lines: "ARMED 15m" in lines[0])
        await pilot.press("A")
        await told(pilot, "observing: changes are not possible any more")
        await until(pilot, lambda lines: "OBSERVE" in lines[0])


async def test_arming_runs_out_without_a_key_and_every_key_starts_it_anew(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    now = [0.0]
    app.arming._clock = lambda: now[0]
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        now[0] = 800
        await pilot.press("j")
        await until(pilot, lambda _: app.arming.remaining_s == 900)
        now[0] = 1600
        await until(pilot, lambda lines: "ARMED 2m" in lines[0])
        now[0] = 1655
        await until(pilot, lambda lines: "ARMED 45s" in lines[0])
        now[0] = 1701
        await told(pilot, "observing: no key for a while")
        await until(pilot, lambda lines: "OBSERVE" in lines[0])


async def test_arm_and_disarm_are_verbs_too(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        app_of(pilot).operator.submit(["arm", "5m"])
        await until(pilot, lambda lines: "ARMED 5m" in lines[0])
        app_of(pilot).operator.submit(["disarm"])
        await until(pilot, lambda lines: "OBSERVE" in lines[0])
        app_of(pilot).operator.submit(["arm", "soon"])
        await shows(pilot, "'soon' is no duration", "2 usage")


async def test_a_console_that_only_reads_cannot_be_armed(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    client = Client(core.endpoint, deadlines=Deadlines(connect_s=60.0), read_only=True)
    app = ConsoleApp(Session(client, timings=QUICK), Settings())
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await pilot.press("A")
        await told(pilot, "cannot be armed: this console only reads")
        await pilot.press("s")
        await told(pilot, "env start: not possible now: this console only reads")


async def test_leaving_while_armed_asks_once(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        await pilot.press("q")
        await shows(pilot, "This console is armed.")
        await pilot.press("enter")
        await until(pilot, lambda _: app.return_code is not None)
    assert app.return_code == 0
