"""Numbers are thinned, and rates that are not renewed fall to zero."""

from __future__ import annotations

import asyncio
from pathlib import Path

from executor.api.messages import MetricSample
from executor.folders import TaskFolders
from executor.limits import TaskLimits
from executor.metrics import PART_S, PART_TASKS, MetricBatch
from executor.process import Processes
from executor.rounds import Rounds
from executor.settings import Settings

DEADLINE_S = 60.0


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


def test_values_that_stay_are_not_told_again_unless_there_is_a_new_listener() -> None:
    batch = MetricBatch(0.5, 1.25)
    steady = [("rate", 7.0, "B/s"), ("errors", 0.0, "1")]
    batch.update("t1", steady, 10.0)
    assert values(batch, 10.0) == {"t1.rate": 7, "t1.errors": 0}
    for now_s in (10.5, 11.0, 11.5, 12.0):
        batch.update("t1", steady, now_s)
        assert values(batch, now_s) == {}
    assert batch.next_s() == 13.25  # its rate falls if it is not renewed
    batch.tell_all()
    assert values(batch, 12.0) == {"t1.rate": 7, "t1.errors": 0}


def test_many_tasks_are_told_a_few_at_a_time_and_each_once_a_round() -> None:
    batch, told, now_s = MetricBatch(0.5, 1.25), list[str](), 10.0
    for number in range(3 * PART_TASKS - 1):
        batch.update(f"t{number}", [("bytes", 1.0, "B")], now_s)
    parts = []
    while (due_s := batch.next_s()) is not None:
        now_s = max(now_s, due_s)
        parts.append(list(values(batch, now_s)))
        batch.update("t0", [("bytes", now_s, "B")], now_s)
        told += parts[-1]
        if len(parts) == 4:
            break
    assert [len(part) for part in parts] == [PART_TASKS, PART_TASKS, PART_TASKS - 1, 1]
    assert told == [f"t{number}.bytes" for number in range(3 * PART_TASKS - 1)] + ["t0.bytes"]
    assert now_s == 10.5  # the next round, not before


def test_a_task_that_is_dropped_within_a_round_is_left_out() -> None:
    batch = MetricBatch(0.5, 1.25)
    for number in range(PART_TASKS + 2):
        batch.update(f"t{number}", [("rate", 1.0, "B/s")], 10.0)
    batch.take(10.0)
    batch.drop(f"t{PART_TASKS}")
    assert values(batch, 10.0 + PART_S) == {f"t{PART_TASKS + 1}.rate": 1}
    assert values(batch, 10.0 + PART_S) == {}


async def test_what_the_link_has_no_room_for_is_told_later_and_the_last_value_is_not_lost(tmp_path: Path) -> None:
    folders, told, asked = TaskFolders(tmp_path, 0, 0), asyncio.Queue[MetricSample](), asyncio.Semaphore(0)
    is_full = True

    def has_room() -> bool:
        asked.release()
        return not is_full

    rounds = Rounds(
        Settings(metrics_interval_s=0.01), Processes(folders, "test", 0, lambda end: None), folders,
        TaskLimits("", off="switched off"), living=tuple, tell=lambda samples: [told.put_nowait(one) for one in samples],
        has_room=has_room, start=lambda work, name: work.close(),
    )  # fmt: skip
    rounds.take("t1", [("bytes", 1.0, "B")])
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(3):
            await asked.acquire()
        assert told.empty()
        rounds.take("t1", [("bytes", 2.0, "B")])
        is_full = False
        assert (await told.get()).value == 2.0
    assert told.empty()
    rounds.close()
