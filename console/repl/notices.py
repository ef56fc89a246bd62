"""What happens while somebody types: kept, and told unasked only if it is bad enough. One writer, bounded.

The last events themselves stand in the store: the verb ``events`` shows them, ``tail`` follows them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from console.happenings import environment_of, event_line, is_bad, is_detail
from console.present import fault_line
from console.session import Session
from console.store import Link
from console.table import clean
from server.api.model import Batch, Event, Fault

INTERVAL_S = 0.25
"""Lines are written together, not more often."""
LINES_AT_ONCE = 20
"""More lines within one interval than anybody reads; of the rest only the number is told."""


def _is_trouble(event: Event) -> bool:
    """Say whether it is worth a line of somebody who types something else."""
    return is_bad(event) and not is_detail(event) and bool(environment_of(event))


class Notices:
    """Tells of one session at a time.

    Args:
        level: which events are told now: error, all or none.
        write: puts lines above the prompt.
    """

    def __init__(self, level: Callable[[], str], write: Callable[[str], None]) -> None:
        self._level = level
        self._write = write
        self._waiting: deque[str] = deque(maxlen=LINES_AT_ONCE)
        self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._session: Session | None = None
        self._link = Link.CONNECTING

    def follow(self, session: Session) -> None:
        """Hear this session from now on, and no other."""
        if session is not self._session:
            self._session = session
            self._link = session.store.link

    def take(self, batch: Batch) -> None:
        """Take in a batch; what comes with a new picture is no news."""
        level = self._level()
        if level == "none" or batch.part:
            return
        for change in batch.changes:
            value = change.value
            if isinstance(value, Fault):
                self.add(f"{value.environment_id}  {fault_line(value)}")
            elif isinstance(value, Event) and (level == "all" or _is_trouble(value)):
                self.add(event_line(value))

    def look(self) -> None:
        """Tell if the link changed."""
        session = self._session
        if session is None or session.store.link is self._link:
            return
        before, self._link = self._link, session.store.link
        if self._level() == "none" or before is Link.CONNECTING:
            return
        problem = f": {session.store.problem}" if session.store.problem else ""
        self.add(f"link to {session.client.endpoint} {self._link.value}{problem}")

    def add(self, line: str) -> None:
        """Write a line soon."""
        if len(self._waiting) == LINES_AT_ONCE:
            self._dropped += 1
        self._waiting.append(clean(line))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self.flush)

    def flush(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        lines = [f"({self._dropped} more; events shows the last ones)"] if self._dropped else []
        text = "".join(f"{line}\n" for line in [*lines, *self._waiting])
        self._waiting.clear()
        self._dropped = 0
        self._write(text)
