"""What the sample devices share: channels from CONFIGURE to RESET, a data thread from START to STOP, rates, test knobs."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import zmq

from occ.device import Device
from occ.errors import TaskError
from occ.properties import Properties
from occ.samples.channels import Channels
from occ.samples.stamp import Buffer, Stamp

_log = logging.getLogger(__name__)

DRAIN_S = 1.0
QUIET_S = 0.2
JOIN_S = 1.0
"""Beyond the time for the tail, for the data thread to come back; then STOP fails."""
EXIT_ON_CODE = 3
BATCH = 100
"""Messages taken from one socket before the others are looked at."""

Message = tuple[Buffer, Buffer]
"""Header frame and payload frame."""


class RateMeter:
    """Turns a counter into a rate over the last second."""

    def __init__(self, span_s: float = 1.0) -> None:
        self._span_s = span_s
        self._points: deque[tuple[float, float]] = deque()

    def rate(self, count: float, now: float) -> float:
        """Note the counter at ``now`` (monotonic seconds) and return its increase per second.

        After a restart of the counter, and when it has not been asked for long, there is nothing to compare with: 0.
        """
        points = self._points
        if points and (count < points[-1][1] or now - points[-1][0] > 2 * self._span_s):
            points.clear()
        points.append((now, count))
        while len(points) > 2 and now - points[1][0] >= self._span_s:
            points.popleft()
        then, before = points[0]
        return (count - before) / (now - then) if now > then else 0.0


class DataDevice(Device):
    """A device with a data loop. Subclasses write ``work``, which runs in a thread of its own while RUNNING.

    Properties: ``drain_s`` (deadline for the tail after STOP, default 1), ``quiet_s`` (silence that ends the tail when not
    every source said that it stopped, default 0.2). For tests: ``fail_on=<EVENT>`` (its callback fails), ``exit_on=<EVENT>``
    (the process ends with code 3), ``delay_s.<EVENT>``.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.channels: Channels | None = None
        self._stop = threading.Event()
        self._wake = -1
        self._thread: threading.Thread | None = None
        self._stopped_at = 0.0

    def configure(self, properties: Properties) -> None:
        """Open the channels."""
        self._knobs("CONFIGURE")
        self.prepare(properties)
        self._close_channels()
        self.channels = Channels(properties)

    def start(self) -> None:
        """Start the data thread."""
        self._knobs("START")
        self.reset_counters()
        self._stop.clear()
        self._wake = os.eventfd(0)
        self._thread = threading.Thread(target=self._run, name=f"{self.name}-data", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Have the data thread finish the tail, and wait for it."""
        self._knobs("STOP")
        self._end_thread()

    def reset(self) -> None:
        """Close the channels."""
        self._knobs("RESET")
        self._close_channels()

    def recover(self) -> None:
        """End what an error left behind."""
        self._knobs("RECOVER")
        self._end_thread()
        self._close_channels()

    def exit(self) -> None:
        """End everything."""
        self._knobs("EXIT")
        self._end_thread()
        self._close_channels()

    # ---- for subclasses ----------------------------------------------------------------------

    def prepare(self, properties: Properties) -> None:
        """Read own properties; called before the channels are opened."""

    def reset_counters(self) -> None:
        """A new run begins."""

    def work(self, channels: Channels) -> None:
        """The data loop: returns soon after ``is_stopping``."""
        raise NotImplementedError

    @property
    def is_stopping(self) -> bool:
        """Whether STOP has come."""
        return self._stop.is_set()

    def wait(self, timeout_s: float | None, *sockets: tuple[zmq.Socket[bytes], int]) -> list[zmq.Socket[bytes]]:
        """Wait until a socket is ready, or STOP comes (once it has come, only for the sockets); return the ready ones."""
        poller = zmq.Poller()
        for socket, flag in sockets:
            poller.register(socket, flag)
        if not self.is_stopping:
            poller.register(self._wake, zmq.POLLIN)
        ready = poller.poll(None if timeout_s is None else max(0, math.ceil(timeout_s * 1000)))
        return [socket for socket, _ in ready if isinstance(socket, zmq.Socket)]

    def send(self, socket: zmq.Socket[bytes], message: Message) -> bool:
        """Send, waiting while the other side is full; False if it still is when the time for the tail is over."""
        while True:
            try:
                socket.send_multipart(message, zmq.NOBLOCK)
            except zmq.Again:
                remaining_s = self._tail_remaining_s()
                if remaining_s is not None and remaining_s <= 0:
                    return False
                self.wait(remaining_s, (socket, zmq.POLLOUT))
            else:
                return True

    def receive(self, channels: Channels, handle: Callable[[Stamp | None, Message], None]) -> None:
        """Give every message that comes in to ``handle``, until STOP has come and the tail has passed.

        The tail is over when everything that the sources said they sent is here, else after ``quiet_s`` of silence, at the
        latest ``drain_s`` after STOP.
        """
        quiet_s = self.properties.get_float("quiet_s", QUIET_S)
        missing: dict[int, int] = {}
        sockets = [(socket, int(zmq.POLLIN)) for socket in channels.inbound]
        while True:
            remaining_s = self._tail_remaining_s()
            timeout_s = remaining_s
            if remaining_s is not None:
                if remaining_s <= 0:
                    return
                timeout_s = 0.0 if missing and not any(missing.values()) else min(quiet_s, remaining_s)
            ready = self.wait(timeout_s, *sockets)
            if not ready and remaining_s is not None:
                return
            for socket in ready:
                for message in _waiting(socket):
                    stamp = Stamp.unpack(message[0])
                    if stamp is not None and stamp.run == self.run_number:
                        change = stamp.sequence if stamp.ends_run else -1
                        missing[stamp.source] = missing.get(stamp.source, 0) + change
                    handle(stamp, message)

    # ---- inside ------------------------------------------------------------------------------

    def _tail_remaining_s(self) -> float | None:
        """Seconds left for the tail; None before STOP."""
        if not self.is_stopping:
            return None
        return self._stopped_at + self._drain_s() - time.monotonic()

    def _drain_s(self) -> float:
        return self.properties.get_float("drain_s", DRAIN_S)

    def _run(self) -> None:
        assert self.channels is not None
        try:
            self.work(self.channels)
        except Exception as error:
            _log.exception("device=%s data loop failed", self.name)
            self.fail(f"data loop: {error}")

    def _end_thread(self) -> None:
        thread = self._thread
        if thread is None:
            return
        self._stopped_at = time.monotonic()
        self._stop.set()
        os.eventfd_write(self._wake, 1)
        thread.join(self._drain_s() + JOIN_S)
        if thread.is_alive():
            raise TaskError(f"the data loop of {self.name} does not end")
        os.close(self._wake)
        self._thread = None

    def _close_channels(self) -> None:
        if self.channels is not None:
            self.channels.close()
            self.channels = None

    def _knobs(self, event: str) -> None:
        properties = self.properties
        delay_s = properties.get_float(f"delay_s.{event}", 0.0)
        if delay_s:
            threading.Event().wait(delay_s)
        if properties.get("exit_on") == event:
            os._exit(EXIT_ON_CODE)
        if properties.get("fail_on") == event:
            raise TaskError(f"{event} fails because fail_on says so")


def _waiting(socket: zmq.Socket[bytes]) -> Iterator[Message]:
    """Yield what is there already, but not for ever: other sockets and STOP want their turn."""
    for _ in range(BATCH):
        try:
            frames = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        yield (frames[0], frames[1] if len(frames) > 1 else b"")
