"""What a device answers and reports, as values: outcome of a transition, trigger, device event, metric.

Standard library only. Their protobuf form is made in service.py and read in client.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from occ.states import TaskState


class Trigger(IntEnum):
    """Who caused the state in a reply; numbers of ``occ_pb.StateChangeTrigger``."""

    EXECUTOR = 0
    DEVICE_INTENTIONAL = 1
    DEVICE_ERROR = 2


class DeviceEvent(IntEnum):
    """What a device reports by itself; numbers of ``occ_pb.DeviceEventType``."""

    NULL_DEVICE_EVENT = 0
    END_OF_STREAM = 1
    BASIC_TASK_TERMINATED = 2
    """Never sent by a task: executors make it up for tasks without OCC."""
    TASK_INTERNAL_ERROR = 3


class Iteration(IntEnum):
    """What ``Device.iterate_running`` returns; every other number is an error."""

    CONTINUE = 0
    END = 1
    """No more data in this run: END_OF_STREAM is reported, and there is no further call until the next START."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Answer to a transition that the device took on (occ-executor-mesos.md 1.3, step 7)."""

    state: TaskState
    event: str
    ok: bool
    """The resulting state is the one expected of the event; also true when nothing had to be done."""
    trigger: Trigger
    native: str = ""
    """The state as the peer spelt it: differs from ``state`` for FairMQ devices."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that a task tells about itself."""

    name: str
    """Dotted, lower case: ``data.sink.bytes``."""
    value: float
    unit: str = "1"
    """``B``, ``B/s``, ``1``; a unit that ends in ``/s`` is a rate and counts as 0 when it is not renewed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """All metrics of a task at one moment."""

    timestamp_ms: int
    """Unix time, UTC."""
    metrics: tuple[Metric, ...]
