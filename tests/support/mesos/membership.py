"""Which agents a master has: they register, fall silent, are given up and come back with what they run (6.4)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from mesos.clock import Clock
from mesos.ledger import AgentRecord, Framework, Ledger, master_status, task_status
from mesos.resources import Resources
from mesos.terms import Timing, value

if TYPE_CHECKING:
    from mesos.agent import Agent


class Membership:
    """The part of a master that knows the agents.

    Args:
        rescind: takes back what is offered of an agent.
        allocate: called when there is an agent more to offer.
    """

    def __init__(
        self,
        master_id: str,
        ledger: Ledger,
        clock: Clock,
        timing: Timing,
        rescind: Callable[[str], int],
        allocate: Callable[[], None],
    ) -> None:
        self._master_id = master_id
        self._ledger = ledger
        self._clock = clock
        self._timing = timing
        self._rescind = rescind
        self._allocate = allocate
        self._numbers = count()

    def register(self, agent: Agent) -> None:
        """Take an agent: new, come back, or new to this master while its tasks run."""
        if not agent.id:
            agent.id = f"{self._master_id}-S{next(self._numbers)}"
        for framework_id in agent.framework_ids() & self._ledger.completed:
            agent.shutdown_framework(framework_id)
        record = self._ledger.agents.get(agent.id)
        if record is None:
            was_unreachable = agent.id in self._ledger.unreachable
            self._ledger.unreachable.discard(agent.id)
            record = AgentRecord(agent, agent.total)
            self._ledger.agents[agent.id] = record
            self._recover(record, "Unreachable" if was_unreachable else "Unknown")
            agent.registered()
            self._allocate()
            return
        record.is_active = True
        if record.removal is not None:
            record.removal.cancel()
            record.removal = None
        self._drop_what_is_gone(record)
        agent.registered()

    def disconnected(self, agent: Agent) -> None:
        """Take note that an agent does not answer: offers go, and tasks that nobody will recover."""
        record = self._ledger.agents.get(agent.id)
        if record is None or not record.is_active:
            return
        self._rescind(agent.id)
        record.is_active = False
        message, reason = f"Agent {agent.hostname} disconnected", "REASON_AGENT_DISCONNECTED"
        for framework in self._ledger.frameworks.values():
            if not framework.info.get("checkpoint"):
                self._lose_tasks(record, framework, "TASK_LOST", message, reason)
        record.removal = self._clock.later(self._timing.removal_s, lambda: self.remove(record))

    def remove(self, record: AgentRecord) -> None:
        """Give an agent up: what it still ran is unreachable."""
        self._rescind(record.id)
        if self._ledger.agents.pop(record.id, None) is None:
            return
        if record.removal is not None:
            record.removal.cancel()
        self._ledger.unreachable.add(record.id)
        message = f"Agent {record.agent.hostname} is unreachable: health check timed out"
        for framework in self._ledger.frameworks.values():
            state = "TASK_UNREACHABLE" if framework.can("PARTITION_AWARE") else "TASK_LOST"
            self._lose_tasks(record, framework, state, message, "REASON_AGENT_REMOVED")
            framework.send({"type": "FAILURE", "failure": {"agent_id": value(record.id)}})

    def _lose_tasks(self, record: AgentRecord, framework: Framework, state: str, message: str, reason: str) -> None:
        for task in [task for task in framework.tasks.values() if task.agent_id == record.id]:
            del framework.tasks[task.id]
            if task.is_over:
                continue
            self._ledger.return_task(record, task)
            executor_id = value(task.executor_id) if task.executor_id is not None else None
            status = master_status(task.id, state, message, reason, agent_id=value(record.id), executor_id=executor_id)
            framework.send({"type": "UPDATE", "update": {"status": status}})
        for key in [key for key in record.executors if key[0] == framework.id]:
            record.free += Resources.from_json(record.executors.pop(key).get("resources", []))

    def _recover(self, record: AgentRecord, adjective: str) -> None:
        """Learn from an agent what runs there, and tell the frameworks."""
        for framework_id, executor_id, executor in record.agent.executor_infos():
            record.executors[framework_id, executor_id] = executor
            record.free -= Resources.from_json(executor.get("resources", []))
        for framework_id, info, task in record.agent.known_tasks():
            if framework_id in self._ledger.completed:
                continue
            framework = self._ledger.frameworks.setdefault(framework_id, Framework(framework_id, info))
            framework.tasks[task.id] = task
            record.free -= task.resources
            message = f"{adjective} agent reregistered"
            status = task_status(task, message, "REASON_AGENT_REREGISTERED")
            framework.send({"type": "UPDATE", "update": {"status": status}})

    def _drop_what_is_gone(self, record: AgentRecord) -> None:
        """Give up what the agent forgot with its executors."""
        running = {(framework_id, task.id) for framework_id, _, task in record.agent.known_tasks()}
        for framework in self._ledger.frameworks.values():
            for task in [task for task in framework.tasks.values() if task.agent_id == record.id]:
                if not task.is_over and (framework.id, task.id) not in running:
                    state = "TASK_GONE" if framework.can("PARTITION_AWARE") else "TASK_LOST"
                    self._ledger.return_task(record, task)
                    del framework.tasks[task.id]
                    status = master_status(
                        task.id,
                        state,
                        "Task is unknown to the agent",
                        "REASON_SLAVE_UNKNOWN",
                        agent_id=value(record.id),
                    )
                    framework.send({"type": "UPDATE", "update": {"status": status}})
