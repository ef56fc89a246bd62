"""The ``:`` line: completes from what is known, remembers, stays open with a reason for what it cannot take."""

from __future__ import annotations

from fake_core import FakeCore
from screen import app_on, burst, screen_of, shows, told, types, until
from textual.pilot import Pilot

from console.tui.dialogs.reading import Reading
from console.tui.widgets.command_line import CommandLine

SIZE = (100, 30)


def line_of(pilot: Pilot[int]) -> str:
    return screen_of(pilot.app)[-1].rstrip()


async def says(pilot: Pilot[int], line: str) -> None:
    """Wait until that stands in the line."""
    await until(pilot, lambda lines: lines[-1].rstrip() == line)


async def opened(pilot: Pilot[int], text: str = "") -> None:
    await shows(pilot, "Selected  2ab1")
    await pilot.press("colon")
    await until(pilot, lambda _: isinstance(pilot.app.screen, CommandLine) and pilot.app.focused is not None)
    await types(pilot, text)


async def test_a_line_gives_an_order(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await opened(pilot, "env start")
        await says(pilot, ": env start")
        await pilot.press("enter")
        await shows(pilot, f"START_ACTIVITY of {one.id}", "This console observes")


async def test_it_completes_verbs_environments_and_tasks_with_the_reasons(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    two = core.add("other", state="RUNNING")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await opened(pilot, "env st")
        await shows(pilot, "start", "STOP_ACTIVITY needs RUNNING, the environment is CONFIGURED")
        await until(pilot, lambda lines: "start" in lines[-4] and "stop" in lines[-3])
        await pilot.press("tab", "tab")
        await says(pilot, ": env stop")
        await types(pilot, " ")
        lines = await shows(pilot, two.id, "@last")
        assert any(two.id in line and "● RUN" in line for line in lines)
        await types(pilot, two.id[:5])
        await pilot.press("tab")
        await says(pilot, f": env stop {two.id}")
        await pilot.press("escape")
        await until(pilot, lambda _: not isinstance(pilot.app.screen, CommandLine))


async def test_escape_gives_back_what_was_typed_before_it_closes(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await opened(pilot, "env ")
        await pilot.press("tab", "tab")
        await until(pilot, lambda _: line_of(pilot) not in (":", ": env"))
        await pilot.press("shift+tab", "shift+tab")
        await pilot.press("escape")
        await says(pilot, ": env")
        await pilot.press("escape")
        await until(pilot, lambda _: not isinstance(pilot.app.screen, CommandLine))


async def test_a_line_that_means_nothing_stays_with_the_reason(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await opened(pilot, "env strat")
        await pilot.press("enter")
        await shows(pilot, "env has no verb 'strat'", "did you mean env start")
        assert isinstance(pilot.app.screen, CommandLine)
        await pilot.press("ctrl+u")
        await types(pilot, "task show 'x")
        await pilot.press("enter")
        await shows(pilot, "no closing quotation")
        await pilot.press("ctrl+u", "enter")
        await until(pilot, lambda _: not isinstance(pilot.app.screen, CommandLine))


async def test_lines_of_the_session_come_back(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await opened(pilot, "task ls --state ERROR")
        await pilot.press("enter")
        await told(pilot, "no such tasks")
        await opened(pilot, "hosts")
        await pilot.press("enter")
        await shows(pilot, "ATTACHED")
        await pilot.press("escape")
        await opened(pilot)
        await pilot.press("up")
        await says(pilot, ": hosts")
        await pilot.press("up")
        await says(pilot, ": task ls --env 2ab1CDEFgh --state ERROR")
        await pilot.press("up", "down")
        await says(pilot, ": hosts")
        await pilot.press("down")
        await says(pilot, ":")


async def test_templates_are_fetched_when_one_is_asked_for(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await opened(pilot, "templ vars rea")
        await until(pilot, lambda lines: "readout-demo" in lines[-2])
        await pilot.press("tab")
        await says(pilot, ": templ vars readout-demo")
        await pilot.press("enter")
        await shows(pilot, "Rate", "5 9")
        assert isinstance(pilot.app.screen, Reading)
        assert core.calls.count("GetWorkflowTemplates") == 2


async def test_help_of_a_verb_is_shown_to_read(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await opened(pilot, "env destroy --help")
        await pilot.press("enter")
        await shows(pilot, "usage: env destroy", "--force")


async def test_themes_are_chosen_by_a_line(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, "theme li")
        await pilot.press("tab", "enter")
        await until(pilot, lambda _: app.theme == "light")
        await opened(pilot, "theme nosuch")
        await pilot.press("enter")
        await shows(pilot, "no theme 'nosuch'", "there are", "2 usage")


async def test_another_environment_is_chosen_and_the_console_left_by_a_line(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    two = core.add("other", state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, "use @last")
        await pilot.press("enter")
        await told(pilot, f"use: the screens are about {two.id}")
        await until(pilot, lambda lines: lines[4].startswith("▸") and two.id in lines[4])
        await pilot.press("colon")
        await types(pilot, "quit")
        await pilot.press("enter")
        await until(pilot, lambda _: app.return_code is not None)
    assert app.return_code == 0


async def test_what_is_typed_before_the_line_is_there_is_not_lost_and_moves_nothing_below(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        burst(pilot, ":env start --help", "enter")
        await shows(pilot, "usage: env start")
        assert app.shown_tab == "overview" and app.environment_id == one.id


async def test_tab_completes_what_was_typed_before_it_however_fast(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        burst(pilot, ":env destr", "tab", "--for")
        await until(pilot, lambda _: line_of(pilot) == ": env destroy --for")
