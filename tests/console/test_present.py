"""Values as words."""

from __future__ import annotations

import pytest

from console.present import measured
from server.api.model import Metric


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
