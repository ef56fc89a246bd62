"""The screen, painted into text, on a real session with a core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fake_core import FakeCore
from textual.pilot import Pilot

from console.session import Session, Timings
from console.tui.app import ConsoleApp
from console.tui.grid import fit
from server.api.client import Client, Deadlines


def screen_of(app: ConsoleApp) -> list[str]:
    """Return the lines as a person sees them."""
    return ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]


def app_on(core: FakeCore) -> ConsoleApp:
    client = Client(core.endpoint, deadlines=Deadlines(connect_s=5.0))
    return ConsoleApp(Session(client, timings=Timings(retry_first_s=0.01, retry_last_s=0.05)))


async def until(pilot: Pilot[int], app: ConsoleApp, condition: Callable[[list[str]], bool]) -> list[str]:
    """Return the screen once it meets the condition."""
    for _ in range(300):
        lines = screen_of(app)
        if condition(lines):
            return lines
        await pilot.pause(0.02)
    raise AssertionError("the screen never showed it:\n" + "\n".join(screen_of(app)))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_environments_and_their_tasks_are_on_the_screen(core: FakeCore, size: tuple[int, int]) -> None:
    core.add(state="CONFIGURED", tasks_ok=4, description="two hosts")
    app = app_on(core)
    async with app.run_test(size=size) as pilot:
        lines = await until(pilot, app, lambda lines: any("flp002" in line for line in lines))
        assert len(lines) == size[1] and all(len(line) == size[0] for line in lines)
        assert lines[0].startswith(f" fake  {core.endpoint}  ● live ")
        shown = lines[2].split()
        assert shown[:4] == ["▸◑", "CFG", "-", "2ab1CDEFgh"] and shown[6:8] == ["4/4", "-"]
        assert shown[8:] == ["-", "ITS", "readout-demo"][0 if size[0] > 100 else 2 :]
        assert any(line.startswith(" 2ab1CDEFgh  readout-demo  two hosts") for line in lines)
        tasks = [line.split()[:4] for line in lines if " flp00" in line]
        assert tasks == [["▸○", "STB", "readout", "flp001"], ["○", "STB", "sink", "flp001"],
                         ["○", "STB", "readout", "flp002"], ["○", "STB", "sink", "flp002"]]  # fmt: skip
        assert "quit" in lines[-1]


async def test_a_change_of_the_core_is_painted(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, app, lambda lines: "CFG" in lines[2])
        core.show(replace(one, state="RUNNING", run_number=1234, tasks_ok=4, bytes_per_s=2.5e7))
        lines = await until(pilot, app, lambda lines: "RUN" in lines[2])
        assert lines[2].split()[:3] == ["▸●", "RUN", "1234"] and "25.0 MB/s" in lines[2]


async def test_a_fault_is_told_with_task_host_and_next_step_and_its_task_stands_first(core: FakeCore) -> None:
    one = core.add(state="RUNNING")
    app = app_on(core)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, app, lambda lines: "RUN" in lines[2])
        core.fault(one.id, "flp002", "RUNNING")
        lines = await until(pilot, app, lambda lines: any("next:" in line for line in lines))
        assert any("critical task sink ended with exit code 3 on flp002" in line for line in lines)
        assert any("next: aliecs task show" in line for line in lines)
        first = next(line for line in lines if " flp00" in line and "STATUS" not in line and "✖!" in line)
        assert "sink" in first and "exit code 3" in first
        assert lines.index(first) == next(at for at, line in enumerate(lines) if "STATUS" in line) + 1


async def test_keys_move_the_selection_and_it_stays_while_rows_come_and_go(core: FakeCore) -> None:
    first = core.add("first", state="CONFIGURED")
    second = core.add("second", state="CONFIGURED")
    app = app_on(core)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, app, lambda lines: "second" in lines[3])
        await pilot.press("j")
        await until(
            pilot,
            app,
            lambda lines: lines[3].startswith("▸") and any(f" {second.id}  second" in line for line in lines),
        )
        core.drop(first.id)
        await until(pilot, app, lambda lines: lines[2].startswith("▸") and "second" in lines[2])
        await pilot.press("tab", "G")
        await until(
            pilot,
            app,
            lambda lines: any(line.startswith("▸") and "sink" in line and "flp002" in line for line in lines),
        )
        core.fault(second.id, "flp001", "CONFIGURED")
        core.drop(second.id)
        lines = await until(pilot, app, lambda lines: any("no environments" in line for line in lines))
        told = [at for at, line in enumerate(lines) if f"{second.id} is gone; its first fault was" in line]
        assert told and "critical task sink ended with exit code 3" in lines[told[0] + 1]


async def test_a_lost_link_is_told_and_what_is_shown_stays(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, app, lambda lines: "CFG" in lines[2])
        port = core.port
        await core.stop()
        lines = await until(pilot, app, lambda lines: "link lost" in lines[0])
        assert "what you see is old" in lines[0] and "CFG" in lines[2]
        await core.start(port)
        await until(pilot, app, lambda lines: "live" in lines[0])


async def test_the_screen_starts_without_a_core_and_q_closes_it(core: FakeCore) -> None:
    await core.stop()
    app = app_on(core)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, app, lambda lines: "waiting for the core" in lines[2])
        await pilot.press("q")
    assert app.return_code == 0


async def test_ten_thousand_tasks_are_scrolled_without_a_widget_each(core: FakeCore) -> None:
    core.hosts, core.tasks_per_host = 5000, 2
    core.add(state="CONFIGURED")
    app = app_on(core)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, app, lambda lines: any("flp001" in line for line in lines))
        await pilot.press("tab", "G")
        lines = await until(pilot, app, lambda lines: any(line.startswith("▸") and "flp999" in line for line in lines))
        assert len(list(app.query("*"))) < 12 and "sink" in "".join(lines)


def test_cells_are_cut_and_padded_to_their_width() -> None:
    assert fit("abc", 5) == "abc  " and fit("abc", 5, right=True) == "  abc"
    assert fit("abcdef", 4) == "abc…" and fit("ab\x1b[c", 5) == "ab [c" and fit("日本語", 4) == "日… "
    assert fit("abc", 0) == ""
