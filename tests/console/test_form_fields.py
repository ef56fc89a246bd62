"""One variable as a field: how it is asked for, what it accepts."""

from __future__ import annotations

import pytest
from form_world import spec
from hypothesis import given
from hypothesis import strategies as st

from console.form_fields import Control, Field, chosen, moved, problem, same, scale, share, tidy, toggled, turned


def field(**more: object) -> Field:
    return Field.of(spec(**more))


@pytest.mark.parametrize(
    ("more", "control"),
    [
        ({"widget": "editBox"}, Control.EDIT),
        ({"widget": "slider", "type": "number"}, Control.SLIDER),
        ({"widget": "slider"}, Control.EDIT),
        ({"widget": "listBox", "allowed": ("a", "b")}, Control.ONE),
        ({"widget": "listBox", "allowed": ("a", "b"), "type": "list"}, Control.MANY),
        ({"widget": "dropDownBox", "allowed": ("a", "b")}, Control.ONE),
        ({"widget": "dropDownBox"}, Control.EDIT),
        ({"widget": "comboBox", "allowed": ("a",)}, Control.COMBO),
        ({"widget": "comboBox"}, Control.EDIT),
        ({"widget": "radioButtonBox", "allowed": ("a", "b")}, Control.RADIO),
        ({"widget": "checkBox", "type": "bool"}, Control.SWITCH),
        ({"widget": "checkBox", "default": "true"}, Control.SWITCH),
        ({"widget": "checkBox", "type": "list", "allowed": ("a", "b")}, Control.MANY),
        ({"widget": "checkBox", "allowed": ("yes", "no")}, Control.ONE),
    ],
)
def test_every_widget_of_a_template_has_its_control(more: dict[str, object], control: Control) -> None:
    assert field(**more).control is control


def test_a_field_without_label_and_panel_is_called_by_its_name() -> None:
    one = field(name="rate")
    assert (one.label, one.panel, one.rows) == ("rate", "Other", 1)
    assert field(panel="QC_Nodes_Workflows").panel == "QC Nodes Workflows"


@pytest.mark.parametrize(
    ("more", "text", "words"),
    [
        ({"type": "number"}, "12", ""),
        ({"type": "number"}, "-1.5e3", ""),
        ({"type": "number"}, "abc", "abc is no number"),
        ({"type": "number"}, "nan", "nan is no number"),
        ({"type": "number"}, "1_0", "1_0 is no number"),
        ({"type": "number", "default": "5"}, "", "nothing is no number"),
        ({"type": "number"}, "", ""),
        ({"type": "number", "default": "{{ f() }}"}, "{{ f() }}", ""),
        ({"type": "bool"}, "true", ""),
        ({"type": "bool"}, "yes", "yes is neither true nor false"),
        ({"type": "list"}, '["a"]', ""),
        ({"type": "list"}, "[1, 2]", ""),
        ({"type": "list"}, '["a" 5]', 'is not a list ["a", "b"]: expecting \',\' delimiter at column 6'),
        ({"type": "list"}, "{}", 'is not a list ["a", "b"]'),
        ({"type": "list"}, "[" * 100_000, 'is not a list ["a", "b"]: too deep'),
        ({"type": "map"}, '{"a": 1}', ""),
        ({"type": "map"}, "[]", 'is not a map {"a": "b"}'),
        ({"widget": "dropDownBox", "allowed": ("a", "b")}, "b", ""),
        ({"widget": "dropDownBox", "allowed": ("a", "b")}, "c", "c is none of a, b"),
        ({"widget": "dropDownBox", "allowed": ("a", "b"), "default": "c"}, "c", ""),
        ({"widget": "dropDownBox", "allowed": tuple("abcdefghij")}, "x", "x is none of a, b, c, d, e, f and 4 others"),
        ({"widget": "comboBox", "allowed": ("a", "b")}, "c", ""),
        ({"widget": "comboBox", "allowed": ("1", "2"), "type": "number"}, "c", "c is no number"),
        ({"widget": "slider", "type": "number", "allowed": ("0", "10")}, "11", "11 is not between 0 and 10"),
        ({"widget": "slider", "type": "number", "default": "5"}, "4000", ""),
        ({"widget": "listBox", "type": "list", "allowed": ("a", "b")}, '["a", "c"]', "c is none of a, b"),
        ({"widget": "listBox", "type": "list", "allowed": ("a", "b")}, '["b"]', ""),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_value_is_said(more: dict[str, object], text: str, words: str) -> None:
    assert problem(field(**more), text) == words


def test_lists_are_the_same_however_they_are_spelt() -> None:
    one = field(type="list", default='["a","b"]')
    assert same(one, '["a", "b"]', one.default) and not same(one, '["b", "a"]', one.default)
    assert not same(field(), '["a", "b"]', '["a","b"]') and not same(one, "[", one.default)


def test_what_is_typed_over_several_lines_becomes_one() -> None:
    assert tidy(" A=1\nB=2\r\nC=3 ") == "A=1 B=2  C=3"


def test_values_are_taken_and_left_out_in_the_order_of_the_template() -> None:
    one = field(widget="checkBox", type="list", allowed=("a", "b", "c"))
    text = toggled(one, "", "c")
    text = toggled(one, text, "a")
    assert chosen(text) == ("a", "c")
    assert chosen(toggled(one, text, "c")) == ("a",)
    assert chosen(toggled(one, '["z"]', "b")) == ("b", "z")


def test_a_slider_with_ends_stays_between_them() -> None:
    one = field(widget="slider", type="number", allowed=("0", "10"), default="5")
    assert scale(one) == (0.0, 10.0, 1.0, True)
    assert moved(one, "9", 1) == "10" and moved(one, "10", 1) == "10" and moved(one, "0", -3) == "0"
    assert share(one, "5") == 0.5 and share(one, "x") == 0.0


def test_a_slider_without_ends_goes_on() -> None:
    one = field(widget="slider", type="number", default="50")
    assert scale(one) == (0.0, 100.0, 5.0, False)
    assert moved(one, "50", 1) == "55" and moved(one, "100", 2) == "110" and share(one, "110") == 1.0
    assert moved(one, "abc", 1) == "55"
    small = field(widget="slider", type="number", default="0.25")
    assert moved(small, "0.25", 1) == "0.3"


@given(st.text(max_size=20), st.sampled_from(["", "0", "7.5", "-3", "1e300"]), st.integers(-50, 50))
def test_a_slider_always_gives_a_number(text: str, default: str, steps: int) -> None:
    one = field(widget="slider", type="number", default=default)
    assert problem(one, moved(one, text, steps)) == ""


def test_choices_are_turned_round_the_end() -> None:
    one = field(widget="dropDownBox", allowed=("a", "b", "c"))
    assert [turned(one, "c", 1), turned(one, "a", -1), turned(one, "?", 1), turned(one, "?", -1)] == [
        "a",
        "c",
        "a",
        "c",
    ]
    assert turned(field(), "kept", 1) == "kept"
