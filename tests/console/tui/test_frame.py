"""The screens' frame on a real session with a core: header, tabs, lists, keys, themes, sizes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_core import FakeCore
from screen import app_on, row_with, screen_of, shows, until

from console.settings import Settings
from console.tui.painting import fit

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
async def test_the_overview_shows_environments_and_fills_the_terminal(core: FakeCore, size: tuple[int, int]) -> None:
    one = core.add(state="RUNNING", description="two hosts")
    core.show(replace(one, state="RUNNING", run_number=571204, run_type="PHYSICS", tasks_ok=4, flps=162))
    app = app_on(core.endpoint)
    async with app.run_test(size=size) as pilot:
        lines = await shows(pilot, "571204")
        assert len(lines) == size[1] and all(len(line) == size[0] for line in lines)
        row = row_with(lines, "571204")
        assert row.startswith("▸● RUN") and one.id in row and "PHYSICS" in row and "ITS" in row
        assert (" 162 " in row) is (size[0] > 100)
        assert "help" in lines[-1] and "Overview" in lines[1] and "OBSERVE" in lines[0]


@pytest.mark.parametrize("size", SIZES)
async def test_no_heading_is_cut(core: FakeCore, size: tuple[int, int]) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=size) as pilot:
        await shows(pilot, "CFG")
        for key in "12348":
            await pilot.press(key)
            await pilot.pause()
            assert not any("…" in line for line in screen_of(app)[:3]), screen_of(app)[:3]


async def test_a_change_of_the_core_is_painted(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda lines: "CFG" in lines[3])
        core.show(replace(one, state="RUNNING", run_number=1234, tasks_ok=4, bytes_per_s=2.5e7))
        await until(pilot, lambda lines: "RUN" in lines[3] and "1234" in lines[3])
        await shows(pilot, "25.0 MB/s")


async def test_keys_move_the_selection_and_it_stays_while_rows_come_and_go(core: FakeCore) -> None:
    first = core.add("first", state="CONFIGURED")
    second = core.add("second", state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda lines: second.id in lines[4])
        await pilot.press("j")
        await until(pilot, lambda lines: lines[4].startswith("▸") and any(f"{second.id}  second" in it for it in lines))
        core.drop(first.id)
        await until(pilot, lambda lines: lines[3].startswith("▸") and second.id in lines[3])
        assert app.environment_id == second.id
        core.fault(second.id, "flp001", "CONFIGURED")
        core.drop(second.id)
        lines = await shows(pilot, "no environments", f"{second.id} is gone")
        assert any("critical task sink ended with exit code 3" in line for line in lines)


async def test_a_lost_link_is_told_and_what_is_shown_stays_selected(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    second = core.add("second", state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda lines: "CFG" in lines[3])
        await pilot.press("j")
        port = core.port
        await core.stop()
        lines = await until(pilot, lambda lines: "LINK LOST" in lines[0])
        assert "CFG" in lines[3]
        await core.start(port)
        await until(pilot, lambda lines: "●" in lines[0] and lines[4].startswith("▸"))
        assert app.environment_id == second.id


async def test_the_screen_starts_without_a_core_and_q_closes_it(core: FakeCore) -> None:
    await core.stop()
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "waiting for the core")
        await pilot.press("q")
        await until(pilot, lambda _: app.return_code is not None)
    assert app.return_code == 0


async def test_ten_thousand_tasks_are_scrolled_without_a_widget_each(core: FakeCore) -> None:
    core.hosts, core.tasks_per_host = 5000, 2
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "CFG")
        await pilot.press("3")
        await shows(pilot, "flp001")
        await pilot.press("G")
        await until(pilot, lambda lines: any(line.startswith("▸") and "flp999" in line for line in lines))
        assert len(list(app.screen.query("*"))) < 30


async def test_a_terminal_that_is_too_small_says_so_and_works_again_when_enlarged(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "CFG")
        await pilot.resize_terminal(60, 20)
        lines = await shows(pilot, "terminal too small", "60x20", "80x24")
        assert not any("CFG" in line for line in lines)
        await pilot.resize_terminal(80, 24)
        await shows(pilot, "CFG")


@pytest.mark.parametrize("theme", ["dark", "light", "okabe-ito", "mono"])
async def test_the_theme_is_changed_by_a_key_and_everything_keeps_its_text(core: FakeCore, theme: str) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint, Settings(theme=theme))
    async with app.run_test(size=(80, 24)) as pilot:
        before = await shows(pilot, "CFG")
        await pilot.press("T")
        await until(pilot, lambda _: app.theme != theme)
        await until(pilot, lambda lines: lines[3][:20] == before[3][:20])


async def test_only_ascii_is_drawn_where_nothing_else_can_be_shown(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint, Settings(ascii=True))
    async with app.run_test(size=(80, 24)) as pilot:
        lines = await shows(pilot, "CFG")
        assert [line for line in lines if not line.isascii()] == []


def test_cells_are_cut_and_padded_to_their_width() -> None:
    assert fit("abc", 5) == "abc  " and fit("abc", 5, right=True) == "  abc"
    assert fit("abcdef", 4) == "abc…" and fit("ab\x1b[c", 5) == "ab [c" and fit("日本語", 4) == "日… "
    assert fit("abc", 0) == ""


async def test_every_screen_is_about_the_first_environment_until_another_is_chosen(core: FakeCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await shows(pilot, "no environment is selected")
        one = core.add(state="CONFIGURED")
        await shows(pilot, f"{one.id}  ◑ CONFIGURED")
