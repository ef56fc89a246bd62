"""What a master does for tasks that run: it passes updates on, and the calls of schedulers to agents (6.2 to 6.4)."""

from __future__ import annotations

from mesos.courier import Courier, Parcel
from mesos.ledger import Framework, Ledger, master_status, task_status
from mesos.resources import Resources
from mesos.terms import TERMINAL, Json, value


class TaskDesk:
    """The part of a master that knows the tasks; it decides nothing about offers."""

    def __init__(self, ledger: Ledger, courier: Courier) -> None:
        self._ledger = ledger
        self._courier = courier

    def update(self, framework_id: str, status: Json, latest_state: str) -> None:
        """Take an update of an agent, and pass it on to a framework that is there."""
        framework = self._ledger.frameworks.get(framework_id)
        if framework is None:
            return
        task = framework.tasks.get(status["task_id"]["value"])
        if task is not None and not task.is_over:  # a late update does not bring a task back
            task.state, task.uuid = status["state"], status["uuid"]
            task.container = status.get("container_status", task.container)
            # What is used comes back with the first word of the end, though the word itself waits its turn.
            if latest_state in TERMINAL and task.agent_id in self._ledger.agents:
                self._ledger.return_task(self._ledger.agents[task.agent_id], task)
        framework.send({"type": "UPDATE", "update": {"status": status}})

    def message_from_executor(self, framework_id: str, agent_id: str, executor_id: str, data: str) -> None:
        """Pass on a message; it is lost where the framework is away."""
        if (framework := self._ledger.frameworks.get(framework_id)) is not None:
            message = {"agent_id": value(agent_id), "executor_id": value(executor_id), "data": data}
            framework.send({"type": "MESSAGE", "message": message})

    def executor_exited(self, framework_id: str, agent_id: str, executor_id: str, status: int) -> None:
        """Take note of the end of an executor; ``status`` is that of wait."""
        record = self._ledger.agents.get(agent_id)
        executor = record.executors.pop((framework_id, executor_id), None) if record is not None else None
        if record is not None and executor is not None:
            record.free += Resources.from_json(executor.get("resources", []))
        if (framework := self._ledger.frameworks.get(framework_id)) is not None:
            failure = {"agent_id": value(agent_id), "executor_id": value(executor_id), "status": status}
            framework.send({"type": "FAILURE", "failure": failure})

    def kill(self, framework: Framework, task_id: str) -> None:
        task = framework.tasks.get(task_id)
        if task is None:
            self.reconcile(framework, {"tasks": [{"task_id": value(task_id)}]})
            return
        record = self._ledger.agents.get(task.agent_id)
        if record is not None and record.is_active:
            self._courier.carry(Parcel.KILL, lambda: record.agent.kill(framework.id, task_id))

    def shutdown(self, framework: Framework, shutdown: Json) -> None:
        record = self._ledger.agents.get(shutdown.get("agent_id", {}).get("value", ""))
        if record is not None and record.is_active:
            record.agent.shutdown_executor(framework.id, shutdown["executor_id"]["value"])

    def acknowledge(self, framework: Framework, acknowledge: Json) -> None:
        task_id, update_id = acknowledge["task_id"]["value"], acknowledge["uuid"]
        task = framework.tasks.get(task_id)
        if task is not None and task.is_over and task.uuid == update_id:
            del framework.tasks[task_id]
        record = self._ledger.agents.get(acknowledge["agent_id"]["value"])
        if record is not None and record.is_active:
            self._courier.carry(
                Parcel.ACKNOWLEDGEMENT, lambda: record.agent.acknowledge(framework.id, task_id, update_id)
            )

    def message(self, framework: Framework, message: Json) -> None:
        record = self._ledger.agents.get(message["agent_id"]["value"])
        if record is not None and record.is_active:
            executor_id, data = message["executor_id"]["value"], message["data"]
            self._courier.carry(Parcel.TO_EXECUTOR, lambda: record.agent.message(framework.id, executor_id, data))

    def reconcile(self, framework: Framework, reconcile: Json) -> None:
        asked = [task["task_id"]["value"] for task in reconcile.get("tasks", [])]
        known = asked or sorted(task.id for task in framework.tasks.values() if not task.is_over)
        for task_id in known:
            task = framework.tasks.get(task_id)
            if task is not None:
                status = task_status(task, "Reconciliation: Latest task state", "REASON_RECONCILIATION")
            else:
                state = "TASK_UNKNOWN" if framework.can("PARTITION_AWARE") else "TASK_LOST"
                message = "Reconciliation: Task is unknown"
                status = master_status(task_id, state, message, "REASON_RECONCILIATION")
            framework.send({"type": "UPDATE", "update": {"status": status}})
