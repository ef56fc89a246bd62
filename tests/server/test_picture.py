"""The live picture: snapshots, batches, resuming, watchers of any speed."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from server import batches
from server import picture as room
from server.api import live_pb2
from server.api.convert import from_batch, to_change
from server.api.model import (
    Batch,
    Change,
    Environment,
    EnvironmentEvent,
    Fault,
    History,
    Kind,
    Part,
    Removal,
    Role,
    RoleEvent,
    Task,
    TaskEvent,
    Variables,
)
from server.clock import now_ms
from server.live import LiveService
from server.picture import Picture


class Watcher:
    """One call of Watch without gRPC: what the servicer yields, one batch at a time, each wait with a deadline."""

    def __init__(self, picture: Picture, **request: Any) -> None:
        context: Any = None
        self._batches = LiveService(picture).watch(live_pb2.WatchRequest(**request), context)

    async def next(self, timeout_s: float = 60.0) -> Batch:
        async with asyncio.timeout(timeout_s):
            return read(await anext(self._batches))


def read(data: bytes) -> Batch:
    return from_batch(live_pb2.Batch.FromString(data))


async def settle() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_changes_of_one_turn_leave_as_one_batch_and_only_the_last_of_a_thing() -> None:
    picture = Picture("e1")
    for number in range(5):
        picture.update(Task(task_id="t", pid=number))
        picture.update(Task(task_id="u"))
    await settle()
    after = picture.after(0)
    assert after is not None
    batch = read(after[1])
    assert (batch.seq, batch.part, batch.epoch) == (1, Part.NONE, "e1")
    assert [change.value for change in batch.changes] == [Task(task_id="t", pid=4), Task(task_id="u")]


async def test_a_snapshot_holds_what_is_there_and_the_last_events_with_their_revisions() -> None:
    picture = Picture("e1")
    picture.update(Environment(id="a"))
    picture.update(Environment(id="b"))
    event = EnvironmentEvent(at_ms=1, environment_id="a")
    picture.log(event)
    await settle()
    picture.remove(Kind.ENVIRONMENT, "b")
    await settle()
    begin, end = (read(data) for data in picture.snapshot())
    assert (begin.part, end.part) == (Part.BEGIN, Part.END)
    assert [(change.value, change.revision) for change in begin.changes] == [(Environment(id="a"), 1), (event, 3)]
    assert begin.seq == picture.seq == 2


async def test_a_snapshot_holds_so_many_events_and_no_more() -> None:
    picture = Picture("e1")
    for number in range(room.EVENTS_KEPT + 50):
        picture.log(EnvironmentEvent(at_ms=number, environment_id="a"))
    await settle()
    begin = read(picture.snapshot()[0])
    assert [change.value.at_ms for change in begin.changes if isinstance(change.value, EnvironmentEvent)] == list(
        range(50, room.EVENTS_KEPT + 50)
    )


async def test_what_is_shown_already_is_not_sent_again() -> None:
    picture = Picture("e1")
    picture.update(Task(task_id="t"))
    await settle()
    picture.update(Task(task_id="t"))
    await settle()
    assert picture.seq == 1


async def test_with_an_environment_goes_all_that_is_its_own() -> None:
    picture = Picture("e1")
    picture.update(Environment(id="a"))
    picture.update(Role(environment_id="a", path="x", order=0))
    picture.update(Fault(environment_id="a"))
    picture.update(Variables(environment_id="a"))
    picture.update(History(environment_id="a"))
    await settle()
    picture.remove(Kind.ENVIRONMENT, "a")
    await settle()
    assert not read(picture.snapshot()[0]).changes
    after = picture.after(1)
    assert after is not None
    assert [change.value for change in read(after[1]).changes] == [Removal(Kind.ENVIRONMENT, "a")]


async def test_batches_that_piled_up_reach_a_watcher_as_one() -> None:
    picture = Picture("e1")
    for number in range(10):
        picture.update(Task(task_id=f"t{number}"))
        await settle()
    after = picture.after(3)
    assert after is not None
    batch = read(after[1])
    assert after[0] == batch.seq == 10
    assert [change.value.task_id for change in batch.changes if isinstance(change.value, Task)] == [
        f"t{n}" for n in range(3, 10)
    ]


async def test_messages_stay_small_and_the_ring_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(batches, "RING_BYTES", 5000)
    picture = Picture("e1")
    for number in range(100):
        picture.update(Task(task_id=f"t{number}", error="x" * 200))
    await settle()
    assert all(len(data) < 1400 for data in picture.snapshot())
    whole = [change for data in picture.snapshot() for change in read(data).changes]
    assert len(whole) == 100
    assert picture.after(0) is None, "its place in the ring is gone: it needs a snapshot"
    assert not picture.can_resume("e1", 0)
    assert picture.can_resume("e1", picture.seq)
    assert not picture.can_resume("e2", picture.seq)


async def test_what_nobody_reads_is_not_serialised_and_what_many_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Change] = []

    def counted(change: Change) -> live_pb2.Change:
        made.append(change)
        return to_change(change)

    monkeypatch.setattr(batches, "to_change", counted)
    picture = Picture("e1")
    for number in range(3):
        picture.update(Task(task_id="t", pid=number))
        await settle()
    assert not made
    assert picture.after(2) == picture.after(2)
    assert len(picture.snapshot()) == 2
    assert [change.value for change in made] == [Task(task_id="t", pid=2)]


def test_what_comes_by_the_ten_thousand_is_estimated_well() -> None:
    path = "readout-dataflow.host-flp001.readout"
    class_name = "github.com/AliceO2Group/ControlWorkflows/tasks/readout@4f5e4bd2ea3b3bd9b3d44bf7e1c2ba1d1e6d0b7a"
    for thing in (
        Task(task_id="2oDvieFrVTi", name="readout", class_name=class_name, environment_id="2oDvieFrVTi", path=path,
             host="flp001", state="RUNNING", status="ACTIVE", pid=1234, state_since_ms=1_795_000_000_000,
             sandbox_stdout="http://127.0.0.1:39999/files/download?path=2oDvieFrVTi/stdout", mode="direct"),
        Role(environment_id="2oDvieFrVTi", path=path, parent="readout-dataflow.host-flp001", name="readout", kind="task",
             state="RUNNING", status="ACTIVE", task_id="2oDvieFrVTi", order=17, parent_order=16),
        TaskEvent(at_ms=1_795_000_000_000, name=f"{class_name}#2oDvieFrVTi", task_id="2oDvieFrVTi", state="RUNNING",
                  status="ACTIVE", host="flp001", class_name=class_name, environment_id="2oDvieFrVTi", path=path),
        RoleEvent(at_ms=1_795_000_000_000, name="readout", path=path, environment_id="2oDvieFrVTi", state="RUNNING"),
    ):  # fmt: skip
        entry = batches.Entry(thing, 100_000)
        assert 0.7 < entry.size_bytes / len(entry.wire) < 1.4, (type(thing), entry.size_bytes, len(entry.wire))


async def test_a_watcher_that_asks_for_heartbeats_hears_that_nothing_changed() -> None:
    picture = Picture("e1")
    picture.update(Task(task_id="t"))
    await settle()
    watcher = Watcher(picture, epoch="e1", since=picture.seq, heartbeat_ms=100)
    before_ms = now_ms()
    first, second = await watcher.next(), await watcher.next()
    for beat in (first, second):
        assert (beat.epoch, beat.seq, beat.part, beat.changes) == ("e1", 1, Part.NONE, ())
    assert before_ms + 100 <= first.timestamp_ms <= second.timestamp_ms - 99
    picture.update(Task(task_id="u"))
    changes = await watcher.next()
    assert (changes.seq, [change.value for change in changes.changes]) == (2, [Task(task_id="u")])


async def test_heartbeats_come_ten_times_a_second_at_most() -> None:
    picture = Picture("e1")
    watcher = Watcher(picture, epoch="e1", heartbeat_ms=1)
    began = time.monotonic()
    for _ in range(3):
        await watcher.next()
    assert time.monotonic() - began >= 0.299


async def test_a_watcher_that_asks_for_no_heartbeats_hears_changes_only() -> None:
    picture = Picture("e1")
    watcher = Watcher(picture, epoch="e1")
    beating = Watcher(picture, epoch="e1", heartbeat_ms=100)
    waiting = asyncio.create_task(watcher.next())
    for _ in range(3):
        await beating.next()
    assert not waiting.done()
    picture.update(Task(task_id="t"))
    assert (await waiting).seq == 1


async def test_a_watcher_that_does_not_read_finds_changes_and_no_heap_of_heartbeats() -> None:
    picture = Picture("e1")
    slow = Watcher(picture, epoch="e1", heartbeat_ms=100)
    beating = Watcher(picture, epoch="e1", heartbeat_ms=100)
    await slow.next()
    for number in range(3):
        await beating.next()
        picture.update(Task(task_id=f"t{number}"))
        await settle()
    batch = await slow.next()
    assert (batch.seq, len(batch.changes)) == (3, 3)
