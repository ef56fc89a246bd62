"""Sample task: checks number and checksum of every message that comes in, and counts."""

from __future__ import annotations

import time
from collections.abc import Iterable

from occ.events import Metric
from occ.samples.channels import Channels
from occ.samples.stamp import Stamp, Verifier
from occ.samples.worker import DataDevice, Message, RateMeter


class Sink(DataDevice):
    """Counts what is right; ``data.sink.bytes`` contains nothing else."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.reset_counters()

    def reset_counters(self) -> None:
        """Begin a new count for the run."""
        self._verifier = Verifier(self.run_number)
        self._meter = RateMeter()

    def work(self, channels: Channels) -> None:
        """Check until the tail of the run has passed."""

        def check(stamp: Stamp | None, message: Message) -> None:
            if stamp is None or not stamp.ends_run:
                self._verifier.accept(stamp, message[1])

        self.receive(channels, check)
        self._verifier.finish()

    def metrics(self) -> Iterable[Metric]:
        """What arrived in this run."""
        verifier = self._verifier
        arrived = verifier.bytes
        return (
            Metric("data.sink.bytes", arrived, "B"),
            Metric("data.sink.messages", verifier.messages),
            Metric("data.sink.errors", verifier.errors),
            Metric("data.sink.strays", verifier.strays),
            Metric("data.sink.rate", self._meter.rate(arrived, time.monotonic()), "B/s"),
        )


if __name__ == "__main__":
    Sink.main()
