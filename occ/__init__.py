"""Library of controllable tasks and of those who drive them. Public names load their module at first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from occ.client import OccClient
    from occ.device import CONTINUE, END, Device
    from occ.events import DeviceEvent, Iteration, Metric, Outcome, Sample, Trigger
    from occ.instance import AsyncInstance, Instance
    from occ.machine import TaskMachine
    from occ.process import Settings, run, serve
    from occ.properties import Properties
    from occ.states import TaskEvent, TaskState

__all__ = [
    "CONTINUE",
    "END",
    "AsyncInstance",
    "Device",
    "DeviceEvent",
    "Instance",
    "Iteration",
    "Metric",
    "OccClient",
    "Outcome",
    "Properties",
    "Sample",
    "Settings",
    "TaskEvent",
    "TaskMachine",
    "TaskState",
    "Trigger",
    "run",
    "serve",
]

_HOMES = {
    "client": ("OccClient",),
    "device": ("CONTINUE", "END", "Device"),
    "events": ("DeviceEvent", "Iteration", "Metric", "Outcome", "Sample", "Trigger"),
    "instance": ("AsyncInstance", "Instance"),
    "machine": ("TaskMachine",),
    "process": ("Settings", "run", "serve"),
    "properties": ("Properties",),
    "states": ("TaskEvent", "TaskState"),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"occ.{module}"), name)
            return value
    raise AttributeError(f"module 'occ' has no attribute {name!r}")
