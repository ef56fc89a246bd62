"""Dialogs before an act: one per level, closed when what they were opened on changes, refused when nothing can be changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_core import FakeCore
from screen import QUICK, app_on, arm, burst, shows, silence, told, types, until
from textual.pilot import Pilot

from console.tui.app import ConsoleApp
from console.tui.dialogs.base import Press
from console.tui.dialogs.confirm import Confirm
from server.api.model import Environment, TransitionProgress, User

SIZE = (80, 24)


def running(core: FakeCore, **more: object) -> Environment:
    one = core.add(state="CONFIGURED", description="two hosts", user="shifter@control")
    core.show(replace(one, state="RUNNING", run_number=571204, run_type="PHYSICS", detectors=("ITS", "TPC"), **more))  # type: ignore[arg-type]
    return core.environments[one.id]


async def opened(pilot: Pilot[int], key: str, *texts: str) -> list[str]:
    """Press a key and return the screen with the dialog that it opens."""
    await pilot.press(key)
    lines = await shows(pilot, *texts)
    assert isinstance(pilot.app.screen, Confirm)
    return lines


def sent(core: FakeCore) -> list[str]:
    return [call for call in core.calls if call in ("ControlEnvironment", "DestroyEnvironment", "NewEnvironment")]


async def test_level_one_needs_one_enter(core: FakeCore) -> None:
    one = core.add(state="DEPLOYED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "DEP")
        await arm(pilot)
        lines = await opened(pilot, "c", f"CONFIGURE of {one.id}", "The core configures all 4 tasks")
        assert any(f"fake · {core.endpoint}" in line for line in lines)
        await pilot.press("enter")
        message = await told(pilot, "CONFIGURE of", "CONFIGURED", " s")
        assert message.startswith("env configure: ")
        await until(pilot, lambda lines: "CFG" in lines[3])
        assert sent(core) == ["ControlEnvironment"]


async def test_level_two_shows_what_it_is_about_and_enter_alone_cancels(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED", description="two hosts", user="hmp@elsewhere", run_type="PHYSICS")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        await opened(
            pilot, "s", f"START_ACTIVITY of {one.id}", "readout-demo  two hosts", "PHYSICS", "ITS", "flp001 flp002",
            "hmp@elsewhere  not you", "A new run begins",
        )  # fmt: skip
        await pilot.press("enter")
        await until(pilot, lambda lines: not isinstance(app.screen, Confirm) and not app.operator._under_way)
        assert sent(core) == []
        await opened(pilot, "s", "A new run begins")
        await pilot.press("right")
        await until(pilot, lambda _: isinstance(app.focused, Press) and app.focused.id == "choice-act")
        await pilot.press("enter")
        await told(pilot, "START_ACTIVITY of", "RUNNING", "run 101")
        assert sent(core) == ["ControlEnvironment"]


async def test_level_three_wants_the_last_digits_of_the_run(core: FakeCore) -> None:
    running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "571204")
        await arm(pilot)
        await opened(pilot, "s", "Run 571204 ends for good", "Type 204 or more of 571204.")
        await types(pilot, "571")
        await pilot.press("enter")
        await shows(pilot, "type 204 or more of 571204")
        assert sent(core) == []
        await pilot.press("ctrl+u")
        await types(pilot, "204")
        await pilot.press("enter")
        await told(pilot, "STOP_ACTIVITY of", "CONFIGURED")


@pytest.mark.parametrize("keys", [["enter"], ["escape"], ["tab", "enter"]])
async def test_level_three_is_left_by_enter_alone_by_escape_and_by_cancel(core: FakeCore, keys: list[str]) -> None:
    running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "571204")
        await arm(pilot)
        await opened(pilot, "s", "Type 204")
        await pilot.press(*keys)
        await until(pilot, lambda lines: not isinstance(app.screen, Confirm))
        await pilot.pause()
        assert sent(core) == []


async def test_level_four_wants_the_full_name_and_a_reason(core: FakeCore) -> None:
    one = running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "571204")
        await arm(pilot)
        lines = await opened(
            pilot, "d", f"Destroying {one.id}", "Run 571204 is stopped first", f"Type {one.id} in full"
        )
        assert any("Confirm" in line for line in lines) and any("Reason" in line for line in lines)
        assert any("[ Destroy ]" in line for line in lines), lines
        await types(pilot, one.id[:4])
        await pilot.press("enter")
        await shows(pilot, f"type {one.id}")
        await types(pilot, one.id[4:])
        await pilot.press("enter")
        await types(pilot, "short")
        await pilot.press("enter")
        lines = await shows(pilot, "give a reason of at least 10 characters")
        assert any("[ Destroy ]" in line for line in lines), "\n".join(lines)
        assert sent(core) == []
        await types(pilot, " but now long")
        await pilot.press("enter")
        await told(pilot, f"{one.id} is gone", "4 tasks ended")
        assert sent(core) == ["DestroyEnvironment"]
        await pilot.press("Y")
        words = f"env destroy {one.id} --allow-in-running-state --confirm {one.id} --reason 'short but now long'"
        await told(pilot, f"copied: aliecs --endpoint {core.endpoint} {words}")
        assert words in app.clipboard


async def test_name_and_reason_are_told_apart_however_fast_they_are_typed(core: FakeCore) -> None:
    one = running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "571204")
        await arm(pilot)
        await opened(pilot, "d", "in full")
        burst(pilot, one.id, "enter", "nothing works any more", "enter")
        await told(pilot, f"{one.id} is gone")
        assert "--reason 'nothing works any more'" in app.operator.last_line


async def test_a_dialog_closes_when_the_state_changes_under_it(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        await opened(pilot, "s", "A new run begins")
        core.show(replace(one, state="ERROR"))
        await told(pilot, "env start: closed", f"{one.id} went from CONFIGURED to ERROR; nothing was sent")
        assert sent(core) == []


@pytest.mark.parametrize("what", ["transition", "run", "gone"])
async def test_a_dialog_closes_when_a_transition_begins_the_run_changes_or_the_environment_goes(
    core: FakeCore, what: str
) -> None:
    one = running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "571204")
        await arm(pilot)
        await opened(pilot, "s", "ends for good")
        await types(pilot, "204")
        if what == "transition":
            core.show(replace(one, transition=TransitionProgress(event="STOP_ACTIVITY")))
            await told(pilot, f"STOP_ACTIVITY of {one.id} began")
        elif what == "run":
            core.show(replace(one, run_number=571205))
            await told(pilot, f"{one.id} is in run 571205, no longer 571204")
        else:
            core.drop(one.id)
            await told(pilot, f"{one.id} is gone")
        await until(pilot, lambda lines: not isinstance(app.screen, Confirm))
        assert sent(core) == []


async def test_a_dialog_stays_while_other_things_change(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    other = core.add("other", state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        await opened(pilot, "s", "A new run begins")
        core.show(replace(other, state="ERROR"))
        core.show(replace(one, last_user=User("somebody")))
        await until(pilot, lambda _: (app.session.store.environment(other.id) or other).state == "ERROR")
        await pilot.pause()
        assert isinstance(app.screen, Confirm)


async def test_a_dialog_closes_when_the_link_breaks_and_when_the_data_grow_old(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint, timings=replace(QUICK, heartbeat_s=0.1))
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        await opened(pilot, "s", "A new run begins")
        async with silence(pilot, core):
            await told(pilot, "env start: closed", "s old; nothing was sent")
        await opened(pilot, "s", "A new run begins")
        port = core.port
        await core.stop()
        await told(pilot, "env start: closed", "the link is lost")
        await core.start(port)


async def test_while_observing_a_dialog_offers_to_arm_first(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        lines = await opened(pilot, "s", "This console observes", "Arm (A)")
        assert not any("[ Start the run ]" in line for line in lines)
        await pilot.press("A")
        lines = await shows(pilot, "[ Start the run ]", "ARMED 15m")
        assert not any("observes" in line for line in lines)
        await pilot.press("tab", "enter")
        await told(pilot, "START_ACTIVITY of", "RUNNING")


async def test_a_dialog_falls_back_to_observing_when_the_arming_runs_out(core: FakeCore) -> None:
    running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "571204")
        await arm(pilot)
        await opened(pilot, "s", "Type 204")
        app.arming.disarm()
        lines = await shows(pilot, "This console observes", "OBSERVE")
        assert not any("Type 204" in line for line in lines)
        await told(pilot, "observing: no key for a while")
        assert sent(core) == []


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("theme", ["dark", "light", "mono"])
async def test_the_highest_level_fits_every_terminal_with_its_message(
    core: FakeCore, size: tuple[int, int], theme: str
) -> None:
    detectors = tuple(f"DE{number:02}" for number in range(20))
    one = running(core, user_vars={"hosts": str([f"flp{number:03}" for number in range(40)]).replace("'", '"')})
    core.show(replace(one, detectors=detectors))
    app: ConsoleApp = app_on(core.endpoint)
    async with app.run_test(size=size) as pilot:
        app.show_theme(theme)
        await shows(pilot, "571204")
        await arm(pilot)
        await opened(pilot, "d", "in full")
        await types(pilot, "nonsense")
        await pilot.press("enter")
        lines = await shows(pilot, f"type {one.id}")
        assert any("[ Cancel ]" in line and "[ Destroy ]" in line for line in lines), "\n".join(lines)
        assert any(f"fake · {core.endpoint}" in line for line in lines)
