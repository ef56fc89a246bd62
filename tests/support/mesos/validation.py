"""What a master checks in a task before it launches it, and the words in which it refuses (occ-executor-mesos.md 6.4)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mesos.resources import Resources
from mesos.terms import Json

IDENTIFIER_LENGTH = 255
LINE = "-" * 60


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What there is when a task is checked."""

    agent_id: str
    role: str
    left: Resources
    """Of the offers, after the tasks before this one."""
    is_taken: bool
    """Whether a live task has its id."""
    executor: Json | None
    """That which runs already on the agent under the id of the task's executor."""
    takes_limits: bool
    """Whether the agent can hold tasks to limits."""


def why_not(task: Json, circumstances: Circumstances) -> str | None:
    """Return why ``task``, as ``allocated`` returned it, may not be launched; None where it may."""
    task_id = task["task_id"]["value"]
    executor = task.get("executor")
    if _is_bad(task_id):
        return f"TaskID '{task_id}' contains invalid characters"
    if circumstances.is_taken:
        return f"Task has duplicate ID: {task_id}"
    if task["agent_id"]["value"] != circumstances.agent_id:
        return f"Task uses invalid agent {task['agent_id']['value']} while agent {circumstances.agent_id} is expected"
    if (executor is None) == (task.get("command") is None):
        return "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
    if not task.get("resources"):
        return "Task uses no resources"
    if task.get("limits") and (problem := _why_not_limits(task, takes_limits=circumstances.takes_limits)) is not None:
        return problem
    if executor is not None and (problem := _why_not_executor(executor, circumstances.executor)) is not None:
        return problem
    required = need(task, circumstances.executor)
    if not circumstances.left.contains(required):
        return (
            f"Total resources {required.text(circumstances.role)} required by task and its executor is more than"
            f" available {circumstances.left.text(circumstances.role)}"
        )
    return None


def need(task: Json, existing: Json | None) -> Resources:
    """Return what a task takes from its offer: its executor counts where there is none yet."""
    required = Resources.from_json(task["resources"])
    if existing is None and "executor" in task:
        required = required + Resources.from_json(task["executor"].get("resources", []))
    return required


def allocated(task: Json, framework_id: Json, role: str) -> Json:
    """Return the task as agent and executor get it: with what the master fills in."""
    filled = {**task, "resources": _allocated(task["resources"], role)}
    if "executor" in task:
        filled["executor"] = {
            "type": "CUSTOM",
            **_typed(task["executor"]),
            "framework_id": framework_id,
            "resources": _allocated(task["executor"].get("resources", []), role),
        }
    return filled


def _why_not_limits(task: Json, *, takes_limits: bool) -> str | None:
    if not takes_limits:
        return "Task has limits, and its agent has no capability TASK_RESOURCE_LIMITS"
    scalars = Resources.from_json(task["resources"]).scalars
    for name, limit in task["limits"].items():
        if name not in ("cpus", "mem"):
            return f"Task has a limit for {name}: only cpus and mem may have one"
        if float(limit["value"]) * 1000 < scalars.get(name, 0):
            return f"Task has a limit for {name} of {limit['value']}, which is less than what it asks for"
    return None


def _why_not_executor(executor: Json, existing: Json | None) -> str | None:
    if "command" not in executor:
        return "'ExecutorInfo.command' must be set for 'CUSTOM' executor"
    if _is_bad(executor["executor_id"]["value"]):
        return f"ExecutorID '{executor['executor_id']['value']}' contains invalid characters"
    if existing is not None and existing != executor:
        return (
            f"ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n{LINE}\n"
            f"Existing ExecutorInfo:\n{json.dumps(existing)}\n{LINE}\n"
            f"ExecutorInfo:\n{json.dumps(executor)}\n{LINE}\n"
        )
    return None


def _is_bad(identifier: str) -> bool:
    return (
        not 0 < len(identifier) <= IDENTIFIER_LENGTH
        or identifier in (".", "..")
        or any(letter in "/\\" or letter.isspace() or not letter.isprintable() for letter in identifier)
    )


def _allocated(resources: list[Json], role: str) -> list[Json]:
    return [
        {**{name: part for name, part in resource.items() if name != "role"}, "allocation_info": {"role": role}}
        for resource in resources
    ]


def _typed(executor: Json) -> Json:
    """Return the executor with its defaults said: a shell, and plain values as variables."""
    if "command" not in executor:
        return executor
    command = {"shell": True, **executor["command"]}
    if "environment" in command:
        variables = [{"type": "VALUE", **variable} for variable in command["environment"]["variables"]]
        command["environment"] = {"variables": variables}
    return {**executor, "command": command}
