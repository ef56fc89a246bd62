"""The screen of one environment on a real session with a core: tree, tasks, panes, panels, what becomes of a selection."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from fake_core import FakeCore
from screen import app_on, burst, row_with, screen_of, shows, until
from textual.pilot import Pilot

from console.settings import Settings
from console.store import Store
from console.tui.app import ConsoleApp
from console.tui.widgets.fault_panel import what_happened
from console.tui.widgets.role_tree import RoleGrid
from console.tui.widgets.task_grid import TaskGrid
from server.api.model import Environment, Fault, History, TransitionRecord
from server.api.states import EnvironmentEvent

SIZES = [(80, 24), (120, 40), (200, 60)]
WIDE = (200, 60)


def running(core: FakeCore, name: str = "readout-demo") -> Environment:
    """Add an environment that takes data, with its variables."""
    one = core.add(name, state="CONFIGURED", user="shifter@control")
    for task_id, task in core.tasks.items():
        if task.environment_id == one.id:
            core.tasks[task_id] = replace(task, state="RUNNING")
            core.publish(core.tasks[task_id])
    core.publish(*core._changed_roles(one.id))
    one = replace(
        one, state="RUNNING", run_number=571204, run_type="PHYSICS", flps=162, detectors=("ITS", "TPC"),
        tasks_ok=one.tasks_total, tasks_active=one.tasks_total, bytes_per_s=25e6, bytes_moved=3.1e12,
        user_vars={"dcs_enabled": "true"},
    )  # fmt: skip
    core.show(one)
    core.variables(
        one.id, defaults={"rate_hz": "50", "dcs_enabled": "false", "long": "one\ntwo\x1b[31m"},
        vars={"odc_n_epns": "280", "epn_enabled": "true"}, user_vars={"dcs_enabled": "true", "run_number": "571204"},
    )  # fmt: skip
    return one


async def opened(pilot: Pilot[Any], *texts: str) -> list[str]:
    """Go to the environment's screen."""
    await shows(pilot, "ENV ID", *texts[:0])
    await until(pilot, lambda _: bool(pilot.app.environment_id))  # type: ignore[attr-defined]
    await pilot.press("2")
    return await shows(pilot, "ROLE", *texts)


@pytest.mark.parametrize("size", SIZES)
async def test_everything_has_its_place_at_every_size(core: FakeCore, size: tuple[int, int]) -> None:
    one = running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=size) as pilot:
        lines = await opened(pilot, "host-flp001")
        assert len(lines) == size[1] and all(len(line) == size[0] for line in lines)
        title = row_with(lines, one.id)
        assert "● RUNNING" in title and "571204" in title and "PHYSICS" in title
        assert ("PROBLEM OR PATH" in "".join(lines)) is (size[0] >= 110)
        wanted = {"f": "detectors", "v": "VARIABLE", "i": "TRANSITION", "e": "WHAT HAPPENED"}
        for key, text in wanted.items():
            await pilot.press(key)
            lines = await shows(pilot, text)
            shown = [other for other in wanted.values() if any(other in line for line in lines)]
            assert shown == (list(wanted.values()) if size == WIDE else [text])
        for name in ("ROLE", "TASK"):
            await pilot.press({"ROLE": "b", "TASK": "x"}[name])
            assert not any("…" in line for line in (await shows(pilot, name)) if name in line)


@pytest.mark.parametrize("theme", ["dark", "light", "mono"])
async def test_only_ascii_is_drawn_where_nothing_else_can_be_shown(core: FakeCore, theme: str) -> None:
    one = running(core)
    core.fault(one.id, "flp002", "RUNNING")
    core.hold.clear()
    app = app_on(core.endpoint, Settings(ascii=True, theme=theme))
    async with app.run_test(size=WIDE) as pilot:
        await opened(pilot, "host-flp002", "First fault")
        assert [line for line in screen_of(app) if not line.isascii()] == []


async def test_the_worst_branch_comes_first_unfolded_and_the_rest_stays_folded(core: FakeCore) -> None:
    core.hosts = 30
    one = running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "30 folded healthy")
        core.fault(one.id, "flp017", "RUNNING")
        lines = await shows(pilot, "29 folded healthy", "60 tasks, 1 error")
        at = next(number for number, line in enumerate(lines) if "▾ host-flp017" in line)
        assert "sink" in lines[at + 1] and "ER!" in lines[at + 1] and "flp017" in lines[at + 1]
        assert "folded healthy" in lines[at + 3]


async def test_a_role_narrows_the_tasks_and_esc_shows_them_all_again(core: FakeCore) -> None:
    running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "host-flp002")
        tasks = app.screen.query_one(TaskGrid)
        assert tasks.row_count() == 4
        await pilot.press("j", "j")
        await shows(pilot, "2 below host-flp002")
        assert tasks.row_count() == 2
        await pilot.press("l", "l")
        await shows(pilot, "1 below readout")
        await pilot.press("escape")
        await until(pilot, lambda _: tasks.row_count() == 4)


async def test_branches_fold_and_unfold_by_keys_and_the_order_can_be_the_templates(core: FakeCore) -> None:
    one = running(core)
    core.fault(one.id, "flp002", "RUNNING")
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "host-flp002")
        roles = app.screen.query_one(RoleGrid)
        assert [roles.row_id(at) for at in range(roles.row_count())] == ["0", "4", "6", "5", "1"]
        await pilot.press("o")
        await shows(pilot, "in the template's order")
        assert [roles.row_id(at) for at in range(roles.row_count())] == ["0", "1", "4", "5", "6"]
        await pilot.press("o", "j", "space")
        await until(pilot, lambda _: [roles.row_id(at) for at in range(roles.row_count())] == ["0", "4", "1"])
        await pilot.press("h", "asterisk")
        await until(pilot, lambda _: roles.selected == "6")
        assert roles.selected_role and roles.selected_role.name == "sink"
        await pilot.press("h", "h", "h")
        await until(pilot, lambda _: roles.selected == "0")


async def test_the_selected_row_stays_where_it_is_while_others_move(core: FakeCore) -> None:
    core.hosts = 40
    one = running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "40 folded healthy")
        roles = app.screen.query_one(RoleGrid)
        await pilot.press("j", "l", "G", "k", "k")
        core.fault(one.id, "flp003", "RUNNING")
        await shows(pilot, "First fault", "▸  ▸ host-flp038")
        selected = roles.selected
        before = next(number for number, line in enumerate(screen_of(app)) if line.startswith("▸"))
        for host in ("flp009", "flp011"):
            core.fault(one.id, host, "RUNNING")
            await until(pilot, lambda lines, host=host: any("where" in it and host in it for it in lines))  # type: ignore[misc]
        await until(pilot, lambda lines: lines[before].startswith("▸"))
        assert roles.selected == selected


async def test_the_first_fault_is_told_and_reached_by_one_key(core: FakeCore) -> None:
    core.hosts = 30
    one = running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "30 folded healthy")
        core.fault(one.id, "flp021", "RUNNING")
        lines = await shows(pilot, "First fault")
        assert "during RUNNING" in row_with(lines, "First fault") and "ago" in row_with(lines, "First fault")
        assert "critical task sink ended with exit code 3" in "".join(lines)
        assert "flp021" in row_with(lines, "where") and "aliecs task show" in row_with(lines, "next")
        await pilot.press("exclamation_mark")
        await until(pilot, lambda _: app.focused is app.screen.query_one(TaskGrid))
        assert app.screen.query_one(TaskGrid).selected == core.faults[one.id].task_id
        await shows(pilot, "1 below sink")
        await pilot.press("enter")
        await shows(pilot, "problem", "exit code 3")


async def test_the_overview_tells_the_fault_and_leads_to_it(core: FakeCore) -> None:
    one = running(core)
    core.fault(one.id, "flp002", "RUNNING")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "First fault", "sink ended with exit code 3")
        await pilot.press("exclamation_mark")
        await until(pilot, lambda _: isinstance(app.focused, TaskGrid))
        assert app.focused.selected == core.faults[one.id].task_id  # type: ignore[union-attr]


@pytest.mark.parametrize("size", SIZES)
async def test_a_transition_of_somebody_else_opens_its_panel(core: FakeCore, size: tuple[int, int]) -> None:
    one = core.add(state="CONFIGURED")
    core.usual_ms = 45_000
    core.hold.clear()
    app = app_on(core.endpoint)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, "host-flp001")
        moving = asyncio.create_task(core.move(one.id, EnvironmentEvent.START_ACTIVITY, "night@control"))
        lines = await shows(pilot, "START_ACTIVITY", "by night@control", "usually 45.0 s")
        text = "".join(lines)
        assert "✔ before" in text and "◑ tasks" in text and "○ enter" in text
        if size[1] >= 40:
            assert "0/4" in row_with(lines, "tasks to RUNNING") and "Before_Start_Activity" in row_with(lines, "before")
        await pilot.press("escape")
        await until(pilot, lambda lines: not any("by night@control" in line for line in lines))
        core.hold.set()
        await moving
        await shows(pilot, "● RUNNING")


async def test_the_result_of_a_transition_stays_for_some_seconds(
    core: FakeCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.transitions.LINGER_S", 50.0)  # so that a busy machine sees it too
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "host-flp001")
        core.break_on["START_ACTIVITY"] = "flp002"
        await core.move(one.id, EnvironmentEvent.START_ACTIVITY, "night@control")
        lines = await shows(pilot, "✖ START_ACTIVITY", "failed after")
        assert "CFG»ERR" in row_with(lines, "failed after")
        source = app.session.source
        app.session._source = Later(source)  # type: ignore[assignment]
        app.screen.tick()  # type: ignore[attr-defined]
        await until(pilot, lambda lines: not any("failed after" in line for line in lines))
        await shows(pilot, "First fault")


class Later:
    """A source whose clock is a minute ahead."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def now(self) -> float:
        return float(self._source.now()) + 60.0


async def test_variables_say_whose_they_are_and_can_be_those_of_the_user_only(core: FakeCore) -> None:
    running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "host-flp001")
        await pilot.press("v")
        lines = await shows(pilot, "VARIABLE")
        assert "user" in row_with(lines, "dcs_enabled") and "true" in row_with(lines, "dcs_enabled")
        assert "default" in row_with(lines, "rate_hz") and "var" in row_with(lines, "odc_n_epns")
        assert "runtime" in row_with(lines, "run_number")
        assert "one two" in row_with(lines, "long") and all("\x1b" not in line for line in lines)
        await pilot.press("u")
        lines = await until(pilot, lambda lines: not any("rate_hz" in line for line in lines))
        assert any("dcs_enabled" in line for line in lines)


async def test_facts_tell_the_equipment_and_plot_the_rate(core: FakeCore) -> None:
    running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        lines = await opened(pilot, "detectors", "EPN 280")
        with_ = row_with(lines, "EPN 280")
        assert "DCS on" in with_ and "162 FLP" in row_with(lines, "hosts")
        assert "25.0 MB/s" in row_with(lines, "moved") and "3.1 TB" in row_with(lines, "moved")
        assert any("30.0 MB/s│" in line for line in lines) and any("now" in line for line in lines)


async def test_the_timeline_keeps_what_went_on_before(core: FakeCore) -> None:
    one = running(core)
    records = tuple(
        TransitionRecord(
            event=event, source=source, reached=reached, started_ms=1000 * at, ended_ms=1000 * at + took,
            user="ada@p2", error=error, run_number=run,
        )
        for at, event, source, reached, took, error, run in (
            (100, "CONFIGURE", "DEPLOYED", "CONFIGURED", 42_000, "", 0),
            (200, "START_ACTIVITY", "CONFIGURED", "ERROR", 8_000, "sink died", 571202),
            (300, "START_ACTIVITY", "CONFIGURED", "RUNNING", 39_000, "", 571204),
        )
    )  # fmt: skip
    core.publish(History(environment_id=one.id, transitions=records))
    app = app_on(core.endpoint)
    async with app.run_test(size=(200, 60)) as pilot:
        await opened(pilot, "host-flp001")
        core.publish(History(environment_id=one.id, transitions=records))
        lines = await shows(pilot, "sink died")
        order = [line for line in lines if "_ACTIVITY" in line or "CONFIGURE " in line]
        assert "571204" in order[0] and "39.0 s" in order[0] and "571202" in order[1] and "42.0 s" in order[2]
        assert "━" in order[0] and "✖" in order[1]


async def test_an_environment_that_goes_while_it_is_looked_at_is_told_with_its_last_fault(core: FakeCore) -> None:
    one = running(core)
    running(core, "other")
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "host-flp001")
        core.fault(one.id, "flp002", "RUNNING")
        await shows(pilot, "First fault")
        core.drop(one.id)
        lines = await shows(pilot, f"{one.id} is gone")
        assert "it was ERROR" in row_with(lines, "it was")
        assert any("critical task sink ended with exit code 3" in line for line in lines)
        assert app.environment_id == one.id and app.screen.query_one(TaskGrid).row_count() == 0


async def test_the_selection_is_the_same_after_a_restart_of_the_core(core: FakeCore) -> None:
    core.hosts = 30
    one = running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "30 folded healthy")
        core.fault(one.id, "flp021", "RUNNING")
        await shows(pilot, "First fault")
        roles, tasks = app.screen.query_one(RoleGrid), app.screen.query_one(TaskGrid)
        await pilot.press("asterisk", "x", "j")
        await shows(pilot, "1 below sink")
        await until(pilot, lambda _: app.focused is tasks)
        role, task = roles.selected, tasks.selected
        tree = app.session.store.role_tree(one.id)
        port = core.port
        await core.stop()
        await shows(pilot, "LINK LOST")
        core.forget()
        await core.start(port)
        await until(pilot, lambda _: app.session.store.role_tree(one.id) is not tree)
        await until(pilot, lambda lines: "LINK LOST" not in lines[0])
        assert (app.environment_id, roles.selected, tasks.selected) == (one.id, role, task)
        assert roles.selected_role and roles.selected_role.state == "ERROR"
        await shows(pilot, "1 below sink", "First fault")


async def test_ten_thousand_tasks_change_and_only_what_is_seen_is_painted(core: FakeCore) -> None:
    core.hosts, core.tasks_per_host = 5000, 2
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "5000 folded healthy")
        for task_id, task in core.tasks.items():
            core.tasks[task_id] = replace(task, state="RUNNING")
        core.publish(*core.tasks.values(), *core._changed_roles(one.id))
        await shows(pilot, "10000 tasks")
        await until(pilot, lambda lines: sum("RUN" in line for line in lines) > 10)
        assert store_of(app).counts(one.id).states == {"RUNNING": 10_000}
        core.fault(one.id, "flp4321", "RUNNING")
        await shows(pilot, "4999 folded healthy", "host-flp4321")
        assert len(list(app.screen.query("*"))) < 50
        await pilot.press("asterisk")
        await shows(pilot, "1 below sink")


def store_of(app: ConsoleApp) -> Store:
    return app.session.store


@pytest.mark.parametrize("turns", range(0, 12, 3))
@pytest.mark.parametrize("name", ["environment", "create"])
async def test_the_console_can_be_left_while_a_screen_is_built(core: FakeCore, name: str, turns: int) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "Selected  2ab1")
        app.action_show(name)
        for _ in range(turns):
            await asyncio.sleep(0)


async def test_keys_that_come_before_the_screen_that_they_are_for_wait_for_it(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "Selected  2ab1")
        burst(pilot, "2v")
        await shows(pilot, "VARIABLE")
        assert app.shown_tab == "environment"


async def test_filters_keep_the_way_to_what_they_let_through(core: FakeCore) -> None:
    core.hosts = 30
    running(core)
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "30 folded healthy")
        roles = app.screen.query_one(RoleGrid)
        roles.show_only("host=flp007 role=sink")
        lines = await shows(pilot, "/ host=flp007 role=sink")
        assert roles.row_count() == 3 and any("host-flp007" in line for line in lines)
        roles.show_only("")
        await shows(pilot, "30 folded healthy")


def test_a_fault_says_what_happened_without_what_has_a_line_of_its_own() -> None:
    fault = Fault(
        environment_id="2abc", task_id="36TcaU", task="sink", host="flp003",
        what="critical task sink (36TcaU, role demo.flp003.sink) on flp003 was ended by signal 9 (core dumped)",
    )  # fmt: skip
    assert what_happened(fault) == "critical task sink on flp003 was ended by signal 9 (core dumped)"
    assert what_happened(replace(fault, task_id="other")) == fault.what
    assert what_happened(Fault(environment_id="2abc")) == "failure"
