"""Values made quickly are the values that their class makes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import pytest

from server.api.model import Change, Task
from server.api.quick import quickly

USUAL = Task(task_id="t", pid=5)
VALUES = {one.name: getattr(USUAL, one.name) for one in fields(Task)}


def test_a_value_made_quickly_is_equal_to_the_usual_one_and_of_its_class() -> None:
    quick = quickly(Task)(**VALUES)
    assert type(quick) is Task and quick == USUAL and hash(quick) == hash(USUAL) and repr(quick) == repr(USUAL)
    assert replace(quick, pid=6) == Task(task_id="t", pid=6)


def test_it_is_as_frozen_as_its_class() -> None:
    with pytest.raises(FrozenInstanceError):
        quickly(Task)(**VALUES).name = "b"


def test_all_fields_are_wanted_in_their_order_or_by_name() -> None:
    assert quickly(Change)(USUAL, 4) == quickly(Change)(revision=4, value=USUAL) == Change(USUAL, 4)
    with pytest.raises(TypeError, match="revision"):
        quickly(Change)(USUAL)
