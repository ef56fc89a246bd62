"""The grammar of scripts, and of their conditions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.exit_codes import USAGE, ExitError
from console.expressions import evaluate
from console.script_lines import Unset, insert, read, split
from server.api.model import Environment

ENVIRONMENT = Environment(
    id="2abc",
    state="RUNNING",
    run_number=7,
    tasks_ok=3,
    tasks_total=4,
    tasks_error=1,
    bytes_moved=2e6,
    bytes_per_s=10.0,
)


def test_a_script_is_read_line_by_line() -> None:
    script = read(
        "# a test\non-error continue\n\nid = env create 'a b' -e x#1   # not x\nretry 3 env start $id; env stop $id\n"
        "cleanup:\n  env destroy $id --yes\n",
        "f",
    )
    assert script.on_error == "continue"
    assert [(step.line, step.words, step.capture, step.attempts) for step in script.steps] == [
        (4, ("env", "create", "a b", "-e", "x#1"), "id", 1),
        (5, ("env", "start", "$id"), "", 3),
        (5, ("env", "stop", "$id"), "", 1),
    ]
    assert [step.words for step in script.cleanup] == [("env", "destroy", "$id", "--yes")]


def test_a_condition_keeps_its_quotes_and_signs() -> None:
    (step,) = read('expect env.state == "RUNNING" and env.run_number != 0', "f").steps
    assert step.words == ("expect", 'env.state == "RUNNING" and env.run_number != 0')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nenv show 'a", "f:2: ' is not closed"),
        ("retry env ls", "f:1: retry takes a number"),
        ("on-error explode", "f:1: on-error takes stop, continue, cleanup"),
        ("cleanup:\ncleanup:", "f:2: a second cleanup"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ExitError, match=message) as caught:
        read(text, "f")
    assert caught.value.code == USAGE


def test_variables_are_inserted_with_defaults_and_dollars() -> None:
    assert insert("$a-${b:-2}-${a:-x}-$$a", {"a": "1"}) == "1-2-1-$a"
    assert insert("${e:-}", {}) == ""
    with pytest.raises(Unset, match="missing"):
        insert("$missing", {})


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="'"), min_size=1), max_size=5))
def test_quoted_words_come_back_as_they_were(words: list[str]) -> None:
    assert split(" ".join(f"'{word}'" for word in words), "f") == words


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("env.state == RUNNING", True),
        ("env.state == 'CONFIGURED'", False),
        ("env.run_number == 7 and env.tasks.error == 0", False),
        ("env.run_number == 7 and not env.tasks.error == 0", True),
        ("env.tasks.ok == env.tasks.total or env.bytes > 1MB", True),
        ("(env.bytes > 1GB or env.rate >= 10) and env.tasks.total <= 4", True),
        ("not (env.rate < 5)", True),
        ("env.bytes == 2e6", True),
    ],
)
def test_conditions_are_evaluated(text: str, holds: bool) -> None:
    assert evaluate(text, ENVIRONMENT).holds is holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("env.stat == RUNNING", "'env.stat' is no value"),
        ("env.state = RUNNING", "cannot read '= RUNNING'"),
        ("env.state ==", "a value is missing"),
        ("env.state", "after a value comes one of"),
        ("(env.rate > 1", "a \\) is missing"),
        ("env.rate > 1 2", "'2' is one word too many"),
        ("env.state > 1", "compares numbers"),
        ("__import__('os') == 1", "is no value"),
        ("", "a value is missing"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ExitError, match=message) as caught:
        evaluate(text, ENVIRONMENT)
    assert caught.value.code == USAGE


@given(st.text(max_size=30))
def test_any_text_is_evaluated_or_refused(text: str) -> None:
    try:
        evaluate(text, ENVIRONMENT)
    except ExitError as error:
        assert error.code == USAGE


def test_a_condition_tells_the_fields_it_looked_at() -> None:
    assert evaluate("env.rate > 50 or env.state == ERROR", ENVIRONMENT).facts == {
        "env.rate": 10.0,
        "env.state": "RUNNING",
    }
