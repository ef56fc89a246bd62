"""The third step: variables by panel, their widgets, search, pasting."""

from __future__ import annotations

import json

from create_pilot import at_step, at_variable, form_of, holds, line_of, typed
from screen import app_on, shows
from template_core import TemplateCore

from console.tui.widgets.form_variables import PanelGrid, VariableGrid


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


async def test_n_goes_to_the_next_variable_that_a_search_finds_in_whichever_panel(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await at_step(pilot, 3)
        screen = form_of(app)
        grid, panels = screen.query_one(VariableGrid), screen.query_one(PanelGrid)
        await pilot.press("slash")
        await typed(pilot, "qc")
        await pilot.press("enter", "n", "N")
        await holds(pilot, lambda: grid.selected == "its_qc" and panels.selected == "Quality Control")
        await pilot.press("n")
        await holds(pilot, lambda: grid.selected == "tpc_qc" and not grid.filter_text)
        await pilot.press("slash")
        await typed(pilot, "run type")
        await pilot.press("enter", "g", "n", "N")
        await holds(pilot, lambda: grid.selected == "run_type" and panels.selected == "General")
