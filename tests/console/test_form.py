"""The variables of a template as a form: panels, what is sent, what is shown, what is pasted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from form_world import production_specs, spec

from console.form import ADDED, Form, choices, detector_of
from console.form_fields import Control
from console.preflight import some

SPECS = (
    spec("hosts", default='["flp001","flp002"]', type="list", panel="General", label="Readout hosts"),
    spec("mode", default="Shifter", widget="radioButtonBox", allowed=("Shifter", "Expert"), panel="General"),
    spec("rate", default="50", type="number", panel="Data", visible_if='$$mode === "Expert"', label="Message rate"),
    spec("note", panel="Data", rows=5, enabled_if='$$mode === "Expert"'),
    spec("odd", panel="Data", visible_if="what(now)"),
    spec("tpc_qc", default="none", widget="dropDownBox", allowed=("none", "fast"), panel="Quality"),
    spec("its_qc", default="fast", widget="dropDownBox", allowed=("none", "fast"), panel="Quality"),
)


def test_panels_stand_in_order_with_general_first() -> None:
    form = Form(SPECS)
    assert [panel.title for panel in form.panels] == ["General", "Data", "Quality"]
    assert form.panels[1].names == ("rate", "note", "odd") and form.names[:2] == ("hosts", "mode")


def test_only_what_was_changed_is_sent() -> None:
    form = Form(SPECS)
    assert form.changed == {} and form.values["rate"] == "50"
    form.set("rate", "60")
    form.set("mode", "Expert")
    assert form.changed == {"rate": "60", "mode": "Expert"}
    form.set("rate", "50")
    form.reset("mode")
    assert form.changed == {}
    form.set("hosts", '["flp001", "flp002"]')
    assert form.changed == {}


def test_what_is_shown_follows_the_values() -> None:
    form = Form(SPECS)
    assert not form.visible("rate").holds and form.refusal("note") == 'not while $$mode === "Expert" is false'
    form.set("mode", "Expert")
    assert form.visible("rate").holds and form.refusal("note") == ""
    form.set("rate", "70")
    form.set("mode", "Shifter")
    assert not form.visible("rate").holds and form.changed == {"rate": "70"}


def test_a_condition_that_is_not_understood_shows_the_field_with_a_warning() -> None:
    form = Form(SPECS)
    assert form.visible("odd").holds
    assert form.warnings() == {"odd": "visibleif what(now): column 1: 'what' stands where a value is expected"}


def test_values_that_are_wrong_are_named() -> None:
    form = Form(SPECS)
    form.set("rate", "fast")
    form.set("mode", "Other")
    assert form.problems() == {"rate": "fast is no number", "mode": "Other is none of Shifter, Expert"}
    assert Form(SPECS, {"rate": "fast"}).problem("rate") == "fast is no number"


def test_a_panel_is_set_to_none_where_it_allows_it() -> None:
    form = Form(SPECS)
    assert form.set_none(form.panels[2]) == 1 and form.changed == {"its_qc": "none"}
    assert form.set_none(form.panels[0]) == 0


def test_variables_are_added_by_hand() -> None:
    form = Form(SPECS)
    assert form.add("extra = a b=c") == "" and form.add("rate=7") == ""
    assert form.panels[-1] == (ADDED, ("extra",)) and form.value("extra") == "a b=c"
    assert form.add("rate=x") == "rate: x is no number"
    assert form.add("hosts=[]") == "hosts: chosen in step 2"
    for text in ("", "novalue", "=x", "two words=1", '"q"=1'):
        assert "is no variable" in form.add(text), text
    form.reset("extra")
    assert [panel.title for panel in form.panels] == ["General", "Data", "Quality"]


def test_variables_are_pasted_and_the_errors_listed() -> None:
    form = Form(SPECS)
    taken, errors = form.paste(
        '{"rate": 70, "mode": "Other", "note": "a\\nb", "extra": [1, "x"], "twice": 1, "twice": 2,'
        ' "hosts": ["flp009"], "tpc_qc": null, "a b": "c", "flag": true}'
    )
    assert taken == {"rate": "70", "note": "a\nb", "extra": '[1, "x"]', "flag": "true"}
    assert errors == (
        "twice: given 2 times",
        "mode: Other is none of Shifter, Expert",
        "hosts: chosen in step 2, not here",
        "tpc_qc: null is no value",
        "'a b': no name of a variable",
    )
    assert form.changed == {"rate": "70", "note": "a b", "extra": '[1, "x"]', "flag": "true"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "line 1 column 1: Expecting value"),
        ('{"a": "b",\n "c" 1}', "line 2 column 6: Expecting ':' delimiter"),
        ('["a"]', 'this is no {"name": "value"}'),
        ("[" * 100_000, "cannot be read"),
        ("1" * 5000, "cannot be read"),
    ],
)
def test_a_text_that_is_no_json_is_named_with_its_place(text: str, error: str) -> None:
    form = Form(SPECS)
    taken, errors = form.paste(text)
    assert not taken and len(errors) == 1 and error in errors[0] and not form.changed


def test_choices_show_a_value_that_is_none_of_them() -> None:
    form = Form(SPECS)
    assert choices(form.field("mode"), "Expert") == [("Shifter", False), ("Expert", True)]
    assert choices(form.field("mode"), "Odd")[0] == ("Odd", True)


def test_a_variable_belongs_to_the_detector_that_its_name_begins_with() -> None:
    assert detector_of("tpc_qc", ("ITS", "TPC")) == "TPC"
    assert detector_of("pdp_mode", ("ITS", "TPC")) == "" and detector_of("tpc", ("TPC",)) == ""


def test_a_long_list_of_names_is_counted() -> None:
    assert some(["a", "b"]) == "a, b" and some("abcde") == "a, b, c and 2 more"


@pytest.mark.reference
def test_the_production_template_becomes_a_form_with_all_its_variables(reference: Path) -> None:
    specs = production_specs(reference)
    started = time.perf_counter()
    form = Form(specs)
    shown = [name for name in form.names if form.visible(name).holds]
    taken_s = time.perf_counter() - started
    print(f"form of {len(specs)} variables: {1000 * taken_s:.1f} ms")
    assert len(form.names) == len(specs) >= 111 and form.warnings() == {}
    assert len([one for one in specs if one.visible_if]) >= 83 and len(shown) < len(specs)
    assert form.panels[0].title == "General Configuration" and len(form.panels) == 8
    for name in ("dcs_enabled", "epn_enabled", "qc_remote_enabled", "trg_enabled", "trg_global_run_enabled"):
        form.set(name, "true")
    form.set("pdp_panel_mode", "Expert")
    now = {name for name in form.names if form.visible(name).holds}
    for option in ("Repository hash", "Repository path", "Manual XML"):
        form.set("pdp_config_option", option)
        for mode in form.field("tfb_dd_mode").allowed:
            form.set("tfb_dd_mode", mode)
            now |= {name for name in form.names if form.visible(name).holds}
    form.set("trg_global_run_enabled", "false")
    now |= {name for name in form.names if form.visible(name).holds}
    assert now == set(form.names), "every variable is shown for some choice"
    kinds = {form.field(name).control for name in form.names}
    assert kinds == {Control.SWITCH, Control.COMBO, Control.ONE, Control.EDIT, Control.RADIO}
