"""Sample task of quality control: a histogram of the sizes of the messages that it gets to see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from occ.events import Metric
from occ.samples.channels import Channels
from occ.samples.stamp import Stamp
from occ.samples.worker import DataDevice, Message


class Quality(DataDevice):
    """Fills one bin per power of two: bin ``n`` counts payloads of less than ``2**n`` bytes and at least half of that."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.reset_counters()

    def reset_counters(self) -> None:
        """Empty the histogram."""
        self.histogram: Counter[int] = Counter()

    def work(self, channels: Channels) -> None:
        """Fill until the tail of the run has passed."""

        def fill(stamp: Stamp | None, message: Message) -> None:
            if stamp is not None and not stamp.ends_run:
                self.histogram[len(message[1]).bit_length()] += 1

        self.receive(channels, fill)

    def metrics(self) -> Iterable[Metric]:
        """Number of entries, in all and in each bin that has some."""
        bins = dict(self.histogram)  # one step of the interpreter: the data thread goes on filling
        yield Metric("qc.entries", sum(bins.values()))
        for index, entries in sorted(bins.items()):
            yield Metric(f"qc.size.bin{index:02d}", entries)


if __name__ == "__main__":
    Quality.main()
