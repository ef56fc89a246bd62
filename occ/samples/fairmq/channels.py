"""Properties of a FairMQ device with their types, and the ZeroMQ sockets that those named ``chans.*`` describe.

occ-executor-mesos.md 1.7 (what is pushed as what) and 2.1.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import zmq

from occ.errors import ConfigError

_log = logging.getLogger(__name__)

Value = str | int | float | bool
_INTEGERS = {"rateLogging", "rcvBufSize", "sndBufSize", "linger", "rcvKernelSize", "sndKernelSize"}
_KINDS = {
    "push": zmq.PUSH, "pull": zmq.PULL, "pub": zmq.PUB, "sub": zmq.SUB, "pair": zmq.PAIR,
    "req": zmq.REQ, "rep": zmq.REP, "dealer": zmq.DEALER, "router": zmq.ROUTER, "xpub": zmq.XPUB, "xsub": zmq.XSUB,
}  # fmt: skip
_TRANSPORTS = ("default", "zeromq", "shmem")
_INBOUND = ("pull", "sub")
_AUTO_PORTS = range(22000, 23000)
_AUTO_TRIES = 100


def typed(key: str, value: str) -> Value:
    """Return the value as the plugin pushes it at INIT DEVICE; ValueError where a number is due and there is none."""
    last = key.rpartition(".")[2]
    if key.startswith("chans."):
        if last in _INTEGERS:
            return int(value)
        if last == "autoBind":
            return bool(int(value))
    return value


@dataclass(slots=True)
class Channel:
    """One sub-channel and its socket, once it is bound or connected."""

    name: str
    """``data[0]``."""
    prefix: str
    """Of its properties: ``chans.data.0``."""
    socket: zmq.Socket[Any] | None = None

    def get(self, properties: Mapping[str, Value], key: str, default: Value) -> Value:
        return properties.get(f"{self.prefix}.{key}", default)


class Channels:
    """All channels of a device, from COMPLETE INIT to RESET DEVICE; used in the thread of the device."""

    def __init__(self, properties: dict[str, Value]) -> None:
        """Find what ``chans.<name>.<index>.type`` names.

        Raises:
            ConfigError: a transport is none of FairMQ's.
        """
        self._properties = properties
        self._context = zmq.Context()
        self.all: list[Channel] = []
        for key in sorted(properties):
            prefix, _, last = key.rpartition(".")
            parts = prefix.split(".")
            if last == "type" and len(parts) == 3 and parts[0] == "chans" and parts[2].isdecimal():
                channel = Channel(f"{parts[1]}[{parts[2]}]", prefix)
                transport = channel.get(properties, "transport", "default")
                if transport not in _TRANSPORTS:
                    self.close()
                    raise ConfigError(f"channel {channel.name}: transport {transport!r} is none of {_TRANSPORTS}")
                self.all.append(channel)

    def named(self, name: str) -> zmq.Socket[Any]:
        """Return the socket of a channel; ConfigError if there is none."""
        for channel in self.all:
            if channel.name == name and channel.socket is not None:
                return channel.socket
        raise ConfigError(f"GetChannel(): {name!r} does not exist.")

    @property
    def inbound(self) -> list[zmq.Socket[Any]]:
        """Sockets that data come in by."""
        return [one.socket for one in self.all if one.socket is not None and self._kind(one) in _INBOUND]

    @property
    def outbound(self) -> list[zmq.Socket[Any]]:
        """Sockets that data go out by."""
        return [one.socket for one in self.all if one.socket is not None and self._kind(one) not in _INBOUND]

    def bind(self) -> None:
        """Bind what is to be bound; ConfigError names what cannot be."""
        self._open(one for one in self.all if one.get(self._properties, "method", "bind") == "bind")

    def connect(self) -> None:
        """Connect the others; ConfigError names what cannot be."""
        self._open(one for one in self.all if one.socket is None)

    def close(self) -> None:
        """Close all; what has not been delivered is dropped."""
        self.all = []
        self._context.destroy(linger=0)

    def _kind(self, channel: Channel) -> str:
        return str(channel.get(self._properties, "type", ""))

    def _open(self, channels: Iterable[Channel]) -> None:
        for channel in channels:
            address = str(channel.get(self._properties, "address", ""))
            if self._kind(channel) not in _KINDS:
                raise ConfigError(f"Validating channel {channel.name!r}... INVALID: type {self._kind(channel)!r}")
            if not address.startswith(("tcp://", "ipc://", "inproc://")):
                raise ConfigError(f"Validating channel {channel.name!r}... INVALID: address {address!r}")
            channel.socket = self._socket(channel)
            try:
                if channel.get(self._properties, "method", "bind") == "bind":
                    self._bind(channel, channel.socket, address)
                else:
                    channel.socket.connect(address)
            except zmq.ZMQError as error:
                raise ConfigError(f"failed to attach channel {channel.name} ({address}): {error}") from None
            print(f"[DEBUG] Attached channel {channel.name} to {address} ({self._kind(channel)})", flush=True)  # noqa: T201

    def _socket(self, channel: Channel) -> zmq.Socket[Any]:
        kind = self._kind(channel)
        socket = self._context.socket(_KINDS[kind])
        socket.sndhwm = int(channel.get(self._properties, "sndBufSize", 1000))
        socket.rcvhwm = int(channel.get(self._properties, "rcvBufSize", 1000))
        socket.linger = int(channel.get(self._properties, "linger", 500))
        if kind == "sub":
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        return socket

    def _bind(self, channel: Channel, socket: zmq.Socket[Any], address: str) -> None:
        try:
            socket.bind(address)
        except zmq.ZMQError:
            if not channel.get(self._properties, "autoBind", True) or not address.startswith("tcp://"):
                raise
            self._bind_elsewhere(channel, socket, address.rpartition(":")[0])

    def _bind_elsewhere(self, channel: Channel, socket: zmq.Socket[Any], host: str) -> None:
        for port in random.sample(_AUTO_PORTS, _AUTO_TRIES):
            try:
                socket.bind(f"{host}:{port}")
            except zmq.ZMQError as error:
                _log.debug("channel=%s port=%d error=%s", channel.name, port, error)
            else:
                self._properties[f"{channel.prefix}.address"] = f"{host}:{port}"
                return
        raise ConfigError(f"channel {channel.name}: no free port among {_AUTO_PORTS.start} to {_AUTO_PORTS.stop}")
