"""What follows a pipe works on rows, before they are written out."""

from __future__ import annotations

import json

import pytest

from console import pipes
from console.exit_codes import ExitError
from console.results import Result, render

ROWS = (
    {"id": "2aa", "state": "RUNNING", "run": 7, "detectors": ("ITS", "TPC"), "tasks": "8/8", "task_id": "t1"},
    {"id": "2bb", "state": "CONFIGURED", "run": None, "detectors": ("TOF",), "tasks": "12/12", "task_id": "t2"},
    {"id": "2cc", "state": "CONFIGURED", "run": None, "detectors": (), "tasks": "2/12", "task_id": "t3"},
)
LISTED = Result(
    rows=ROWS, data=["all"], columns=("id", "state", "run", "detectors", "tasks"), ids=("2aa", "2bb", "2cc")
)
SHOWN = Result(facts={"id": "2aa", "state": "RUNNING", "hosts": 2}, text="line one\nline two\n", ids=("2aa",))


def piped(line: str, result: Result = LISTED) -> Result:
    _, *texts = pipes.segments(f"verb {line}")
    return pipes.through(result, pipes.read(texts))


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("", "2aa 2bb 2cc"),
        ("| grep RUN", "2aa"),
        ("| grep run", "2aa"),
        ("| grep Run", ""),
        ("| grep -v RUN", "2bb 2cc"),
        ("| grep 'TOF|ITS'", "2aa 2bb"),
        ("| where state=running", "2aa"),
        ("| where state!=RUNNING", "2bb 2cc"),
        ("| where state=RUNNING,ERROR", "2aa"),
        ("| where detectors=tpc", "2aa"),
        ("| where detectors~t", "2aa 2bb"),
        ("| where tasks>8", "2bb"),
        ("| where tasks >= 8", "2aa 2bb"),
        ("| where run=-", "2bb 2cc"),
        ("| where state=CONFIGURED tasks<8", "2cc"),
        ("| where state = CONFIGURED | first 1", "2bb"),
        ("| where task=t3", "2cc"),
        ("| first 2", "2aa 2bb"),
        ("| first 0", ""),
    ],
)
def test_rows_are_chosen(line: str, ids: str) -> None:
    assert render(piped(line), "id").split() == ids.split()


def test_columns_are_chosen_for_people_and_programs() -> None:
    left = piped("| select state id | first 1")
    assert render(left, "table").split() == ["STATE", "ID", "RUNNING", "2aa"]
    assert json.loads(render(left, "json")) == [{"state": "RUNNING", "id": "2aa"}]


def test_rows_are_counted_also_by_value() -> None:
    assert render(piped("| count"), "table") == "3\n"
    assert render(piped("| count"), "json") == "3\n"
    assert json.loads(render(piped("| count state"), "json")) == [
        {"state": "CONFIGURED", "count": 2},
        {"state": "RUNNING", "count": 1},
    ]


def test_one_thing_is_one_row_and_its_lines_can_be_searched() -> None:
    assert piped("| select hosts", SHOWN).facts == {"hosts": 2}
    assert piped("| where state=ERROR", SHOWN).facts == {}
    found = piped("| grep two", SHOWN)
    assert (found.facts, found.text) == ({}, "line two\n")
    assert piped("| grep running", SHOWN).facts == {"state": "RUNNING"}


def test_a_tree_is_searched_line_by_line() -> None:
    tree = Result(rows=({"path": "a"}, {"path": "a.b"}), columns=("path",), text="a\n└─ b\n", ids=("a", "a.b"))
    assert render(piped("| grep b", tree), "table") == "└─ b\n"
    assert render(piped("| grep b", tree), "id") == "a.b\n"


def test_how_a_verb_ended_survives_the_pipe() -> None:
    failed = Result(rows=ROWS, columns=("id",), code=7, problem="it broke")
    assert (piped("| count", failed).code, piped("| count", failed).problem) == (7, "it broke")


def test_quotes_keep_a_bar_from_being_a_pipe() -> None:
    assert pipes.segments("a 'x|y' | grep \"|\" |count") == ["a 'x|y' ", ' grep "|" ', "count"]


def test_saving_is_last_and_may_be_forced() -> None:
    assert pipes.read(["first 1", "save -f out.json"]) == pipes.Pipe((pipes.Stage("first", ("1",)),), "out.json", True)
    assert pipes.read(["save out.json"]).file == "out.json"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("| gerp x", "gerp: no such stage", "grep"),
        ("|", "nothing after |", "grep"),
        ("| first many", "| first many", "first 3"),
        ("| where state", "no condition", "where"),
        ("| where stat=RUNNING", "no column 'stat'", "state"),
        ("| select nothing", "no column 'nothing'", "there are id"),
        ("| save f | count", "nothing can follow", "last"),
        ("| grep (", "grep (", "regular"),
        ("| count a b", "count a b", "count COLUMN"),
    ],
)
def test_a_wrong_stage_is_named_with_what_to_do(line: str, message: str, hint: str) -> None:
    with pytest.raises(ExitError) as caught:
        piped(line)
    assert message in caught.value.message and hint in caught.value.hint


def test_verbs_that_stream_are_searched_and_nothing_more() -> None:
    shows = pipes.line_filter(pipes.read(["grep RUN", "grep -v ITS"]))
    assert [shows(line) for line in ("RUN TPC", "RUN ITS", "CFG")] == [True, False, False]
    with pytest.raises(ExitError, match="writes lines as they come"):
        pipes.line_filter(pipes.read(["count"]))
