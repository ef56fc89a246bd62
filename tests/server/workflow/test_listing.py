"""What clients see of templates without loading them (workflows-config.md 4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.workflow.listing import TemplateListing, VariableSpec, list_folder, list_text


def listed(folder: Path, *, every: bool = False, **workflows: str) -> list[TemplateListing]:
    (folder / "workflows").mkdir(exist_ok=True)
    for name, text in workflows.items():
        (folder / "workflows" / f"{name}.yaml").write_text(text)
    return [one for one in list_folder(folder) if one.public or every]


def specs(folder: Path, text: str) -> dict[str, VariableSpec]:
    (only,) = listed(folder, w=text)
    assert only.problem is None
    return only.variables


def test_only_public_templates_are_listed_unless_all_are_asked_for(tmp_path: Path) -> None:
    workflows = {"a": "name: !public a\ndescription: !public first", "b": "name: b\ndescription: second"}
    assert [(one.template, one.description) for one in listed(tmp_path, **workflows)] == [("a", "first")]
    assert [one.template for one in listed(tmp_path, every=True)] == ["a", "b"]


def test_a_variable_tells_how_to_ask_for_it(tmp_path: Path) -> None:
    found = specs(
        tmp_path,
        """
name: !public w
defaults:
  plain: "1"
  mode: !public
    value: fast
    type: list
    label: Mode
    description: how
    widget: dropDownBox
    panel: General
    values: [fast, slow, 3]
    index: -2
    visibleif: $$a === "b"
    enabledif: $$c === "d"
    rows: 4
""",
    )
    assert found == {
        "mode": VariableSpec(
            default="fast", type="list", label="Mode", description="how", widget="dropDownBox", panel="General",
            allowed=("fast", "slow", "3"), index=-2, visible_if='$$a === "b"', enabled_if='$$c === "d"', rows=4,
        )
    }  # fmt: skip


def test_variables_are_found_at_every_depth(tmp_path: Path) -> None:
    text = "name: !public w\nroles: [{name: a, vars: {deep: !public {value: 1}}, roles: [{defaults: {deeper: !public {}}}]}]"
    found = specs(tmp_path, text)
    assert (found["deep"].default, found["deep"].is_var) == ("1", True)
    assert (found["deeper"].default, found["deeper"].is_var) == ("", False)


def test_unknown_types_and_widgets_fall_back(tmp_path: Path) -> None:
    found = specs(tmp_path, "name: !public w\ndefaults: {a: !public {type: odd, widget: detectorSelector}}")
    assert (found["a"].type, found["a"].widget) == ("string", "editBox")


def test_a_specification_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    found = specs(tmp_path, "name: !public w\ndefaults: {a: !public {index: x}, b: !public {values: 1}, c: !public {}}")
    assert set(found) == {"c"}


@pytest.mark.parametrize(
    "rest", ["defaults: {a: !public {}}\nroles: [{vars: {a: !public {}}}]", "vars: {a: !public {}, a: !public {}}"]
)
def test_a_variable_that_is_declared_twice_is_a_problem_of_the_whole_listing(tmp_path: Path, rest: str) -> None:
    (one,) = listed(tmp_path, w=f"name: !public w\n{rest}")
    assert one.problem is not None
    assert one.problem.is_fatal and one.public
    assert "workflows/w.yaml:" in one.problem.message and " twice" in one.problem.message


def test_what_is_merged_in_is_declared_once(tmp_path: Path) -> None:
    text = "name: !public w\ndefaults: &all {a: !public {value: 1}}\nroles: [{defaults: {<<: *all}}]"
    assert set(specs(tmp_path, text)) == {"a"}


def test_what_is_merged_in_from_elsewhere_is_declared_where_it_is_merged(tmp_path: Path) -> None:
    text = "name: !public w\ncommon: &c {a: !public {value: 1}}\nvars: {<<: *c, b: !public {}}\nroles: [{defaults: {<<: *c}}]"
    found = specs(tmp_path, text)
    assert {name: (one.default, one.is_var) for name, one in found.items()} == {"a": ("1", True), "b": ("", True)}


@pytest.mark.parametrize(
    ("written", "index"),
    [("~", 0), ("-7", -7), ("+3", 3), ("0x10", 16), ("010", 8), ("0o17", 15), ("0b11", 3), ("1_000", 1000), ("2.9", 2),
     ("!!int 4", 4), ("08", 8), ("'5'", None), ("true", None), ("2147483648", None), ("x", None), ("[1]", None)],
)  # fmt: skip
def test_an_index_is_a_number_of_yaml(tmp_path: Path, written: str, index: int | None) -> None:
    found = specs(tmp_path, f"name: !public w\ndefaults: {{a: !public {{index: {written}}}}}")
    assert [one.index for one in found.values()] == ([] if index is None else [index])


def test_values_that_are_null_are_not_offered(tmp_path: Path) -> None:
    found = specs(tmp_path, "name: !public w\ndefaults: {a: !public {values: [b, ~, '', 1.50]}}")
    assert found["a"].allowed == ("b", "", "1.50")


def test_an_empty_file_is_no_public_template(tmp_path: Path) -> None:
    assert [(one.public, one.problem) for one in listed(tmp_path, every=True, empty="# nothing")] == [(False, None)]


def test_a_file_that_is_no_template_is_a_problem_of_its_own(tmp_path: Path) -> None:
    found = listed(tmp_path, every=True, bad="name: [", good="name: good", scalar="text")
    assert [(one.template, one.problem is None) for one in found] == [("bad", False), ("good", True), ("scalar", False)]
    assert found[0].problem is not None and not found[0].problem.is_fatal
    assert "workflows/bad.yaml:" in found[0].problem.message


def test_a_text_is_read_like_a_file(tmp_path: Path) -> None:
    text = "name: !public w\ndefaults: {a: !public {}}"
    assert [list_text("w", text)] == listed(tmp_path, w=text)
    assert list_text("w", "a: [").problem is not None
