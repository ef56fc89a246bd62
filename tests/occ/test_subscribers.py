"""What a controller publishes, to many who read at their own pace."""

from __future__ import annotations

import asyncio

from occ.control import Channel


async def test_a_subscriber_that_does_not_read_is_dropped_and_the_others_go_on() -> None:
    channel: Channel[int] = Channel()
    sleeper, reader = channel.subscribe(), channel.subscribe()
    first = [asyncio.ensure_future(anext(stream)) for stream in (sleeper, reader)]
    await asyncio.sleep(0)
    for number in range(1500):
        channel.publish(number)
        if number:
            assert await anext(reader) == number
        else:
            assert await asyncio.gather(*first) == [0, 0]
    assert channel.subscribers == 1
    assert len([value async for value in sleeper]) == 1000
    channel.close()
    assert [value async for value in reader] == []
    assert [value async for value in channel.subscribe()] == []
