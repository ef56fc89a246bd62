"""Words and constants of Mesos that master and agent share (occ-executor-mesos.md 6 and 8)."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
"""A message of Mesos' v1 API, in the form that it has on the wire."""

VERSION = "1.12.0"
VERSION_PAGE: Json = {
    "build_date": "2026-11-22 20:55:00 UTC",
    "build_time": 1795380900.0,
    "build_user": "root",
    "git_sha": "0" * 40,
    "version": VERSION,
}
LOOPBACK = "127.0.0.1"
LOOPBACK_NUMBER = 16777343
"""The same address as Mesos writes it: in the order of the network, read as a little-endian number."""

TERMINAL = frozenset(
    f"TASK_{word}" for word in ("FINISHED", "FAILED", "KILLED", "LOST", "ERROR", "DROPPED", "GONE", "GONE_BY_OPERATOR")
)


@dataclass(frozen=True, slots=True)
class Timing:
    """Delays of master and agents, in Mesos' seconds; the defaults are those of a stock cluster."""

    allocation_interval_s: float = 1.0
    heartbeat_s: float = 15.0
    default_refusal_s: float = 5.0
    removal_s: float = 88.0
    """From the loss of an agent to its removal: five pings of 15 s are missed first."""
    reregistration_s: float = 72.0
    """From the start of a standalone master to the return of its agents."""
    recovery_s: float = 2.0
    """For which a restarted agent waits for its executors before it registers."""
    retry_s: float = 10.0
    retry_max_s: float = 600.0
    shutdown_grace_s: float = 5.0
    kill_grace_s: float = 3.0
    registration_s: float = 60.0
    executor_heartbeat_s: float = 1800.0


PACE = 20.0
"""How much faster than a real cluster the one of most tests is."""
PATIENT = Timing(registration_s=60 * PACE, recovery_s=60 * PACE, removal_s=60 * PACE)
"""At that pace it waits for executors and agents as long as a busy machine needs."""


def value(identifier: str) -> Json:
    """Return an id as a message carries it."""
    return {"value": identifier}


def new_uuid() -> str:
    """Return the UUID of a status update, base64 as all bytes are."""
    return base64.b64encode(uuid.uuid4().bytes).decode()


def record(event: Json) -> bytes:
    """Return one event as RecordIO: its length in decimal, a line feed, and the event."""
    payload = json.dumps(event, separators=(",", ":")).encode()
    return b"%d\n%s" % (len(payload), payload)


class RecordReader:
    """Cuts what arrives on an event stream into events, however it is split."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Json]:
        """Return the events that are complete with ``data``."""
        self._buffer += data
        events: list[Json] = []
        while (end := self._buffer.find(b"\n")) >= 0:
            length = int(self._buffer[:end])
            if len(self._buffer) < end + 1 + length:
                break
            events.append(json.loads(self._buffer[end + 1 : end + 1 + length]))
            self._buffer = self._buffer[end + 1 + length :]
        return events
