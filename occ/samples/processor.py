"""Sample task: passes every message from its inbound to its outbound channels, unchanged and unchecked."""

from __future__ import annotations

import time
from collections.abc import Iterable

from occ.events import Metric
from occ.samples.channels import Channels
from occ.samples.stamp import Stamp
from occ.samples.worker import DataDevice, Message, RateMeter


class Processor(DataDevice):
    """Forwards what comes in."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.reset_counters()

    def reset_counters(self) -> None:
        """Count from 0 again."""
        self._messages = self._bytes = self._dropped = 0
        self._meter = RateMeter()

    def work(self, channels: Channels) -> None:
        """Forward until the tail of the run has passed."""

        def forward(stamp: Stamp | None, message: Message) -> None:
            for socket in channels.outbound:
                if not self.send(socket, message):
                    self._dropped += 1
            if stamp is None or not stamp.ends_run:
                self._messages += 1
                self._bytes += len(message[1])

        self.receive(channels, forward)

    def metrics(self) -> Iterable[Metric]:
        """What was passed on in this run."""
        passed = self._bytes
        return (
            Metric("data.processor.bytes", passed, "B"),
            Metric("data.processor.messages", self._messages),
            Metric("data.processor.dropped", self._dropped),
            Metric("data.processor.rate", self._meter.rate(passed, time.monotonic()), "B/s"),
        )


if __name__ == "__main__":
    Processor.main()
