"""What FairMQ sample devices do with their channels: sampler and sink as FairMQ's own examples, and a relay for anything else."""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import zmq

from occ.errors import ConfigError, TaskError
from occ.events import Metric
from occ.fairmq import DeviceState
from occ.samples.fairmq.channels import Channels, Value

_POLL_MS = 20
_PATIENCE_S = 0.01
"""Between two tries to send while the other side is full."""
_DEFAULT_RATE = 100.0


class Role:
    """A device without data. Its methods run in the device's thread, one for each state that has work."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.properties: dict[str, Value] = {
            "id": options.id, "rate": options.rate, "max-iterations": options.max_iterations, "text": options.text,
        }  # fmt: skip
        self.interrupted = threading.Event()
        """That of the machine; set before RUNNING."""
        self.bytes_in = self.bytes_out = self.messages = 0
        self._options = options
        self._channels: Channels | None = None

    def works(self) -> dict[DeviceState, Callable[[], None]]:
        """Return what each state has to do."""
        return {
            DeviceState.INITIALIZING_DEVICE: self._told("COMPLETE INIT", self._init_device),
            DeviceState.BINDING: self._told("BIND", lambda: self.channels.bind()),
            DeviceState.CONNECTING: self._told("CONNECT", lambda: self.channels.connect()),
            DeviceState.INITIALIZING_TASK: self._told("INIT TASK", self.init_task),
            DeviceState.RUNNING: self._told("RUN", self._run),
            DeviceState.RESETTING_TASK: self._told("RESET TASK", lambda: None),
            DeviceState.RESETTING_DEVICE: self._told("RESET DEVICE", self._reset_device),
        }

    def metrics(self) -> Iterable[Metric]:
        """The numbers of this run, under the names of the other samples."""
        sinks = self.bytes_in and not self.bytes_out
        yield Metric(
            "data.sink.bytes" if sinks else "data.source.bytes", self.bytes_in if sinks else self.bytes_out, "B"
        )

    @property
    def channels(self) -> Channels:
        if self._channels is None:
            raise TaskError("the device has no channels: it was not initialised")
        return self._channels

    def init_task(self) -> None:
        """Read the properties of the task."""
        if not isinstance(self.properties["max-iterations"], int):
            raise TaskError("bad_any_cast: max-iterations is no number")

    def run(self) -> None:
        """Work until ``interrupted``."""
        self.interrupted.wait()

    def send(self, socket: zmq.Socket[Any], frames: list[bytes]) -> bool:
        """Send, waiting while the other side is full; False if STOP came before."""
        while True:
            try:
                socket.send_multipart(frames, zmq.NOBLOCK)
            except zmq.Again:
                if self.interrupted.wait(_PATIENCE_S):
                    return False
            else:
                self.bytes_out += sum(map(len, frames))
                return True

    def receive(self, sockets: list[zmq.Socket[Any]]) -> Iterable[list[bytes]]:
        """Yield what comes in, until ``interrupted``."""
        poller = zmq.Poller()
        for socket in sockets:
            poller.register(socket, zmq.POLLIN)
        while not self.interrupted.is_set():
            for socket, _ in poller.poll(_POLL_MS):
                if isinstance(socket, zmq.Socket):
                    frames = socket.recv_multipart(zmq.NOBLOCK)
                    self.bytes_in += sum(map(len, frames))
                    yield frames

    def pauses(self, rate_hz: float) -> Iterable[None]:
        """Yield ``rate_hz`` times a second, at most ``max-iterations`` times, until ``interrupted``."""
        limit = int(self.properties["max-iterations"])
        count = 0
        while not self.interrupted.is_set() and (limit == 0 or count < limit):
            yield
            count += 1
            self.interrupted.wait(1 / rate_hz)

    def _init_device(self) -> None:
        self._channels = Channels(self.properties)

    def _reset_device(self) -> None:
        if self._channels is not None:
            self._channels.close()
            self._channels = None
        for key in [key for key in self.properties if key.startswith("chans.")]:
            del self.properties[key]

    def _run(self) -> None:
        self.bytes_in = self.bytes_out = self.messages = 0
        if self._options.error_in_run is not None:
            breaking = threading.Timer(self._options.error_in_run, self.interrupted.set)
            breaking.daemon = True
            end = time.monotonic() + self._options.error_in_run
            breaking.start()
            self.run()
            breaking.cancel()
            if time.monotonic() >= end:
                raise TaskError("told to fail in RUNNING")
        else:
            self.run()

    def _told(self, transition: str, work: Callable[[], None]) -> Callable[[], None]:
        """Do as the options for tests say before the work."""
        options = self._options

        def told() -> None:
            if transition in options.die:
                os.kill(os.getpid(), signal.SIGKILL)
            if transition in options.hang:
                threading.Event().wait()
            if transition in options.refuse:
                raise TaskError(f"told to refuse {transition}")
            work()

        return told


class Sampler(Role):
    """Sends a text on the channel ``data``."""

    def run(self) -> None:
        socket = self.channels.named("data[0]")
        for _ in self.pauses(float(self.properties["rate"]) or _DEFAULT_RATE):
            text = str(self.properties["text"])
            print(f'[INFO] Sending "{text}"', flush=True)  # noqa: T201
            if not self.send(socket, [text.encode()]):
                return


class Sink(Role):
    """Receives texts on the channel ``data``."""

    def run(self) -> None:
        limit = int(self.properties["max-iterations"])
        for frames in self.receive([self.channels.named("data[0]")]):
            self.messages += 1
            print(f'[INFO] Received: "{frames[0].decode(errors="replace")}"', flush=True)  # noqa: T201
            if self.messages == limit:
                return


class Relay(Role):
    """Gives what comes in by any channel to all outbound ones; without inbound channels it makes the data itself."""

    def run(self) -> None:
        inbound, outbound = self.channels.inbound, self.channels.outbound
        if inbound:
            for frames in self.receive(inbound):
                for socket in outbound:
                    self.send(socket, frames)
        elif outbound:
            payload = os.urandom(self._options.size)
            for _ in self.pauses(float(self.properties["rate"]) or _DEFAULT_RATE):
                for socket in outbound:
                    self.send(socket, [payload])
        else:
            self.interrupted.wait()


ROLES: dict[str, type[Role]] = {"sampler": Sampler, "sink": Sink, "relay": Relay}


def check_transitions(names: Iterable[str], known: Iterable[str]) -> None:
    """ConfigError if a name of a transition, given for a test, is none."""
    for name in names:
        if name not in known:
            raise ConfigError(f"{name!r} is no transition of FairMQ")
