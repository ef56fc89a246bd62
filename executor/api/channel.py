"""One end of an ordered, reliable conversation over messages that Mesos may lose, double or swap.

Every packet has a number and tells what was heard; what is not confirmed is sent again. A conversation is begun by the
executor, under a new id; its bodies are serialised Reports and Commands. Clock and transport are given: no I/O here.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Callable
from itertools import islice

import msgspec

from occ.errors import LinkError

RESEND_S = 2.0
"""For a packet to be confirmed before it is sent again; doubled each time up to the next."""
RESEND_MAX_S = 30.0
RESEND_COUNT = 100
"""So many packets, the oldest, are sent again at a time."""
CONFIRM_S = 0.05
"""A confirmation waits so long for a packet that it can travel with."""
MAX_UNCONFIRMED = 10_000
"""Packets; when more wait, the other end is taken for dead."""
MAX_EARLY = 1_000
"""Packets kept that came before their turn."""


class Packet(msgspec.Struct, frozen=True, array_like=True):
    """One message of Mesos."""

    conversation: str
    number: int = 0
    """From 1; 0 carries nothing and only confirms or asks."""
    heard: int = 0
    """The last number up to which all was heard."""
    bodies: tuple[bytes, ...] = ()
    begin_again: bool = False
    """The conversation is not known here."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Packet)


def packet_to_text(packet: Packet) -> str:
    """Return the packet as Mesos carries it."""
    return base64.b64encode(_ENCODER.encode(packet)).decode()


def packet_from_text(text: str) -> Packet:
    """Return the packet in a message.

    Raises:
        LinkError: it is none.
    """
    try:
        return _DECODER.decode(base64.b64decode(text))
    except (ValueError, msgspec.MsgspecError) as error:
        raise LinkError(f"a message is no packet: {error}") from error


class Channel:
    """One end. Used on one loop.

    Args:
        transmit: sends a message; it may be lost.
        on_body: gets every body of the other end, once, in order.
        on_dead: called when too much waits to be confirmed.
    """

    def __init__(
        self,
        conversation: str,
        *,
        transmit: Callable[[str], None],
        on_body: Callable[[bytes], None],
        on_dead: Callable[[], None],
    ) -> None:
        self.conversation = conversation
        self._transmit = transmit
        self._on_body = on_body
        self._on_dead = on_dead
        self._loop = asyncio.get_running_loop()
        self._bodies: list[bytes] = []
        self._flush: asyncio.Handle | None = None
        self._unconfirmed: deque[tuple[int, tuple[bytes, ...]]] = deque()
        self._last = 0
        self._heard = 0
        self._early: dict[int, Packet] = {}
        self._resend: asyncio.TimerHandle | None = None
        self._resend_s = RESEND_S
        self._confirm: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._drained = asyncio.Event()
        self._drained.set()

    @property
    def unconfirmed(self) -> int:
        """How many packets were not confirmed yet."""
        return len(self._unconfirmed)

    def send(self, body: bytes) -> None:
        """Send with all else that is sent in this turn of the loop."""
        if self._is_closed:
            return
        self._bodies.append(body)
        self._drained.clear()
        if self._flush is None:
            self._flush = self._loop.call_soon(self._send_bodies)

    def receive(self, packet: Packet) -> None:
        """Take in a packet of this conversation."""
        self._take_confirmation(packet.heard)
        if self._resend_s > RESEND_S and self._unconfirmed:
            self.hurry()
        if packet.number == 0 or self._is_closed:
            return
        if packet.number > self._heard and (len(self._early) < MAX_EARLY or packet.number == self._heard + 1):
            self._early[packet.number] = packet
        while not self._is_closed and (following := self._early.pop(self._heard + 1, None)):
            self._heard += 1
            for body in following.bodies:
                self._on_body(body)
        if self._confirm is None and not self._is_closed:
            self._confirm = self._loop.call_later(CONFIRM_S, self._send_confirmation)

    def hurry(self) -> None:
        """The way is free again: send what waits now, and a sign of life in any case."""
        if self._is_closed:
            return
        if self._resend:
            self._resend.cancel()
        self._resend_s = RESEND_S / 2  # doubled as it is sent
        self._send_confirmation()
        self._send_again()

    async def drained(self) -> None:
        """Wait until all was confirmed; has no deadline of its own."""
        await self._drained.wait()

    def left(self) -> list[bytes]:
        """Return what was not confirmed, in order."""
        return [body for _, bodies in self._unconfirmed for body in bodies] + self._bodies

    def close(self) -> None:
        """Send and hear nothing any more."""
        self._is_closed = True
        for handle in (self._flush, self._resend, self._confirm):
            if handle:
                handle.cancel()

    def _send_bodies(self) -> None:
        self._flush = None
        bodies, self._bodies = tuple(self._bodies), []
        if len(self._unconfirmed) >= MAX_UNCONFIRMED:
            self.close()
            self._on_dead()
            return
        self._last += 1
        self._unconfirmed.append((self._last, bodies))
        self._emit(self._last, bodies)
        if self._resend is None:
            self._resend_s = RESEND_S
            self._resend = self._loop.call_later(self._resend_s, self._send_again)

    def _send_again(self) -> None:
        self._resend = None
        if not self._unconfirmed:
            return
        for number, bodies in islice(self._unconfirmed, RESEND_COUNT):
            self._emit(number, bodies)
        self._resend_s = min(2 * self._resend_s, RESEND_MAX_S)
        self._resend = self._loop.call_later(self._resend_s, self._send_again)

    def _send_confirmation(self) -> None:
        self._emit(0, ())

    def _emit(self, number: int, bodies: tuple[bytes, ...]) -> None:
        if self._confirm:
            self._confirm.cancel()
            self._confirm = None
        self._transmit(packet_to_text(Packet(self.conversation, number, self._heard, bodies)))

    def _take_confirmation(self, heard: int) -> None:
        before = len(self._unconfirmed)
        while self._unconfirmed and self._unconfirmed[0][0] <= heard:
            self._unconfirmed.popleft()
        if len(self._unconfirmed) == before:
            return
        if self._resend:
            self._resend.cancel()
            self._resend_s = RESEND_S
            self._resend = self._loop.call_later(RESEND_S, self._send_again) if self._unconfirmed else None
        if not self._unconfirmed and not self._bodies:
            self._drained.set()
