"""An environment is made in four steps by keys alone; every step fits the terminal."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from create_pilot import SIZES, at_step, form_of, holds
from form_world import production_specs
from screen import app_on, screen_of, shows, until
from template_core import REPO, TemplateCore

from console import draft
from console.settings import Settings
from console.tui.widgets.form_variables import PanelGrid, VariableGrid
from server.api.replies import TemplateListing


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
                await holds(pilot, lambda panel=panel: grid.panel == panel.title)  # type: ignore[misc]
                names = [grid.row_id(at) for at in range(grid.row_count())]
                page = grid.size.height - 1
                for first in range(0, 0 if drawn.issuperset(names) else len(names), page):
                    grid.scroll_to(y=first, animate=False, immediate=True)
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
