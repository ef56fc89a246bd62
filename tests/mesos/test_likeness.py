"""The comparison with recordings: it must see a difference, and no more than that."""

from __future__ import annotations

import pytest
from mesos.likeness import Names, differences
from mesos.terms import Json

MASTER, OTHER = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-aaaaaaaaaaaa"


def test_the_same_name_must_stand_for_the_same_thing() -> None:
    names = Names()
    assert differences({"id": f"{MASTER}-O1"}, {"id": f"{OTHER}-O7"}, names) == []
    assert differences({"id": f"{MASTER}-O1"}, {"id": f"{OTHER}-O7"}, names) == []
    assert differences({"id": f"{MASTER}-O1"}, {"id": f"{OTHER}-O8"}, names) != []
    assert differences({"id": f"{MASTER}-O2"}, {"id": f"{OTHER}-O7"}, names) != []


def test_a_recorded_call_is_made_with_our_names() -> None:
    names = Names()
    names.bind(f"{MASTER}-O1", f"{OTHER}-O7")
    call = {"offer_ids": [{"value": f"{MASTER}-O1"}], "refuse_seconds": 1, "task": "t1"}
    assert names.ours(call) == {"offer_ids": [{"value": f"{OTHER}-O7"}], "refuse_seconds": 1, "task": "t1"}


@pytest.mark.parametrize(
    ("recorded", "ours"),
    [
        ({"state": "TASK_LOST"}, {"state": "TASK_GONE"}),
        ({"state": "TASK_LOST"}, {"state": "TASK_LOST", "uuid": "AA=="}),
        ({"state": "TASK_LOST", "uuid": "AA=="}, {"state": "TASK_LOST"}),
        ({"range": [{"begin": 1}]}, {"range": []}),
        ({"status": 9}, {"status": 0}),
        ({"timestamp": 1.0}, {"timestamp": "now"}),
    ],
)
def test_what_differs_is_seen(recorded: Json, ours: Json) -> None:
    assert len(differences(recorded, ours, Names())) == 1


def test_moments_and_spellings_of_numbers_are_no_difference() -> None:
    recorded = {"timestamp": 1795383376.0, "executor_pid": 21620, "scalar": {"value": 32.0}}
    assert differences(recorded, {"timestamp": 5, "executor_pid": 7, "scalar": {"value": 32}}, Names()) == []
