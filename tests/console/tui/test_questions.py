"""What the operator asks to know is shown to be read, filtered and copied."""

from __future__ import annotations

import pytest
from fake_core import FakeCore
from screen import app_of, app_on, closed, shows, told, types, until

from console.tui.dialogs.reading import Reading
from server.api.states import EnvironmentEvent

SIZE = (100, 30)


async def test_the_result_of_a_question_is_scrolled_filtered_and_copied(core: FakeCore) -> None:
    core.hosts = 30
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "Selected  2ab1")
        app.operator.submit(["task", "ls"])
        await shows(pilot, "─ task ls", "TASK ID", "flp001", f"fake · {core.endpoint}")
        assert isinstance(app.screen, Reading)
        await pilot.press("G")
        await shows(pilot, "flp030")
        await pilot.press("slash")
        await types(pilot, "flp017 sink")
        lines = await until(pilot, lambda lines: sum("sink" in line for line in lines) == 2)
        assert any("task10171" in line for line in lines)
        await pilot.press("enter", "y")
        await told(pilot, "copied: 2 lines")
        assert "task10171" in app.clipboard and "flp030" not in app.clipboard
        await pilot.press("escape")
        await shows(pilot, "flp001")
        await pilot.press("escape")
        await closed(pilot)


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["env", "show", "-t"], ("state:", "CONFIGURED", "TASK ID")),
        (["env", "show", "-o", "json"], ('"id": "2ab1CDEFgh"',)),
        (["role", "tree"], ("└─", "sink")),
        (["repo", "ls"], ("global default revision", "github.com/c/d")),
        (["services"], ("DCS", "READY")),
        (["env", "start", "--help"], ("usage: env start", "options of every verb")),
        (["env"], ("env start", "start a run")),
        (["whoami"], ("shifter@control", "no, observing")),
        (["explain", "9"], ("it was not confirmed",)),
    ],
)
async def test_what_a_question_returns_is_shown_to_read(
    core: FakeCore, words: list[str], texts: tuple[str, ...]
) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=(120, 60)) as pilot:
        await shows(pilot, "Selected  2ab1")
        app_of(pilot).operator.submit(words)
        await shows(pilot, *texts)
        assert isinstance(pilot.app.screen, Reading)


async def test_a_question_without_an_answer_says_so(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        app_of(pilot).operator.submit(["task", "ls", "--state", "ERROR"])
        await told(pilot, "task ls: no such tasks")
        app_of(pilot).operator.submit(["task", "show", "nosuch"])
        await shows(pilot, "task not found", "5 not found")


async def test_watching_opens_the_events(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        app.operator.submit(["env", "watch", one.id])
        await until(pilot, lambda _: app.shown_tab == "events" and app.environment_id == one.id)


async def test_waiting_ends_with_a_word(core: FakeCore) -> None:
    one = core.add(state="DEPLOYED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        app_of(pilot).operator.submit(["env", "wait", "-s", "CONFIGURED"])
        await pilot.pause()
        await core.move(one.id, EnvironmentEvent.CONFIGURE, "somebody")
        await told(pilot, f"env wait: {one.id} is CONFIGURED")


async def test_ids_are_copied_of_what_is_selected(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await pilot.press("Y")
        await told(pilot, "nothing to copy yet")
        await pilot.press("y")
        await told(pilot, f"copied: {one.id}")
        assert app.clipboard == one.id
        await pilot.press("3")
        await shows(pilot, "flp002")
        await pilot.press("y")
        await until(pilot, lambda _: app.clipboard.startswith("task1"))
