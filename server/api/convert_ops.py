"""Conversion between model_ops.py and ops.proto, both ways."""

from __future__ import annotations

from server.api import model_ops as m
from server.api import ops_pb2 as pb
from server.api.convert_hosts import from_drain, to_drain


def to_host(host: m.HostFacts) -> pb.HostFacts:
    return pb.HostFacts(
        name=host.name,
        address=host.address,
        detector=host.detector,
        attributes=dict(host.attributes),
        cpus=host.cpus,
        memory_mb=host.memory_mb,
        free_cpus=host.free_cpus,
        free_memory_mb=host.free_memory_mb,
        tasks=host.tasks,
        environments=host.environments,
        executor=pb.Executor(
            id=host.executor_id,
            state=host.executor_state,
            agent_id=host.agent_id,
            version=host.version,
            pid=host.pid,
            started_ms=host.started_ms,
        ),
        drain=to_drain(host.drain),
    )


def from_host(message: pb.HostFacts) -> m.HostFacts:
    executor = message.executor
    return m.HostFacts(
        name=message.name,
        address=message.address,
        detector=message.detector,
        attributes=dict(message.attributes),
        cpus=message.cpus,
        memory_mb=message.memory_mb,
        free_cpus=message.free_cpus if message.HasField("free_cpus") else None,
        free_memory_mb=message.free_memory_mb if message.HasField("free_memory_mb") else None,
        tasks=message.tasks,
        environments=tuple(message.environments),
        executor_id=executor.id,
        executor_state=executor.state,
        agent_id=executor.agent_id,
        version=executor.version,
        pid=executor.pid,
        started_ms=executor.started_ms,
        drain=from_drain(message.drain) if message.HasField("drain") else None,
    )


def from_output(message: pb.Output) -> m.OutputPart:
    return m.OutputPart(message.offset, message.data, message.size)


def to_outcome(outcome: m.TaskOutcome) -> pb.TaskOutcome:
    return pb.TaskOutcome(
        task_id=outcome.task_id, state=outcome.state, status=outcome.status, environment_id=outcome.environment_id
    )


def from_outcome(message: pb.TaskOutcome) -> m.TaskOutcome:
    return m.TaskOutcome(
        task_id=message.task_id, state=message.state, status=message.status, environment_id=message.environment_id
    )
