"""The palette: everything that can be done, found by a few letters; what is impossible is greyed and says why."""

from __future__ import annotations

from dataclasses import replace

from fake_core import FakeCore
from screen import app_on, arm, burst, closed, screen_of, shows, told, types, until

from console.tui.dialogs.base import Question
from console.tui.dialogs.confirm import Confirm
from console.tui.dialogs.reading import Reading
from console.tui.palette import EntryList, Palette
from console.tui.widgets.command_line import CommandLine

SIZE = (120, 40)


def rows(lines: list[str]) -> list[str]:
    """Return the entries that are shown, without the frame; an empty one where there are none."""
    inside = [line.partition("│")[2].rpartition("│")[0] for line in lines if "│" in line]
    return [line.strip() for line in inside[2:-2]] or [""]


async def test_it_offers_the_verbs_of_the_selected_environment_first_and_greys_the_rest_with_the_reason(
    core: FakeCore,
) -> None:
    core.add(state="RUNNING")
    two = core.add("other", state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, two.id)
        await pilot.press("j")
        await until(pilot, lambda _: app.environment_id == two.id)
        await pilot.press("ctrl+p")
        found = rows(await shows(pilot, "What can be done", f"fake · {core.endpoint}"))
        assert found[0].startswith(f"▸ env show {two.id}") and f"env start {two.id}" in found[1]
        assert not any("needs" in line for line in found)
        await types(pilot, "stop")
        found = rows(await shows(pilot, "STOP_ACTIVITY needs RUNNING, the environment is CONFIGURED"))
        assert found[0].startswith(f"▸ env stop {two.id}")
        await pilot.press("enter")
        await told(pilot, f"env stop {two.id}: not possible now", "needs RUNNING")
        assert isinstance(app.screen, Palette)
        await pilot.press("escape")
        await until(pilot, lambda _: not isinstance(app.screen, Palette))


async def test_a_few_letters_find_a_verb_and_enter_gives_it(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        await arm(pilot)
        await pilot.press("ctrl+p")
        await types(pilot, "env star")
        await until(pilot, lambda lines: rows(lines)[0].startswith(f"▸ env start {one.id}"))
        await pilot.press("enter")
        await shows(pilot, "A new run begins")
        assert isinstance(app.screen, Confirm)


async def test_what_was_given_before_comes_first(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        app.operator.submit(["task", "ls", "--state", "ERROR"])
        await told(pilot, "no such tasks")
        app.operator.submit(["hosts"])
        await shows(pilot, "ATTACHED")
        await pilot.press("escape")
        await closed(pilot)
        await pilot.press("ctrl+p")
        found = rows(await shows(pilot, "What can be done"))
        assert found[0].startswith("▸ hosts") and found[1].startswith("task ls --env 2ab1CDEFgh --state ERROR"), found
        await pilot.press("enter")
        await until(pilot, lambda _: isinstance(app.screen, Reading))


async def test_destroying_by_force_is_only_in_the_palette_and_asks_for_everything(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        await arm(pilot)
        await pilot.press("ctrl+p")
        await types(pilot, "force")
        await until(pilot, lambda lines: rows(lines)[0].startswith(f"▸ env destroy {one.id} --force"))
        await pilot.press("enter")
        await shows(pilot, "KILL: nothing is stopped or reset", "[ Kill ]", f"Type {one.id} in full", "Reason")


async def test_a_dry_run_says_what_would_be_asked_and_sends_nothing(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        await pilot.press("ctrl+p")
        await types(pilot, "env start")
        await until(pilot, lambda lines: rows(lines)[0].startswith("▸ env start"))
        await pilot.press("alt+enter")
        await shows(
            pilot, "Dry run: nothing is sent", f"START_ACTIVITY of {one.id}", "ControlEnvironment(START_ACTIVITY)",
            "a confirmation  (level 2)", "observing: arm first", "A new run begins",
        )  # fmt: skip
        assert isinstance(app.screen, Question)
        await pilot.press("enter")
        await until(pilot, lambda _: isinstance(app.screen, Palette))
        assert "ControlEnvironment" not in core.calls


async def test_environments_tasks_screens_templates_and_themes_are_found_too(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    two = core.add("other", state="RUNNING")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        await pilot.press("ctrl+p")
        await types(pilot, "environment 2ab2")
        await until(pilot, lambda lines: rows(lines)[0].startswith(f"▸ environment {two.id}"))
        await pilot.press("enter")
        await until(pilot, lambda _: app.shown_tab == "environment" and app.environment_id == two.id)
        await pilot.press("ctrl+p")
        await types(pilot, "screen tasks")
        await until(pilot, lambda lines: rows(lines)[0].startswith("▸ screen Tasks"))
        await pilot.press("enter")
        await until(pilot, lambda _: app.shown_tab == "tasks")
        await pilot.press("ctrl+p")
        await types(pilot, "sink flp002 task2")
        await until(pilot, lambda lines: rows(lines)[0].startswith("▸ task sink flp002 task20021"))
        await pilot.press("enter")
        await shows(pilot, "task show task20021", "aliecs-sink --verbose")
        await pilot.press("escape")
        await closed(pilot)
        await pilot.press("ctrl+p")
        await types(pilot, "theme light")
        await until(pilot, lambda lines: rows(lines)[0].startswith("▸ theme light"))
        await pilot.press("enter")
        await until(pilot, lambda _: app.theme == "light")
        await pilot.press("ctrl+p")
        await types(pilot, "template readout")
        await until(pilot, lambda lines: rows(lines)[0].startswith("▸ template readout-demo@main"))
        await pilot.press("enter")
        lines = await shows(pilot, "env create -w github.com/a/b/workflows/readout-demo@main")
        assert isinstance(app.screen, CommandLine), lines


async def test_a_verb_that_needs_more_words_goes_on_in_the_line(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        await pilot.press("ctrl+p")
        await types(pilot, "task show")
        await until(pilot, lambda lines: rows(lines)[0].startswith("▸ task show"))
        await pilot.press("enter")
        await shows(pilot, ": task show", "task10010")
        await types(pilot, "task10020")
        await pilot.press("enter")
        await shows(pilot, "aliecs-sink --verbose")


async def test_what_is_possible_changes_while_it_is_open(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        await pilot.press("ctrl+p")
        await types(pilot, "env stop")
        await shows(pilot, "STOP_ACTIVITY needs RUNNING")
        core.show(replace(one, state="RUNNING", run_number=7))
        await until(pilot, lambda lines: not any("needs RUNNING" in line for line in lines))
        await core.stop()
        await shows(pilot, "the link is lost")


async def test_a_line_of_the_palette_is_copied_as_a_command_line(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        await pilot.press("ctrl+p")
        await types(pilot, "env start")
        await until(pilot, lambda lines: rows(lines)[0].startswith("▸ env start"))
        await pilot.press("ctrl+y")
        await until(pilot, lambda _: app.clipboard == f"aliecs --endpoint {core.endpoint} env start {one.id}")


async def test_it_scrolls_and_fits_the_smallest_terminal(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "Selected  2ab1")
        await pilot.press("ctrl+p")
        await shows(pilot, "What can be done", "alt+enter dry run", "esc leave")
        for _ in range(8):
            await pilot.press("pagedown")
        lines = await until(pilot, lambda lines: any("▸ task clean" in line for line in lines))
        assert all(len(line) == 80 for line in lines)
        await pilot.press("up")
        chosen = app.screen.query_one(EntryList).entry
        assert chosen is not None and f"▸ {chosen.title}" in "\n".join(screen_of(app))
        await types(pilot, "xyzzy")
        await shows(pilot, "nothing fits")
        await pilot.press("enter", "alt+enter", "ctrl+y")
        assert isinstance(app.screen, Palette)


async def test_enter_takes_what_was_typed_before_it_however_fast(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        burst(pilot, "ctrl+p", "screen tasks", "enter")
        await until(pilot, lambda _: app.shown_tab == "tasks" and not isinstance(app.screen, Palette))
        await pilot.press("ctrl+p")
        await until(pilot, lambda lines: "▸" in rows(lines)[0])
        burst(pilot, "screen events", "enter")
        await until(pilot, lambda _: app.shown_tab == "events")
