"""Values as words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.present import measured, task_problem
from server.api.model import Metric, Task


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (Metric("process.memory", 52_400_000.0, "B"), "52.4 MB"),
        (Metric("data.rate", 1500.0, "B/s"), "1.5 kB/s"),
        (Metric("process.cpu", 12.5, "%"), "12.5 %"),
        (Metric("process.threads", 3.0, "1"), "3"),
        (Metric("events", 7.0, ""), "7"),
    ],
)
def test_a_metric_is_told_in_its_unit_and_a_bare_number_without_one(metric: Metric, words: str) -> None:
    assert measured(metric) == words


def test_how_the_last_process_of_a_living_task_ended_is_no_problem_of_the_task() -> None:
    ended = Task(task_id="t1", status="INACTIVE", signal=9)
    assert task_problem(ended) == "killed by signal 9"
    assert task_problem(replace(ended, status="ACTIVE")) == ""
    assert task_problem(replace(ended, status="ACTIVE", error="does not answer")) == "does not answer"
