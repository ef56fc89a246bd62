"""Conditions of variables: what is understood comes out as in a browser, and what is not hides nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.api.conditions import MAX_DEPTH, MAX_LENGTH, evaluate, problem

VALUES = {"on": "true", "off": "false", "mode": "Expert", "n": "50", "empty": "", "hosts": '["flp001","flp002"]'}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("  ", True),
        ('$$on === "true"', True),
        ("$$on === 'true'", True),
        ('$$off === "true"', False),
        ('$$on !== "true"', False),
        ('$$on === "true" && $$mode === "Expert"', True),
        ('$$off === "true" && $$mode === "Expert"', False),
        ('$$off === "true" || $$mode === "Expert"', True),
        ('$$on === "true" || $$off === "true" && $$off === "true"', True),
        ('($$on === "true" || $$off === "true") && $$off === "true"', False),
        ('$$on === "true" && ($$mode === "Shifter" || $$mode === "Expert") && $$n === "50"', True),
        ('!($$mode === "Expert")', False),
        ("!$$empty", True),
        ("!!$$mode", True),
        ("$$off", True),
        ("true", True),
        ("false", False),
        ("!false && !0", True),
        ('$$hosts.includes("flp002")', True),
        ('$$hosts.includes("flp003")', False),
        ('["Shifter", "Expert"].includes($$mode)', True),
        ('[].includes($$mode) || ["a", ].includes("a")', True),
        ('!["Shifter"].includes($$mode)', True),
        ("($$mode).includes('per')", True),
        ("$$n > 49 && $$n >= 50 && $$n < 51 && $$n <= 50", True),
        ("$$n > 50", False),
        ('$$n > "6"', False),
        ("$$mode > 5", False),
        ("$$mode <= 5", False),
        ("$$n == 50", True),
        ("$$n === 50", False),
        ("$$n != 50", False),
        ("$$empty == 0", True),
        ("$$n > -1.5e1", True),
        ("$$on == true", False),
        ("1 == true", True),
        (r'"a\"b\u0041\n" === "a\"bA\n"', True),
        ("($$on)===(\"true\")", True),
    ],
)  # fmt: skip
def test_a_condition_comes_out_as_in_a_browser(text: str, holds: bool) -> None:
    assert evaluate(text, VALUES) == (holds, "")
    assert problem(text) == ""


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ('$$on = "true"', "column 6: '= \"true\"' is not understood"),
        ("$$on ===", "column 9: the end stands where a value is expected"),
        ('($$on === "true"', "column 17: the end stands where ) is expected"),
        ('$$on === "true" $$off', "column 17: '$$off' is one word too many"),
        ("alert($$on)", "column 1: 'alert' stands where a value is expected"),
        ('$$on.startsWith("t")', "column 6: 'startsWith' is not understood; .includes() is"),
        ('["a"] === $$on', "column 7: '===' follows a list; only .includes() may"),
        ("5 .includes(1)", "column 4: 5 is neither a text nor a list"),
        ("$$on ? 1 : 2", "column 6: '? 1 : 2' is not understood"),
        ('$$on === "true', "column 10: '\"true' is not understood"),
        ("$$", "column 1: '$$' is not understood"),
    ],
)
def test_what_is_not_understood_holds_and_says_where(text: str, warning: str) -> None:
    assert evaluate(text, VALUES) == (True, warning)


def test_a_variable_that_is_not_there_hides_nothing() -> None:
    holds, warning = evaluate('$$gone === "true"', VALUES)
    assert holds and warning == "names $$gone, which the template does not offer"
    assert evaluate('$$on === "true" || $$gone === "x"', VALUES) == (True, "")
    assert evaluate('$$gone !== "x"', VALUES) == (True, "")
    assert evaluate('$$off === "true" && $$gone.includes("x")', VALUES) == (False, "")
    assert "$$gone" in evaluate('$$gone.includes("x")', VALUES).warning


def test_length_and_depth_are_bounded() -> None:
    assert "characters" in evaluate('$$on === "true" || ' * MAX_LENGTH + "true", VALUES).warning
    for deep in ("(" * 900 + "true" + ")" * 900, "!" * 3000 + "true", "[" * 3000, "-" * 3000 + "1"):
        assert f"more than {MAX_DEPTH} levels" in evaluate(deep, VALUES).warning
    assert evaluate("||".join(["false"] * 500), VALUES) == (False, "")
    assert evaluate("&&".join(["true"] * 500), VALUES) == (True, "")


@given(st.text())
def test_no_text_at_all_is_too_much(text: str) -> None:
    verdict = evaluate(text, VALUES)
    assert verdict.holds or not verdict.warning


FRAGMENTS = st.sampled_from(
    ["$$on", "$$gone", "$$n", '"true"', "'a'", "5", "-", "!", "(", ")", "[", "]", ",", ".", ".includes(", "===", "!==", "==",
     "!=", "<", ">=", "&&", "||", "true", "false", " ", "\n", "\\", '"', "$$", "9" * 400]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=60).map("".join))
def test_no_mixture_of_its_own_signs_is_too_much(text: str) -> None:
    verdict = evaluate(text, VALUES)
    assert verdict.holds or not verdict.warning


@pytest.mark.reference
def test_every_condition_of_the_production_templates_is_understood(reference: Path) -> None:
    found = [
        match[1]
        for file in sorted(reference.glob("corpus/*/workflows/*.yaml"))
        for match in re.finditer(r"^\s*(?:visibleif|enabledif):\s*(.+?)\s*$", file.read_text(), re.MULTILINE)
    ]
    assert len(found) >= 2 * 80
    assert {text: problem(text) for text in found if problem(text)} == {}
    everything = {name: "" for text in found for name in re.findall(r"\$\$(\w+)", text)}
    assert not any(evaluate(text, everything).holds for text in found), "every one of them asks for a value"
