"""What experts see and do beside environments: hosts with their executors, single tasks. The servicer: ops.py."""

from __future__ import annotations

from server.api.model_ops import HostFacts
from server.core import Core


def hosts(core: Core) -> list[HostFacts]:
    """Return all hosts by name, with what runs there."""
    alive: dict[str, list[str]] = {}
    for task in core.roster.all():
        if not task.ended:
            alive.setdefault(task.host, []).append(task.environment_id)
    found = []
    for host in core.backend.hosts():
        environments = alive.get(host.name, [])
        found.append(
            HostFacts(
                name=host.name,
                address=host.address,
                detector=host.detector,
                attributes=host.attributes,
                cpus=host.cpus,
                memory_mb=host.memory_mb,
                free_cpus=host.free_cpus,
                free_memory_mb=host.free_memory_mb,
                tasks=len(environments),
                environments=tuple(sorted({one for one in environments if one})),
                executor_id=host.executor_id,
                executor_state=host.state.value,
                agent_id=host.agent_id,
                version=host.version,
                pid=host.pid,
                started_ms=host.started_ms,
            )
        )
    return found
