"""Opens the ZeroMQ channels that the core wired through CONFIGURE properties (``chans.<name>.0.*``, FairMQ's keys)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import zmq

from occ.errors import ConfigError
from occ.properties import Properties

_TYPES = {"push": zmq.PUSH, "pull": zmq.PULL, "pub": zmq.PUB, "sub": zmq.SUB}
HIGH_WATER_MARK = 1000
"""Messages, where the core gives none (its own default)."""
_TRANSPORTS = ("zeromq", "default", "shmem")
"""Samples send the data itself where FairMQ would send its place in shared memory: between themselves it is the same."""
_INBOUND = ("pull", "sub")


@dataclass(frozen=True, slots=True)
class Wiring:
    """One channel as the properties describe it."""

    name: str
    kind: str
    """push, pull, pub or sub."""
    method: str
    """bind or connect."""
    address: str
    """``tcp://*:9000``, ``tcp://host:9000``, ``ipc://path`` or ``ipc://@abstract-name``."""
    send_limit: int
    receive_limit: int
    """High-water marks, in messages; 0: none."""

    @property
    def is_inbound(self) -> bool:
        """Whether data comes in here."""
        return self.kind in _INBOUND


def wirings(properties: Properties) -> list[Wiring]:
    """Return the channels named in ``properties``; ConfigError if one is incomplete or of a kind that we do not speak."""
    found = []
    for name, channel in properties.find("chans") or ():
        socket = channel.find("0")
        if socket is None or not socket.get("address"):
            continue
        wiring = Wiring(
            name=name,
            kind=socket.get("type"),
            method=socket.get("method", "connect"),
            address=socket.get("address"),
            send_limit=properties.get_int(f"chans.{name}.0.sndBufSize", HIGH_WATER_MARK),
            receive_limit=properties.get_int(f"chans.{name}.0.rcvBufSize", HIGH_WATER_MARK),
        )
        transport = socket.get("transport", "zeromq")
        if wiring.kind not in _TYPES or wiring.method not in ("bind", "connect") or transport not in _TRANSPORTS:
            raise ConfigError(
                f"channel {name}: cannot {wiring.method} type {wiring.kind!r} over transport {transport!r}",
                hint=f"types {', '.join(_TYPES)}; methods bind, connect; transports {', '.join(_TRANSPORTS)}",
            )
        found.append(wiring)
    return found


class Channels:
    """The open sockets of one device. Opened and closed in its worker thread, used in its data thread between the two."""

    def __init__(self, properties: Properties) -> None:
        self.inbound: list[zmq.Socket[bytes]] = []
        self.outbound: list[zmq.Socket[bytes]] = []
        self._context = zmq.Context()
        try:
            for wiring in wirings(properties):
                (self.inbound if wiring.is_inbound else self.outbound).append(self._open(wiring))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all; what has not been delivered is dropped."""
        self._context.destroy(linger=0)

    def _open(self, wiring: Wiring) -> zmq.Socket[Any]:
        socket = self._context.socket(_TYPES[wiring.kind])
        socket.sndhwm, socket.rcvhwm = wiring.send_limit, wiring.receive_limit
        if wiring.kind == "sub":
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        try:
            if wiring.method == "bind":
                socket.bind(wiring.address)
            else:
                socket.connect(wiring.address)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            raise ConfigError(f"channel {wiring.name}: cannot {wiring.method} {wiring.address}: {error}") from None
        return socket
