"""The bus: numbering, bounds, ends."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.bus import EventBus, Published, Resync


async def test_every_subscriber_gets_what_is_published_after_it_came() -> None:
    bus = EventBus()
    assert bus.publish("early") == 1
    one, two = bus.subscribe(10), bus.subscribe(10)
    assert bus.publish("late") == 2
    assert await anext(one) == Published(2, "late")
    assert await anext(two) == Published(2, "late")


async def test_a_waiting_subscriber_wakes_at_the_next_event() -> None:
    bus = EventBus()
    subscription = bus.subscribe(10)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        reader = group.create_task(subscription.batch())
        await asyncio.sleep(0)
        assert not reader.done()
        bus.publish("x")
    assert reader.result() == [Published(1, "x")]


async def test_a_slow_subscriber_loses_its_queue_and_learns_up_to_where() -> None:
    bus = EventBus()
    slow, quick = bus.subscribe(3), bus.subscribe(100)
    for number in range(1, 7):
        bus.publish(number)
    assert slow.take() == [Resync(4), Published(5, 5), Published(6, 6)]
    assert [item.seq for item in quick.take()] == [1, 2, 3, 4, 5, 6]


@given(st.integers(1, 5), st.lists(st.one_of(st.just("publish"), st.just("take")), max_size=60))
def test_what_a_subscriber_gets_has_no_gap_but_at_a_resync(bound: int, steps: list[str]) -> None:
    async def run() -> None:
        bus = EventBus()
        subscription = bus.subscribe(bound)
        last = 0
        for step in [*steps, "take"]:
            if step == "publish":
                bus.publish(object())
                continue
            taken = subscription.take()
            assert len(taken) <= bound
            for item in taken:
                assert item.seq > last if isinstance(item, Resync) else item.seq == last + 1
                last = item.seq
        assert last == bus.seq

    asyncio.run(run())


async def test_after_close_the_rest_can_be_read_and_then_it_ends() -> None:
    bus = EventBus()
    subscription = bus.subscribe(10)
    bus.publish("a")
    bus.close()
    bus.publish("b")
    async with asyncio.timeout(60):
        assert [item async for item in subscription] == [Published(1, "a")]
        assert await subscription.batch() == []
    assert bus.subscribers == 0


async def test_close_wakes_a_waiting_reader() -> None:
    subscription = EventBus().subscribe(1)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        reader = group.create_task(subscription.batch())
        await asyncio.sleep(0)
        subscription.close()
    assert reader.result() == []


def test_a_bound_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        EventBus().subscribe(0)
