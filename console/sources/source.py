"""Where the batches of a live picture come from: a core that pushes, a core that is polled, or a recording.

A session reads one source at a time. Each kind has its module: live.py, polling.py, replay.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from server.api.model import Batch  # a plain question imports the session, but needs no picture


class Source(Protocol):
    """Gives batches, and the time to which they belong.

    Attributes:
        name: the endpoint of a core, or the file of a recording.
        is_advisory: what it shows may be old or incomplete, because the core offers no more.
        notice: in words what is advisory, "" if nothing is.
    """

    name: str
    is_advisory: bool

    def now(self) -> float:
        """Return the Unix time of what is shown, in seconds."""
        ...

    @property
    def notice(self) -> str:
        return ""

    def focus(self, environment_id: str) -> None:
        """Note which environment is looked at, "" for none; only who asks for what is shown has use for it."""
        return

    def wake(self) -> None:
        """Note that something was changed; as for focus."""
        return

    def batches(self, epoch: str, since: int) -> AsyncIterator[Batch]:
        """Connect and yield batches: what followed ``since`` of that epoch, else a snapshot and what follows it.

        A batch without changes says that all is as it was: it comes at least every second or two while the core is
        well.

        Raises:
            LinkError: the link broke; ask again with the last epoch and seq.
            CoreError: the core cannot be followed this way.
        """
        ...


def is_heartbeat(batch: Batch, seq: int) -> bool:
    """Tell whether a batch brings nothing new to a picture that has reached ``seq``."""
    return not batch.changes and not batch.part and batch.seq == seq
