"""The core's end of its conversations with executors where only messages of Mesos connect the two.

An executor begins one with a Hello; whoever speaks in one that is not known is asked to begin again. Order and loss of
messages: executor/api/channel.py. Who the executors are: mesos.py.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from google.protobuf.message import DecodeError

from executor.api import executor_pb2
from executor.api.channel import Channel, Packet, packet_from_text, packet_to_text
from executor.api.convert import command_to_pb, report_from_pb
from executor.api.messages import Command, Hello, Ping, Report
from occ.errors import AliecsError, LinkError

log = logging.getLogger(__name__)

_REMEMBERED = 1000
Transmit = Callable[[str, str, str], None]
"""Takes agent id, executor id and the text of a message, which may be lost."""


class LinkOwner(Protocol):
    """Who is told. Called on the loop."""

    def said_hello(self, link: MesosLink, hello: Hello) -> None: ...

    def said(self, link: MesosLink, report: Report) -> None: ...

    def went_down(self, link: MesosLink) -> None: ...


class MesosLink:
    """One conversation with one executor.

    Attributes:
        host: from its Hello, "" before.
    """

    def __init__(
        self, owner: LinkOwner, agent_id: str, executor_id: str, conversation: str, transmit: Transmit
    ) -> None:
        self.host = ""
        self.agent_id = agent_id
        self.executor_id = executor_id
        self._owner = owner
        self._is_down = False
        self.channel = Channel(
            conversation,
            transmit=lambda text: transmit(agent_id, executor_id, text),
            on_body=self._heard,
            on_dead=self.drop,
        )

    def send(self, command: Command) -> bool:
        """Queue a command; False if the conversation is over."""
        if self._is_down:
            return False
        self.channel.send(command_to_pb(command).SerializeToString())
        return not self._is_down

    def drop(self) -> None:
        """End the conversation from our side."""
        if not self._is_down:
            self._is_down = True
            self.channel.close()
            self._owner.went_down(self)

    def _heard(self, body: bytes) -> None:
        try:
            report = report_from_pb(executor_pb2.Report.FromString(body))
        except (DecodeError, AliecsError) as error:
            log.warning("report not understood executor=%s reason=%s", self.executor_id, error)
            return
        if isinstance(report, Hello):
            self.host = report.host
            self._owner.said_hello(self, report)
        elif self.host:
            self._owner.said(self, report)


class MesosLinks:
    """All conversations, by executor."""

    def __init__(self, owner: LinkOwner, transmit: Transmit) -> None:
        self._owner = owner
        self._transmit = transmit
        self._links: dict[tuple[str, str], MesosLink] = {}
        self._past: deque[str] = deque(maxlen=_REMEMBERED)
        """Conversations that are over; what comes of them late begins nothing."""

    def receive(self, agent_id: str, executor_id: str, text: str) -> None:
        """Take in a message of an executor."""
        try:
            packet = packet_from_text(text)
        except LinkError as error:
            log.warning("message not understood agent=%s executor=%s reason=%s", agent_id, executor_id, error)
            return
        key = (agent_id, executor_id)
        link = self._links.get(key)
        if link is None or link.channel.conversation != packet.conversation:
            if packet.number != 1 or packet.conversation in self._past:
                # An executor that has begun another one meanwhile does not care.
                self.begin_again(agent_id, executor_id, packet.conversation)
                return
            if link is not None:
                self._end(link)
            link = self._links[key] = MesosLink(self._owner, *key, packet.conversation, self._transmit)
        link.channel.receive(packet)

    def begin_again(self, agent_id: str, executor_id: str, conversation: str = "") -> None:
        """Ask an executor for its Hello.

        Args:
            conversation: that is to be given up, "" for any.
        """
        self._transmit(agent_id, executor_id, packet_to_text(Packet(conversation, begin_again=True)))

    def ping(self, agent_id: str, executor_id: str) -> None:
        """Ask for a sign of life; what waits to be confirmed asks for one by itself."""
        link = self._links.get((agent_id, executor_id))
        if link and link.channel.unconfirmed == 0:
            link.send(Ping(sent_ms=time.time_ns() // 1_000_000))

    def hurry(self) -> None:
        """The way to the executors is free again."""
        for link in self._links.values():
            link.channel.hurry()

    def forget(self, agent_id: str, executor_id: str) -> None:
        """The executor is gone."""
        if link := self._links.pop((agent_id, executor_id), None):
            self._end(link)

    def _end(self, link: MesosLink) -> None:
        self._past.append(link.channel.conversation)
        link.drop()

    def close(self) -> None:
        """Hear and send nothing any more."""
        for link in self._links.values():
            link.channel.close()
