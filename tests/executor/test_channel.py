"""An ordered conversation over messages that get lost, doubled and swapped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.api import channel
from executor.api.channel import Channel, Packet, packet_from_text, packet_to_text
from occ.errors import LinkError


class Pair:
    """Two ends, and a carrier between them that does what a test says."""

    def __init__(self, carry: Callable[[Callable[[], None]], None]) -> None:
        self.heard: dict[str, list[bytes]] = {"left": [], "right": []}
        self.messages = 0
        self._changed = asyncio.Event()
        self._carry = carry
        self.left = self._end("left", lambda: self.right)
        self.right = self._end("right", lambda: self.left)

    def _end(self, name: str, other: Callable[[], Channel]) -> Channel:
        def transmit(text: str) -> None:
            self.messages += 1
            self._carry(lambda: other().receive(packet_from_text(text)))

        def on_body(body: bytes) -> None:
            self.heard[name].append(body)
            self._changed.set()

        return Channel("c", transmit=transmit, on_body=on_body, on_dead=lambda: None)

    async def until_right_has(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.heard["right"]) < count:
                self._changed.clear()
                await self._changed.wait()

    def close(self) -> None:
        self.left.close()
        self.right.close()


def bodies(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


async def test_what_is_sent_in_one_turn_is_one_message() -> None:
    pair = Pair(lambda deliver: deliver())
    for body in bodies(500):
        pair.left.send(body)
    await pair.until_right_has(500)
    assert (pair.heard["right"], pair.messages) == (bodies(500), 1)
    async with asyncio.timeout(60):
        await pair.left.drained()
    assert pair.messages == 2
    pair.close()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40))
def test_all_arrives_once_and_in_order_whatever_happens_to_messages(seed: int, count: int) -> None:
    asyncio.run(_chaos(seed, count))


async def _chaos(seed: int, count: int) -> None:
    chance = random.Random(seed)
    late: list[Callable[[], None]] = []

    def carry(deliver: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        fate = chance.random()
        if fate < 0.25:
            return
        if fate < 0.5:
            loop.call_soon(deliver)
        late.append(deliver)
        chance.shuffle(late)
        if len(late) > 2:
            loop.call_soon(late.pop())

    before = channel.RESEND_S, channel.CONFIRM_S
    channel.RESEND_S, channel.CONFIRM_S = 0.005, 0.001
    try:
        pair = Pair(carry)
        for number, body in enumerate(bodies(count)):
            pair.left.send(body)
            pair.right.send(body)
            if number % 3 == 0:
                await asyncio.sleep(0)
        await pair.until_right_has(count)
        assert pair.heard["right"] == bodies(count)
        assert pair.heard["left"] == bodies(count)[: len(pair.heard["left"])]
        pair.close()
    finally:
        channel.RESEND_S, channel.CONFIRM_S = before


async def test_pauses_grow_while_nobody_answers_and_end_with_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "RESEND_S", 0.01)
    monkeypatch.setattr(channel, "RESEND_MAX_S", 1000.0)
    sent: list[Packet] = []
    end = Channel(
        "c", transmit=lambda text: sent.append(packet_from_text(text)), on_body=lambda body: None, on_dead=lambda: None
    )
    end.send(b"a")
    async with asyncio.timeout(60):
        while len(sent) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    before = len(sent)
    end.receive(Packet("c"))
    assert [packet.number for packet in sent[before:]] == [0, 1]
    end.receive(Packet("c", heard=1))
    assert end.unconfirmed == 0
    end.close()


async def test_what_was_not_confirmed_can_be_taken_over() -> None:
    pair = Pair(lambda deliver: None)
    pair.left.send(b"a")
    await asyncio.sleep(0)
    pair.left.send(b"b")
    assert pair.left.left() == [b"a", b"b"]
    pair.close()


async def test_an_end_that_confirms_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "MAX_UNCONFIRMED", 3)
    dead = asyncio.Event()
    lone = Channel("c", transmit=lambda text: None, on_body=lambda body: None, on_dead=dead.set)
    for body in bodies(4):
        lone.send(body)
        await asyncio.sleep(0)
    assert dead.is_set()


def test_packets_survive_their_text_and_other_texts_are_refused() -> None:
    packet = Packet("c", 3, 2, (b"\x00x", b""), begin_again=True)
    assert packet_from_text(packet_to_text(packet)) == packet
    for text in ("", "hello", "aGVsbG8="):
        with pytest.raises(LinkError, match="is no packet"):
            packet_from_text(text)
