"""Conversion of hosts of the live picture, and of what keeps tasks from them, both ways. Other things: convert.py."""

from __future__ import annotations

from server.api import live_pb2
from server.api import model as m


def to_host(host: m.Host) -> live_pb2.Host:
    return live_pb2.Host(
        name=host.name,
        address=host.address,
        detector=host.detector,
        executor_id=host.executor_id,
        executor_state=host.executor_state,
        tasks=host.tasks,
        attributes=host.attributes,
        version=host.version,
        drain=to_drain(host.drain),
        cpus=host.cpus,
        memory_mb=host.memory_mb,
        free_cpus=host.free_cpus,
        free_memory_mb=host.free_memory_mb,
    )


def from_host(message: live_pb2.Host) -> m.Host:
    return m.Host(
        name=message.name,
        address=message.address,
        detector=message.detector,
        executor_id=message.executor_id,
        executor_state=message.executor_state,
        tasks=message.tasks,
        attributes=dict(message.attributes),
        version=message.version,
        drain=from_drain(message.drain) if message.HasField("drain") else None,
        cpus=message.cpus,
        memory_mb=message.memory_mb,
        free_cpus=message.free_cpus if message.HasField("free_cpus") else None,
        free_memory_mb=message.free_memory_mb if message.HasField("free_memory_mb") else None,
    )


def to_drain(drain: m.Drain | None) -> live_pb2.Drain | None:
    return live_pb2.Drain(who=drain.who, why=drain.why, since_ms=drain.since_ms) if drain else None


def from_drain(message: live_pb2.Drain) -> m.Drain:
    return m.Drain(who=message.who, why=message.why, since_ms=message.since_ms)
