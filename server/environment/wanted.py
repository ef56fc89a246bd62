"""What an environment wants of the hosts: its task roles as descriptors, and what stands behind a role once it has a task."""

from __future__ import annotations

from collections.abc import Iterable

from server.environment.environment import Environment
from server.environment.stimuli import Assignment, TaskChange
from server.task.placement import TaskDescriptor
from server.task.task import Task


def wanted_tasks(environment: Environment, orders: Iterable[int]) -> tuple[list[TaskDescriptor], dict[int, str]]:
    """Return descriptors of these roles by ``Role.order``, and reasons for those that can have none."""
    tree = environment.tree
    descriptors: list[TaskDescriptor] = []
    undeployable: dict[int, str] = {}
    for order in orders:
        role = tree[order]
        task_class = environment.created.workflow.classes.get(role.loaded.load)
        if task_class is None:
            undeployable[order] = f"task class {role.loaded.load} was not loaded"
            continue
        inbound, outbound = tree.channels(role)
        stack = tree.stack(role)
        descriptors.append(
            TaskDescriptor(
                key=order,
                role_path=role.path,
                task_class=task_class,
                constraints=tree.constraints(role),
                stack=stack,
                inbound=inbound,
                outbound=outbound,
                traits=role.traits,
                detector=stack.get("detector", ""),
                critical=role.critical,
                environment_id=environment.id,
            )
        )
    return descriptors, undeployable


def assignment(order: int, task: Task) -> Assignment:
    """Return the task of a role as the environment remembers it."""
    return Assignment(
        role=order, task_id=task.task_id, host=task.host, class_name=task.class_name, mode=task.mode.value
    )


def change_of(before: Task | None, task: Task) -> TaskChange:
    """Return what an environment is told of its task; all of it where nothing was known before."""
    return TaskChange(
        task_id=task.task_id,
        state=task.state.value if before is None or task.state is not before.state else None,
        status=task.status.value if before is None or task.status is not before.status else None,
        error=task.error,
        exit_code=task.exit_code,
        signal=task.signal,
    )
