"""Operators of component templates, with the precedence of the original."""

from __future__ import annotations

import pytest
from payloads import render

from server.config.payload.errors import PayloadError


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("not 'x' in 'abc'", "False"),  # (not 'x') in 'abc'
        ("not ('x' in 'abc')", "True"),
        ("true or false and false", "True"),
        ("false and true or true", "False"),  # false and (true or true)
        ("!no", "False"),
        ("not empty && host == 'flp042' || false", "True"),
        ("1 < 2 < 3", "False"),  # 1 < (2 < 3), and a truth value counts as 0
        ("1 <> 2", "True"),
        ("1 != 1", "False"),
        ("'10' > '9'", "True"),  # as numbers
        ("'b' > 'a'", "False"),  # no numbers, both 0
        ("'1.5' >= 1.5", "True"),
        ("nothing < 1", "True"),
    ],
)
def test_relations_and_logic_group_as_in_the_original(expression: str, result: str) -> None:
    assert render(f"{{{{ {expression} }}}}") == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("2 + 3 * 4", "14"),
        ("10 - 2 - 3", "5"),
        ("(10 - 2) * 3", "24"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),  # -(7 / 2)
        ("seven|integer % 4", "3"),
        ("7.9 % 4", "3"),
        ("7 / 2.0", "3.500000"),
        ("2 ^ 3 ^ 2", "512.000000"),
        ("2 ^ -1", None),
        ("'8.5' / '2'", "4"),
        ("1 + 1.5", "2.500000"),
        ("seven + 1", "71"),  # a text on either side
        ("1 + seven", "17"),
        ("'a' + true + nothing + 1.5", "aTrue1.500000"),
        ("true + 1", "1"),
        ("-5", "-5"),
        ("+5", "5"),
        ("!5", "0"),
        ("!0", "1"),
        ("!0.0", "1.100000"),
        ("-!0", "-1"),
        ("!-5", None),
        ("9223372036854775807 + 1", "-9223372036854775808"),
        ("9223372036854775808", None),
        ("7 / 0", None),
        ("7 % zero", None),
        ("-host", None),
        ("'A' not in host", None),
        ("(host)|upper", None),
        ("host|add:-1", None),
        ("1.", None),
        ("host[0][1]", None),
        ("host ; no", None),
        ("not", None),
        ("", None),
    ],
)
def test_arithmetic_is_that_of_go(expression: str, result: str | None) -> None:
    if result is not None:
        assert render(f"{{{{ {expression} }}}}") == result
        return
    with pytest.raises(PayloadError, match="qc/ANY/any/main:1:"):
        render(f"{{{{ {expression} }}}}")


@pytest.mark.parametrize(
    ("base", "exponent", "result"),
    [
        ("8.3", "5", "39390.406430"),
        ("2", "0.5", "1.414214"),
        ("10", "'-2'", "0.010000"),
        ("0", "'-1'", "+Inf"),
        ("'-8'", "'0.3'", "NaN"),
        ("'-2'", "3", "-8.000000"),
        ("'1e200'", "2", "+Inf"),
        ("'-1e200'", "3", "-Inf"),
        ("7.3", "51", "107020226587108357532828817042385106494291968.000000"),
    ],
)
def test_powers_have_the_digits_of_go(base: str, exponent: str, result: str) -> None:
    assert render(f"{{{{ {base} ^ {exponent} }}}}") == result


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", "12"),
        ("-3.99", "-3"),
        ("1e3", "1000"),
        ("1_000", "1000"),
        ("1__0", "0"),
        ("0x1p4", "16"),
        ("0x10", "0"),
        (" 5", "0"),
        (".5e1", "5"),
        ("1e999", "0"),
        ("inf", "-9223372036854775808"),
        ("nan", "-9223372036854775808"),
        ("x", "0"),
        ("٣", "0"),
    ],
)
def test_a_text_reads_as_a_number_as_go_reads_it(text: str, number: str) -> None:
    assert render("{{ x|integer }}", variables={"x": text}) == number
