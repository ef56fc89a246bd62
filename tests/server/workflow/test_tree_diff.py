"""The comparison of trees: a difference tells the role, the field, what was expected and what was found."""

from __future__ import annotations

from typing import Any

from tree_diff import MAX_SHOWN, differences


def role(name: str, *roles: dict[str, Any], above: str = "w", **fields: Any) -> dict[str, Any]:
    return {"kind": "aggregator", "name": name, "path": f"{above}.{name}", "roles": list(roles), **fields}


def test_equal_trees_have_no_difference() -> None:
    assert differences(role("a", role("b")), role("a", role("b"))) == ""


def test_a_field_is_told_with_its_role_and_both_values() -> None:
    found = role("a", role("b", defaults={"x": "1", "y": "2"}, bind=["c"]))
    expected = role("a", role("b", defaults={"x": "1", "y": "3", "z": ""}, bind=["d"]))
    assert differences(found, expected).splitlines() == [
        "w.b: bind[0]",
        '  expected "d"',
        '  found    "c"',
        "w.b: defaults.y",
        '  expected "3"',
        '  found    "2"',
        "w.b: defaults.z",
        '  expected ""',
        "  found    nothing",
    ]


def test_a_role_too_many_or_too_few_leaves_the_others_alone() -> None:
    found = role("a", role("b"), role("new", role("deep")), role("c"))
    expected = role("a", role("b"), role("c"), role("gone"))
    assert differences(found, expected).splitlines() == [
        "w.new",
        "  role is there, but was not expected: aggregator, 1 role below it",
        "w.gone",
        "  role is missing: aggregator, 0 roles below it",
    ]


def test_a_long_text_is_shown_where_it_differs() -> None:
    found, expected = role("a", func="x" * 500 + "1" + "y" * 500), role("a", func="x" * 500 + "2" + "y" * 500)
    _, wanted, got = differences(found, expected).splitlines()
    assert wanted.endswith("(differs from character 501 on)")
    assert "x2y" in wanted and "x1y" in got and len(got) < 200


def test_there_is_an_end_to_it() -> None:
    found = role("a", *(role("b", traits=str(number)) for number in range(100)))
    expected = role("a", *(role("b", traits="") for _ in range(100)))
    assert differences(found, expected).splitlines()[-1] == f"… and {100 - MAX_SHOWN} more"
