"""``n`` and ``N`` go through what ``/`` found, in every list and text; ``[`` and ``]`` through what went wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fake_core import FakeCore
from screen import app_on, shows, told, types, until
from textual.pilot import Pilot

from console.tui.dialogs.reading import Reading
from console.tui.widgets.event_log import EventLog
from console.tui.widgets.grid import Grid
from console.tui.widgets.pager import Pager
from console.tui.widgets.role_tree import RoleGrid
from server.api.model_events import TaskEvent

SIZE = (100, 30)


async def sought(pilot: Pilot[Any], text: str) -> None:
    """Look for a text in the focused list and keep the filter."""
    await pilot.press("slash")
    await types(pilot, text)
    await pilot.press("enter")
    await until(pilot, lambda lines: f"/{text}:" in lines[-1])


async def test_n_shows_all_rows_again_and_goes_from_match_to_match(core: FakeCore) -> None:
    found = [core.add(name, state=state) for name, state in
             (("a", "CONFIGURED"), ("b", "ERROR"), ("c", "CONFIGURED"), ("d", "ERROR"))]  # fmt: skip
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await shows(pilot, found[3].id)
        grid = app.screen.query_one("#environments", Grid)
        await sought(pilot, "template=d")
        await until(pilot, lambda lines: " esc show all  n next " in lines[-1])
        assert grid.row_count() == 1
        await pilot.press("n")
        await until(pilot, lambda _: grid.row_count() == 4 and grid.selected == found[3].id)
        await told(pilot, "no match of /template=d below")
        await pilot.press("escape")
        await until(pilot, lambda lines: " n next" not in lines[-1])
        await sought(pilot, "state=err")
        await pilot.press("g", "n")
        order = [grid.row_id(at) for at in range(4)]
        bad = [row for row in order if row in (found[1].id, found[3].id)]
        await until(pilot, lambda _: grid.selected == bad[1])
        await pilot.press("N")
        await until(pilot, lambda _: grid.selected == bad[0])


async def test_a_match_in_a_folded_branch_of_the_roles_is_unfolded(core: FakeCore) -> None:
    core.hosts = 20
    core.add(state="RUNNING")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "● RUN")
        await pilot.press("2")
        await shows(pilot, "folded healthy")
        roles = app.screen.query_one(RoleGrid)
        roles.focus()
        await until(pilot, lambda _: app.focused is roles)
        await sought(pilot, "host=flp017")
        count = roles.row_count()
        await pilot.press("g", "n")
        await until(pilot, lambda _: roles.row_count() > count and not roles.filter_text)
        first = roles.selected_role
        assert first is not None and first.task_id and roles.row_index(roles.selected) is not None
        await pilot.press("n")
        await until(pilot, lambda _: roles.selected_role is not first)
        second = roles.selected_role
        assert second is not None and second.parent_order == first.parent_order
        await pilot.press("N")
        await until(pilot, lambda _: roles.selected_role == first)


async def test_events_are_gone_through_from_error_to_error_and_no_longer_follow(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await shows(pilot, "CFG")
        await pilot.press("4")
        await until(pilot, lambda _: app.shown_tab == "events")
        log = app.screen.query_one(EventLog)
        for state in ("ERROR", "CONFIGURED", "ERROR", "CONFIGURED"):
            core.publish(
                TaskEvent(at_ms=1, environment_id=one.id, task_id="t1", name="readout", host="flp001", state=state)
            )
        await until(pilot, lambda _: log.row_count() >= 4)
        await pilot.press("left_square_bracket")
        await until(pilot, lambda _: "ERROR" in log.copied_text() and not log.is_following)
        last = log.selected
        await pilot.press("left_square_bracket")
        await until(pilot, lambda _: "ERROR" in log.copied_text() and int(log.selected) < int(last))
        await pilot.press("left_square_bracket")
        await told(pilot, "no error above")
        await pilot.press("right_square_bracket")
        await until(pilot, lambda _: log.selected == last)


async def test_lines_of_a_text_are_gone_through_with_all_of_it_in_sight(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await shows(pilot, "CFG")
        await pilot.press("question_mark")
        await until(pilot, lambda _: isinstance(app.screen, Reading))
        await pilot.press("n")
        pager = app.screen.query_one(Pager)
        await until(pilot, lambda _: pager.matches > 0)
        everything = pager.matches
        await pilot.press("slash")
        await types(pilot, "theme")
        await pilot.press("enter")
        await until(pilot, lambda _: 0 < pager.matches < everything)
        await pilot.press("n")
        await until(pilot, lambda _: pager.matches == everything)
        assert any("theme" in line for line in await shows(pilot, "theme"))
        for _ in range(9):
            await pilot.press("n")
        await told(pilot, "no match below")
        await pilot.press("escape")
        await until(pilot, lambda _: not isinstance(app.screen, Reading))


async def test_a_filter_that_is_taken_off_leaves_nothing_to_go_through(core: FakeCore) -> None:
    core.show(replace(core.add("a", state="CONFIGURED"), description="x"))
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        grid = app.screen.query_one("#environments", Grid)
        await sought(pilot, "cfg")
        assert grid.filter_text == "cfg"
        await pilot.press("escape", "n")
        await until(pilot, lambda _: (grid.filter_text, grid.sought) == ("", ""))
