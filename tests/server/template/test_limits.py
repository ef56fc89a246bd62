"""What nobody writes on purpose: it ends soon, with an ExpressionError, and takes no memory worth speaking of."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from server.template.duration import parse_duration
from server.template.errors import ExpressionError
from server.template.gojson import to_integer
from server.template.patterns import search
from server.template.render import render
from server.template.scope import Function
from server.workflow.variables import Lineage, RoleObject

SECONDS = 60.0
"""Of the processor: many times what any of these takes, and nothing of what they would take without limits."""


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS


def doubled(start: str, step: str, times: int) -> str:
    """Return ``let`` upon ``let``, each of which doubles the value before it."""
    lines = [f"let v0 = {start};"] + [f"let v{n} = {step.replace('$', f'v{n - 1}')};" for n in range(1, times)]
    return " ".join(lines) + f" v{times - 1}"


@pytest.mark.parametrize(
    "expression",
    [
        doubled("repeat('x', 1000000)", "$ + $", 40),
        doubled("[1]", "concat($, $)", 40),
        "toJSON(" + doubled("[1]", "[$, $]", 40) + ")",
        doubled("[1]", "[$, $]", 40),
        "string(" + doubled("[1]", "[$, $]", 40) + ")",
        doubled("{a: 1}", "{a: $, b: $}", 40),
        "flatten(" + doubled("[1]", "[$, $]", 40) + ")",
        "len(uniq(" + doubled("[[1], [2]]", "[$, $]", 40) + "))",
        "(" + doubled("[1]", "[$, $]", 40) + ") == (" + doubled("[1]", "[$, $]", 40) + ")",
        "join(map(1..100000, repeat('x', 100000)), '')",
        "map(1..1000000, # in map(1..1000000, 0))",
        "map(1..1000000, upper(repeat('x', 1000000)))",
        "map(1..1000000, json.Unmarshal(repeat('[', 1000000)))",
        "map(1..1000000, strings.ToLower(repeat('x', 1000000)))",
        "map(1..1000, len(toJSON(map(1..100000, 1))))",
        "reduce(1..1000000, #acc + 'x', repeat('y', 900000))",
        "map(1..1000000, repeat('x', 1000000)[5])",
        "1..9223372036854775807",
        "1e300..1e308",
        "repeat('', 1e300)",
        "values(strings.Atoi)",
        "keys(strings)[0] + len(json)",
        "map($env.strings, 1)",
        "'a' matches 'a{99999999999}'",
        "'" + "a" * 60 + "!' matches '(a+)+$'",
        "'" + "a" * 60 + "!' matches '(a|aa)*$'",
        "'a' matches '" + "(" * 400 + "'",
        "/* " * 30_000,
        "'" + "\\u" * 30_000 + "'",
        "((" * 200,
        "-" * 5000 + "1",
        "a" + ".b" * 5000,
        "[" * 3000,
        "1 + " * 40_000 + "1",
        "9" * 20_000,
        "0x" + "f" * 20_000,
    ],
    ids=lambda text: str(text)[:40],
)
def test_an_expression_that_asks_for_too_much_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render("{{ " + expression + " }}", {"a": "b"})
    assert len(caught.value.message) < 3000


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1000000 in 1..1000000", "true"),
        ("2.5 in 1..3", "false"),
        ("3.0 in 1..3", "true"),
        ("json.Unmarshal('\"a\"') in 1..3", "false"),
        ("len(1..1000000)", "1000000"),
        ("len(repeat('x', 1000000))", "1000000"),
        ("flatten([1, [2, [3, 4]], 5])", "[1,2,3,4,5]"),
        ("uniq([1, 1.0, '1', [1], [1.0], true])", '[1,"1",[1],true]'),
        ("join(['a', 'b'], '-')", "a-b"),
        ("concat([1], 2..3)", "[1,2,3]"),
        ("'alio2-cr1-flp145' matches '^alio2-.*flp[0-9]+$'", "true"),
        ("'a-b' matches '(a|b)-(a|b)?'", "true"),
        ("'aXb' matches '(?i)x'", "true"),
        ("type(strings)", "map"),
        ("1 /* a */ + /* b */ 1 // c", "2"),
    ],
)
def test_what_is_no_more_than_usual_still_works(expression: str, result: str) -> None:
    assert render("{{ " + expression + " }}", {}) == result


def test_a_text_does_not_grow_without_end() -> None:
    with pytest.raises(ExpressionError, match="more than 1000000 characters"):
        render("{{ a }}{{ a }}", {"a": "x" * 600_000})


def test_the_ancestors_end_at_the_root_however_far_one_climbs() -> None:
    root = Lineage("", "", None, {}, {}, {})
    role = Lineage("r", "r", root, {}, {}, {})
    up = role.objects({})["Up"]
    assert isinstance(up, Function)
    assert up.work(1) == RoleObject("r", "r")
    assert up.work(1 << 62) is None


def test_numbers_beyond_all_bounds_are_none() -> None:
    assert to_integer("9" * 20_000) is None
    assert to_integer("0" * 20_000 + "7") == 7
    assert parse_duration("9" * 400 + "h") is None
    assert parse_duration("2562047h") is not None and parse_duration("2562048h") is None


@pytest.mark.parametrize("pattern", ["a*" * 40, "(x+x+)+y", "a?" * 60, "(a{0,50}){0,50}"])
def test_a_pattern_that_may_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(ExpressionError, match="may take too long"):
        search(pattern, "a" * 100)
