"""Numbers are thinned, and rates that are not renewed fall to zero."""

from __future__ import annotations

from executor.metrics import MetricBatch


def values(batch: MetricBatch, now_s: float) -> dict[str, float]:
    return {f"{s.task_id}.{s.name}": s.value for s in batch.take(now_s)}


def test_many_updates_within_the_interval_give_one_batch_with_the_last_values() -> None:
    batch = MetricBatch(0.5, 1.25)
    batch.update("t1", [("bytes", 1, "B")], 10.0)
    assert values(batch, 10.0) == {"t1.bytes": 1}
    batch.update("t1", [("bytes", 2, "B")], 10.1)
    batch.update("t1", [("bytes", 3, "B")], 10.2)
    batch.update("t2", [("bytes", 9, "B")], 10.3)
    assert batch.next_s() == 10.5
    assert values(batch, 10.5) == {"t1.bytes": 3, "t2.bytes": 9}
    assert batch.next_s() is None


def test_a_rate_that_is_not_renewed_is_zero_once_and_a_count_stays() -> None:
    batch = MetricBatch(0.5, 1.25)
    batch.update("t1", [("rate", 7, "B/s"), ("bytes", 1, "B")], 10.0)
    assert values(batch, 10.0) == {"t1.rate": 7, "t1.bytes": 1}
    assert batch.next_s() == 11.25
    assert values(batch, 11.2) == {}
    assert values(batch, 11.25) == {"t1.rate": 0}
    assert batch.next_s() is None
    assert values(batch, 20.0) == {}


def test_a_dropped_task_says_nothing_more() -> None:
    batch = MetricBatch(0.5, 1.25)
    batch.update("t1", [("rate", 7, "B/s")], 10.0)
    batch.drop("t1")
    assert values(batch, 12.0) == {}
    assert batch.next_s() is None
