"""Sample task: sends numbered, checksummed messages on all its outbound channels."""

from __future__ import annotations

import math
import os
import time
import zlib
from collections.abc import Iterable

from occ.errors import ConfigError
from occ.events import Metric
from occ.properties import Properties
from occ.samples.channels import Channels
from occ.samples.stamp import Stamp
from occ.samples.worker import DataDevice, RateMeter

RATE_HZ = 200.0
SIZE_BYTES = 10_000
_WINDOW = 256
"""Payloads are this many different windows on one block of random bytes."""


class Source(DataDevice):
    """Properties: ``rate_hz`` (messages per second; 0: as fast as they are taken) and ``size_bytes`` (of one payload)."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self._rate_hz = RATE_HZ
        self._size = SIZE_BYTES
        self._id = zlib.crc32(f"{os.environ.get('ALIECS_TASK_ID', '')}/{os.getpid()}".encode())
        self._block = b""
        self._messages = 0
        self._bytes = 0
        self._meter = RateMeter()

    def prepare(self, properties: Properties) -> None:
        """Read rate and size."""
        self._rate_hz = properties.get_float("rate_hz", RATE_HZ)
        self._size = properties.get_int("size_bytes", SIZE_BYTES)
        if self._rate_hz < 0 or self._size < 0:
            raise ConfigError(f"rate_hz {self._rate_hz} and size_bytes {self._size} must not be negative")
        self._block = os.urandom(self._size + _WINDOW)

    def reset_counters(self) -> None:
        """Number from 0 again."""
        self._messages = self._bytes = 0
        self._meter = RateMeter()

    def work(self, channels: Channels) -> None:
        """Send until STOP, then say how many there were."""
        rate_hz, begin, offset = self._rate_hz, time.monotonic(), 0
        while not self.is_stopping:
            now = time.monotonic()
            due = math.floor((now - begin) * rate_hz) + 1 if rate_hz else self._messages + 1 - offset
            if due - (self._messages - offset) > rate_hz > 0:  # more than a second behind: do not make up for it
                begin, offset, due = now, self._messages, 1
            while self._messages - offset < due and not self.is_stopping:
                if not self._send_next(channels):
                    return
            if rate_hz:
                self.wait(begin + (self._messages - offset) / rate_hz - time.monotonic())
        mark = Stamp(self._id, self.run_number, self._messages, 0, ends_run=True).pack()
        for socket in channels.outbound:
            self.send(socket, (mark, b""))

    def metrics(self) -> Iterable[Metric]:
        """What was sent in this run."""
        sent = self._bytes
        return (
            Metric("data.source.bytes", sent, "B"),
            Metric("data.source.messages", self._messages),
            Metric("data.source.rate", self._meter.rate(sent, time.monotonic()), "B/s"),
        )

    def _send_next(self, channels: Channels) -> bool:
        at = self._messages % _WINDOW
        payload = self._block[at : at + self._size]
        header = Stamp(self._id, self.run_number, self._messages, zlib.crc32(payload)).pack()
        for socket in channels.outbound:
            if not self.send(socket, (header, payload)):
                return False
        self._messages += 1
        self._bytes += len(payload)
        return True


if __name__ == "__main__":
    Source.main()
