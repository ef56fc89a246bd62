"""The master's pages for people and scripts: who is there (occ-executor-mesos.md 7.5, the part that is asked for)."""

from __future__ import annotations

from mesos.ledger import AgentRecord, Framework
from mesos.master import Master
from mesos.terms import VERSION, Json


def state(master: Master) -> Json:
    """Return ``/state``."""
    info = master.info
    leader: Json = {name: info[name] for name in ("id", "pid", "port", "hostname")}
    return {
        "version": VERSION,
        "id": info["id"],
        "pid": info["pid"],
        "hostname": info["hostname"],
        "leader": info["pid"],
        "leader_info": leader,
        "activated_slaves": float(sum(record.is_active for record in master.ledger.agents.values())),
        "deactivated_slaves": float(sum(not record.is_active for record in master.ledger.agents.values())),
        "unreachable_slaves": float(len(master.ledger.unreachable)),
        "slaves": [_agent(record) for record in master.ledger.agents.values()],
        "frameworks": [_framework(framework) for framework in master.ledger.frameworks.values()],
        "completed_frameworks": [{"id": framework_id} for framework_id in sorted(master.ledger.completed)],
    }


def slaves(master: Master) -> Json:
    """Return ``/slaves``."""
    return {"slaves": [_agent(record) for record in master.ledger.agents.values()], "recovered_slaves": []}


def _agent(record: AgentRecord) -> Json:
    agent = record.agent
    return {
        "id": agent.id,
        "hostname": agent.hostname,
        "port": agent.door.port,
        "attributes": {each["name"]: each["text"]["value"] for each in agent.attributes},
        "resources": agent.total.summary(),
        "active": record.is_active,
        "version": VERSION,
        "capabilities": list(agent.capabilities),
    }


def _framework(framework: Framework) -> Json:
    return {
        "id": framework.id,
        "name": framework.info["name"],
        "active": framework.is_connected,
        "connected": framework.is_connected,
        "tasks": [
            {"id": task.id, "state": task.state, "slave_id": task.agent_id, "executor_id": task.executor_id or ""}
            for task in framework.tasks.values()
        ],
    }
