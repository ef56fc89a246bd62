"""The creation of an environment in four steps, by keys alone, on a core that answers."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from form_world import production_specs
from screen import app_on, screen_of, shows, until
from stock_core import StockCore
from template_core import REPO, TemplateCore
from textual.pilot import Pilot

from console import draft
from console.draft import Draft
from console.settings import Settings
from console.tui.app import ConsoleApp
from console.tui.screens.create import CreateScreen
from console.tui.widgets.form_variables import PanelGrid, VariableGrid
from server.api.errors import CoreError, Reason
from server.api.model import Host
from server.api.replies import TemplateListing

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture
async def core() -> AsyncIterator[TemplateCore]:
    one = TemplateCore()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


async def typed(pilot: Pilot[Any], text: str) -> None:
    await pilot.press(*("space" if letter == " " else letter for letter in text))


def form_of(app: ConsoleApp) -> CreateScreen:
    screen = app.get_screen("create")
    assert isinstance(screen, CreateScreen)
    return screen


async def at_step(pilot: Pilot[Any], step: int) -> list[str]:
    """Open the screen and go to a step, with the template readout-demo."""
    await pilot.press("7")
    await shows(pilot, "readout-demo", "Workflows @main")
    await pilot.press("down")
    if step > 1:
        await pilot.press("enter")
    for _ in range(step - 2):
        await pilot.press("greater_than_sign")
    return await until(pilot, lambda lines: step == form_of(pilot.app).step)  # type: ignore[arg-type]


async def at_variable(pilot: Pilot[Any], label: str) -> str:
    """Select a variable of the third step and return its line."""
    screen = form_of(pilot.app)  # type: ignore[arg-type]
    form = screen.creation.form
    name = next(one for one in form.names if form.field(one).label == label)
    screen.query_one(PanelGrid).select(form.field(name).panel)
    await pilot.pause()
    screen.query_one(VariableGrid).select(name)
    await until(pilot, lambda lines: any("▸" in line and label in line for line in lines))
    return line_of(pilot, label)


async def holds(pilot: Pilot[Any], condition: Callable[[], bool]) -> None:
    """Wait until something holds that is not on the screen."""
    await until(pilot, lambda lines: condition())


def line_of(pilot: Pilot[Any], text: str) -> str:
    """Return the line of the list that holds a text."""
    return next(line for line in screen_of(pilot.app)[5:] if text in line)


# ---- the whole way -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_an_environment_is_made_from_a_template_by_keys_alone(core: TemplateCore, size: tuple[int, int]) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=size, notifications=True) as pilot:
        await shows(pilot, "no environments")
        await pilot.press("7")
        lines = await shows(pilot, "Readout of simul", "calibration")
        assert any("Workflows @main" in line for line in lines)
        await pilot.press("down", "enter")
        lines = await shows(pilot, "flp004", "2 hosts")
        assert any("TPC" in line and "1/3" in line for line in lines)
        await pilot.press("tab", "shift+tab", "j", "j", "j", "space", "greater_than_sign")
        await shows(pilot, "3 hosts", "Run type")
        await pilot.press("down", "right")
        await shows(pilot, "SYNTHETIC", "1 changed")
        await pilot.press("greater_than_sign")
        lines = await shows(
            pilot,
            "Differs from readout-demo",
            "TECHNICAL → SYNTHETIC",
            "2 → 3: +flp003",
            "ITS, TPC free",
            "env create readout-demo",
        )
        assert not any("✖" in line for line in lines)
        await pilot.press("enter")
        await shows(pilot, "Creating an environment of readout-demo", "Cancel")
        await pilot.press("A")
        await shows(pilot, "ARMED")
        await pilot.press("right", "enter")
        await until(pilot, lambda lines: app.shown_tab == "environment" and bool(core.environments))
        (made,) = core.environments.values()
        await until(pilot, lambda lines: core.environments[made.id].state == "CONFIGURED")
        await holds(pilot, lambda: app.environment_id == made.id)
        request = next(one for one in core.requests if type(one).__name__ == "NewEnvironmentRequest")
        assert request.workflowTemplate == "readout-demo"
        assert dict(request.vars) == {"hosts": '["flp001", "flp002", "flp003"]', "run_type": "SYNTHETIC"}
        await until(pilot, lambda lines: not draft.path_of(core.endpoint).exists())
        assert not form_of(app).creation.is_chosen


@pytest.mark.parametrize("theme", ["dark", "light", "mono"])
@pytest.mark.parametrize("size", SIZES)
async def test_every_step_fits_the_terminal(core: TemplateCore, size: tuple[int, int], theme: str) -> None:
    app = app_on(core.endpoint, Settings(theme=theme))
    async with app.run_test(size=size, notifications=True) as pilot:
        await at_step(pilot, 1)
        for step in (1, 2, 3, 4):
            if step > 1:
                await pilot.press("greater_than_sign")
            lines = await until(pilot, lambda lines, step=step: form_of(app).step == step)  # type: ignore[misc]
            assert len(lines) == size[1] and all(len(line) == size[0] for line in lines)
            assert not any("…" in line for line in lines[:5]), lines[:5]
            assert "1 Template ✔" in lines[2] or step == 1
            assert "palette" in lines[-1]


async def test_only_ascii_is_drawn_where_nothing_else_can_be_shown(core: TemplateCore) -> None:
    app = app_on(core.endpoint, Settings(ascii=True))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 1)
        for _ in range(4):
            await pilot.pause(0.05)
            assert [line for line in screen_of(app) if not line.isascii()] == []
            await pilot.press("greater_than_sign")


async def test_going_back_and_leaving_keep_everything(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await at_step(pilot, 3)
        await pilot.press("down", "right", "less_than_sign", "less_than_sign")
        await shows(pilot, "readout-demo · 2 hosts · ITS TPC · 1 changed")
        await pilot.press("escape")
        await until(pilot, lambda lines: app.shown_tab == "overview")
        await until(pilot, lambda lines: draft.path_of(core.endpoint).exists())
        await pilot.press("f7")
        await shows(pilot, "1 changed")
        await holds(pilot, lambda: form_of(app).creation.form.changed == {"run_type": "SYNTHETIC"})


async def test_keys_of_verbs_do_nothing_here(core: TemplateCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 2)
        await pilot.press("s", "d")
        lines = await shows(pilot, "this screen is about")
        assert "configure" not in lines[-1]
        assert "ControlEnvironment" not in core.calls


# ---- step 1 ------------------------------------------------------------------------------------


async def test_templates_are_found_by_repository_revision_and_words(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("7")
        await shows(pilot, "loopback", "Tests @master")
        await pilot.press("shift+tab", "down", "space")
        await shows(pilot, "v1.0")
        await pilot.press("down")
        lines = await shows(pilot, "The older one")
        assert not any("loopback" in line for line in lines)
        await pilot.press("enter", "enter")
        await until(pilot, lambda lines: form_of(app).step == 2)
        await holds(pilot, lambda: form_of(app).creation.name == "readout-demo@v1.0")
        await pilot.press("less_than_sign", "shift+tab", "g", "tab", "slash")
        await typed(pilot, "loop")
        await until(pilot, lambda lines: not any("calibration" in line for line in lines))


async def test_a_place_that_is_not_listed_is_typed(core: TemplateCore) -> None:
    core.listings.append(TemplateListing(REPO, "secret", "a1b2c3", "At a commit", ()))
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 1)
        await pilot.press("i")
        await typed(pilot, "two words@x y")
        await pilot.press("enter")
        await shows(pilot, "write a revision")
        await pilot.press("escape", "i")
        await typed(pilot, f"{REPO}/workflows/secret@a1b2c3")
        await pilot.press("enter")
        await shows(pilot, "@a1b2c3", "At a commit", "secret@a1b2c3 · 0 hosts")
        await pilot.press("i")
        await typed(pilot, f"{REPO}/workflows/gone@main")
        await pilot.press("enter")
        await shows(pilot, "no template gone")


async def test_a_listing_that_fails_says_why_and_is_asked_for_again(core: TemplateCore) -> None:
    core.fail["GetWorkflowTemplates"] = CoreError(
        Reason.REPOSITORY, "the repository is on fire", hint="call the expert"
    )
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("7")
        await shows(pilot, "the templates could not be listed", "the repository is on fire", "call the expert")
        core.fail.clear()
        await pilot.press("ctrl+r")
        lines = await shows(pilot, "calibration")
        assert not any("on fire" in line for line in lines)


async def test_templates_are_listed_when_the_core_comes_back_and_what_was_typed_is_kept(core: TemplateCore) -> None:
    draft.save(Draft(endpoint=core.endpoint, repo=REPO, template="readout-demo", revision="main",
                     changed={"run_type": "COSMICS"}, step=3))  # fmt: skip
    port = core.port
    await core.stop()
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("7")
        await shows(pilot, "could not be listed", "it refuses connections", "readout-demo@main")
        await core.start(port)
        await shows(pilot, "COSMICS")
        await holds(
            pilot, lambda: form_of(app).step == 3 and form_of(app).creation.form.changed == {"run_type": "COSMICS"}
        )


# ---- step 2 ------------------------------------------------------------------------------------


async def test_detectors_in_use_are_marked_and_cannot_be_taken(core: TemplateCore) -> None:
    one = core.add(state="RUNNING", user="somebody")
    core.show(replace(one, detectors=("TOF",)))
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 2)
        lines = await shows(pilot, f"in use by {one.id}")
        await holds(pilot, lambda: sum("in use by" in line for line in lines) >= 1)
        await pilot.press("down", "space")
        await shows(pilot, f"TOF is in use by {one.id}")
        await holds(pilot, lambda: form_of(app).creation.hosts == ("flp001", "flp002"))
        core.show(replace(core.environments[one.id], detectors=("ITS",)))
        await shows(pilot, "✖ ITS is in use")
        assert "2 Detectors and hosts ✖" in screen_of(app)[2]


async def test_a_range_of_hosts_is_taken_at_once(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 2)
        await shows(pilot, "qc01")
        await pilot.press("j", "j", "v", "j", "j")
        await holds(pilot, lambda: sum("│[" in line or "│ [" in line for line in screen_of(app)) == 3)
        await pilot.press("space")
        await holds(pilot, lambda: form_of(app).creation.hosts == ("flp001", "flp002", "flp003", "flp004"))
        await pilot.press("shift+up", "shift+up", "escape")
        await holds(pilot, lambda: app.shown_tab == "create")
        await pilot.press("a")
        await holds(
            pilot, lambda: form_of(app).creation.hosts == ("flp001", "flp002", "flp003", "flp004", "flp005", "qc01")
        )
        await pilot.press("a", "u")
        await holds(pilot, lambda: form_of(app).creation.form.changed == {})


async def test_a_detector_takes_its_hosts_along(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 2)
        await shows(pilot, "qc01")
        await pilot.press("shift+tab", "down", "down", "space")
        await shows(pilot, "[x] TPC")
        await holds(pilot, lambda: form_of(app).creation.hosts == ("flp001", "flp002", "flp003", "flp004"))
        await pilot.press("space", "enter", "enter")
        await holds(pilot, lambda: form_of(app).creation.hosts == ("flp001",) and form_of(app).step == 3)


async def test_without_an_inventory_hosts_are_typed_and_called_advisory(core: TemplateCore) -> None:
    core.things = [one for one in core.things if not isinstance(one, Host)]
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await at_step(pilot, 2)
        await shows(pilot, "advisory", "flp001", "ITS", "does not say which there are")
        await pilot.press("i")
        for _ in range(len("flp001, flp002")):
            await pilot.press("backspace")
        await typed(pilot, "flp007 flp008")
        await pilot.press("enter")
        await shows(pilot, "flp007, flp008", "2 hosts, chosen here")
        await pilot.press("space")
        await shows(pilot, "[x] ITS")
        await holds(
            pilot, lambda: form_of(app).creation.words()[3:] == ["--hosts", "flp007,flp008", "--detectors", "ITS"]
        )


async def test_a_core_that_is_polled_is_asked_for_what_was_typed(core: TemplateCore) -> None:
    async with StockCore(core.endpoint) as stock:
        app = app_on(stock.endpoint)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await shows(pilot, "ADVISORY")
            app.arm()
            await at_step(pilot, 2)
            await shows(pilot, "advisory: hosts are those of the template", "flp001", "flp002", "ITS")
            await pilot.press("i", "comma")
            await typed(pilot, "flp077")
            await pilot.press("enter")
            await shows(pilot, "3 hosts, chosen here", "▲ 3 hosts; this core does not say which there are")
            await pilot.press("greater_than_sign", "greater_than_sign", "enter")
            await shows(pilot, "Creating an environment")
            await pilot.press("right", "enter")
            await until(pilot, lambda lines: app.shown_tab == "environment", 30.0)
            request = next(one for one in core.requests if type(one).__name__ == "NewEnvironmentRequest")
            assert json.loads(request.vars["hosts"]) == ["flp001", "flp002", "flp077"]


# ---- step 3 ------------------------------------------------------------------------------------


async def test_every_kind_of_widget_is_operated_by_keys(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 3)
        form = form_of(app).creation.form

        assert "[ ] no" in await at_variable(pilot, "Expert settings")  # checkBox
        await pilot.press("space")
        await holds(pilot, lambda: form.value("expert") == "true" and "[x] yes" in line_of(pilot, "Expert settings"))
        await pilot.press("enter")
        await holds(pilot, lambda: form.value("expert") == "false")

        await at_variable(pilot, "Run type")  # dropDownBox
        await pilot.press("left")
        await holds(pilot, lambda: form.value("run_type") == "PHYSICS")
        await pilot.press("enter")
        await shows(pilot, "What the run is for", "enter takes the marked one")
        await typed(pilot, "cos")
        await pilot.press("enter")
        await holds(pilot, lambda: form.value("run_type") == "COSMICS")

        await at_variable(pilot, "Beam")  # comboBox
        await pilot.press("right")
        await holds(pilot, lambda: form.value("beam") == "pp")
        await pilot.press("enter")
        await typed(pilot, "pO")
        await shows(pilot, "as typed")
        await pilot.press("enter")
        await holds(pilot, lambda: form.value("beam") == "pO" and "pO ▾ -/3" in line_of(pilot, "Beam"))

        assert "(•) fast  ( ) full" in await at_variable(pilot, "Mode")  # radioButtonBox
        await pilot.press("right")
        await holds(pilot, lambda: form.value("mode") == "full")

        await at_variable(pilot, "Message rate")  # slider
        await pilot.press("right", "shift+left")
        await holds(pilot, lambda: form.value("rate_hz") == "5")
        await pilot.press("enter", "backspace", "7", "5", "enter")
        full = app.looks.glyph("bar_full")
        await holds(pilot, lambda: form.value("rate_hz") == "75" and full in line_of(pilot, "Message rate"))

        await at_variable(pilot, "Parts")  # listBox of a list
        await pilot.press("enter")
        await shows(pilot, "space takes or leaves one")
        await pilot.press("down", "down", "space", "up", "up", "space", "enter")
        await holds(pilot, lambda: json.loads(form.value("parts")) == ["c"])

        await at_variable(pilot, "Limit")  # editBox
        await pilot.press("enter", "backspace", "backspace", "4", "2", "tab")
        await holds(pilot, lambda: form.value("limit") == "42")
        await pilot.press("enter", "9", "escape")
        await holds(pilot, lambda: form.value("limit") == "42" and app.shown_tab == "create")

        await at_variable(pilot, "Notes")  # editBox over several rows
        await pilot.press("enter")
        await typed(pilot, "a=1")
        await pilot.press("enter")
        await typed(pilot, "b=2")
        await pilot.press("ctrl+s")
        await holds(pilot, lambda: form.value("notes") == "a=1 b=2")
        await at_variable(pilot, "Notes")
        await pilot.press("u")
        assert "notes" not in form.changed


async def test_variables_appear_and_go_with_what_is_chosen(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 3)
        await pilot.press("right_square_bracket")
        lines = await shows(pilot, "Message rate", "Limit", "▲ Strange")
        assert not any("Message size" in line for line in lines)
        await pilot.press("left_square_bracket")
        await at_variable(pilot, "Expert settings")
        await pilot.press("space", "right_square_bracket")
        await shows(pilot, "Message size")
        await at_variable(pilot, "Limit")
        await pilot.press("enter")
        await shows(pilot, 'not while $$mode === "full" is false')
        await at_variable(pilot, "Strange")
        await shows(pilot, "'window'")


async def test_variables_of_other_detectors_are_counted_and_shown_on_demand(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 2)
        await shows(pilot, "qc01")
        await pilot.press("space", "greater_than_sign", "right_square_bracket", "right_square_bracket")
        lines = await shows(pilot, "TPC checks", "1 of other detectors not shown (e)")
        assert not any("ITS checks" in line for line in lines)
        await pilot.press("e")
        await shows(pilot, "ITS checks")
        await pilot.press("x")
        await shows(pilot, "1 variable set to none")
        await holds(pilot, lambda: form_of(app).creation.form.changed["tpc_qc"] == "none")


async def test_a_search_looks_through_all_panels_and_changes_are_seen_alone(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(200, 60), notifications=True) as pilot:
        await at_step(pilot, 3)
        await pilot.press("slash")
        await typed(pilot, "size")
        await pilot.press("enter")
        await shows(pilot, "Message size", "hidden unless")
        await pilot.press("escape", "o")
        await shows(pilot, "nothing was changed")
        await pilot.press("escape")
        await at_variable(pilot, "Mode")
        await pilot.press("right", "left_square_bracket", "down", "right", "o")
        lines = await shows(pilot, "Run type", "Mode")
        assert not any("Beam" in line for line in lines[4:20])


async def test_variables_are_pasted_and_added(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 3)
        form = form_of(app).creation.form
        await pilot.press("p")
        await shows(pilot, "Paste variables")
        await typed(pilot, '{"rate_hz": "fast", "mode": "full", "hosts": 1}')
        await pilot.press("ctrl+s")
        await shows(pilot, "1 of the others taken", "rate_hz: fast is no number", "hosts: chosen in step 2")
        await pilot.press("escape", "plus")
        await typed(pilot, "nonsense")
        await pilot.press("enter")
        await shows(pilot, "write name=value")
        await pilot.press("escape", "plus")
        await typed(pilot, "extra=1")
        await pilot.press("enter")
        await shows(pilot, "Added by hand")
        await holds(pilot, lambda: form.changed == {"mode": "full", "extra": "1"})


# ---- step 4 ------------------------------------------------------------------------------------


async def test_wrong_values_keep_it_from_being_asked_for(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 3)
        await at_variable(pilot, "Message rate")
        await pilot.press("enter", "x", "enter")
        await shows(pilot, "50x is no number", "3 Variables ✖")
        await pilot.press("greater_than_sign")
        await shows(pilot, "✖ values")
        await pilot.press("enter")
        await shows(pilot, "it would not work", "values: Message rate: 50x is no number")
        assert "NewEnvironment" not in core.calls


async def test_a_failure_is_shown_with_the_reason_and_the_form_is_kept(core: TemplateCore) -> None:
    core.fail["NewEnvironment"] = CoreError(Reason.HOST_UNKNOWN, "no such host: flp001", host="flp001")
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        app.arm()
        await at_step(pilot, 4)
        await pilot.press("enter")
        await shows(pilot, "Creating an environment")
        await pilot.press("right", "enter")
        await shows(pilot, "failed", "no such host: flp001")
        await pilot.press("enter")
        await shows(pilot, "Last attempt failed", "no such host: flp001")
        await holds(pilot, lambda: form_of(app).step == 4 and form_of(app).creation.is_chosen)
        core.fail.clear()
        await pilot.press("enter")
        await shows(pilot, "Creating an environment")
        await pilot.press("right", "enter")
        await until(pilot, lambda lines: app.shown_tab == "environment")


async def test_a_creation_that_breaks_on_the_way_comes_back_to_its_form(core: TemplateCore) -> None:
    core.break_on["CONFIGURE"] = "flp002"
    core.hold.clear()
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        app.arm()
        await at_step(pilot, 4)
        await pilot.press("enter")
        await shows(pilot, "Creating an environment")
        await pilot.press("right", "enter")
        await until(pilot, lambda lines: app.shown_tab == "environment")
        core.hold.set()
        await shows(pilot, "failed", "sink exited with 3")
        await pilot.press("enter")
        await shows(pilot, "Last attempt failed", "cannot create: sink exited with 3")
        await holds(pilot, lambda: app.shown_tab == "create" and form_of(app).creation.is_chosen)


async def test_a_core_that_is_lost_in_the_middle_leaves_the_form_and_says_what_is_known(core: TemplateCore) -> None:
    core.hold.clear()
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        app.arm()
        await at_step(pilot, 4)
        await pilot.press("enter")
        await shows(pilot, "Creating an environment")
        await pilot.press("right", "enter")
        await until(pilot, lambda lines: app.shown_tab == "environment")
        await core.stop()
        await shows(pilot, "LINK LOST", "outcome unknown")
        await pilot.press("enter")
        await shows(pilot, "Last attempt failed", "✖ core")
        await holds(pilot, lambda: form_of(app).creation.is_chosen)
        await pilot.press("enter")
        await shows(pilot, "it would not work")
        core.hold.set()


async def test_the_command_that_does_the_same_is_copied(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await at_step(pilot, 3)
        await pilot.press("down", "right", "greater_than_sign", "y")
        await pilot.pause()
        await holds(pilot, lambda: app.clipboard == "aliecs env create readout-demo -e run_type=SYNTHETIC")


# ---- the draft ---------------------------------------------------------------------------------


async def test_a_draft_is_taken_up_by_the_next_console(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await at_step(pilot, 3)
        await pilot.press("down", "right", "q")
    again = app_on(core.endpoint)
    async with again.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await shows(pilot, "SYNTHETIC", "draft of", "1 changed")
        await holds(pilot, lambda: form_of(again).step == 3)
        await pilot.press("X")
        await shows(pilot, "no template chosen yet")
        await until(pilot, lambda lines: not draft.path_of(core.endpoint).exists())


async def test_a_broken_draft_is_named_and_passed_over(core: TemplateCore) -> None:
    path = draft.path_of(core.endpoint)
    path.parent.mkdir(parents=True)
    path.write_text('{"template": 5}')
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("7")
        await shows(pilot, "passed over", "readout-demo", "no template chosen yet")


async def test_a_draft_whose_template_is_gone_keeps_its_values(core: TemplateCore) -> None:
    draft.save(
        Draft(endpoint=core.endpoint, repo=REPO, template="gone", revision="main", changed={"run_type": "COSMICS"})
    )
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("7")
        await shows(pilot, "gone@main is not listed")
        await pilot.press("down", "enter")
        await until(pilot, lambda lines: form_of(app).step == 2)
        await holds(pilot, lambda: form_of(app).creation.form.changed == {"run_type": "COSMICS"})


# ---- the production template -------------------------------------------------------------------


@pytest.mark.reference
@pytest.mark.parametrize("size", SIZES)
async def test_the_production_template_is_drawn_completely(
    core: TemplateCore, size: tuple[int, int], reference: Path
) -> None:
    specs = production_specs(reference)
    core.listings = [TemplateListing(REPO, "readout-dataflow", "main", "Main workflow template", specs)]
    app = app_on(core.endpoint)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("7")
        await shows(pilot, "readout-dataflow", "111 variables")
        await pilot.press("enter", "greater_than_sign")
        await shows(pilot, "General Configuration")
        screen = form_of(app)
        form = screen.creation.form
        everything = {name: "true" for name in form.names if name.endswith("_enabled")} | {"pdp_panel_mode": "Expert"}
        for name, text in everything.items():
            form.set(name, text)
        screen.changed()
        drawn: set[str] = set()
        grid, panels = screen.query_one(VariableGrid), screen.query_one(PanelGrid)
        started, paints = time.process_time(), 0
        for option in ("Repository hash", "Repository path", "Manual XML", "LTU"):
            form.set("trg_global_run_enabled", "false" if option == "LTU" else "true")
            form.set("pdp_config_option", option if option != "LTU" else "Repository hash")
            form.set("tfb_dd_mode", "processing-disk")
            for panel in form.panels:
                panels.select(panel.title)
                await pilot.pause()
                names = [grid.row_id(at) for at in range(grid.row_count())]
                page = grid.size.height - 1
                for first in range(0, 0 if drawn.issuperset(names) else len(names), page):
                    grid.scroll_to(y=first, animate=False)
                    await pilot.pause()
                    paints += 1
                    lines = screen_of(app)
                    labels = {name: form.field(name).label[:16] for name in names}
                    drawn |= {name for name, label in labels.items() if any(label in line[30:] for line in lines)}
        taken_s = time.process_time() - started
        print(f"{size}: {len(form.names)} variables in {paints} paints, {1000 * taken_s / paints:.1f} ms each")
        assert drawn == set(form.names)
        assert len(list(screen.query("*"))) < 40
        assert form.warnings() == {} and form.problems() == {}
