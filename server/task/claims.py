"""Tasks that no environment has any more, taken over by a new one instead of being ended and started anew (core.md 3.7, step 1).

A setting; without it they are ended before each creation. What nobody claims is placed: placement.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from server.deploy.backend import ExecutorState, HostInfo
from server.deploy.match import MACHINE_ID, unsatisfied
from server.task.command import effective_mode
from server.task.placement import Closed, TaskDescriptor
from server.task.properties import effective_inbound, effective_outbound, merge_constraints
from server.task.roster import Roster
from server.task.task import ChannelInfo, Task
from server.template.model import Inbound


class Claims:
    """Finds tasks to take over.

    Args:
        hosts: with their attributes; only on those whose executor is heard is anything taken over.
        closed: returns the hosts that take no new task now.
    """

    def __init__(self, roster: Roster, hosts: Callable[[], Sequence[HostInfo]], closed: Closed) -> None:
        self._roster = roster
        self._hosts = hosts
        self._closed = closed

    def find(self, descriptors: Iterable[TaskDescriptor]) -> dict[int, Task]:
        """Return tasks by the keys of their descriptors, each as it is once it is taken over; changes nothing.

        The first task counts that is of the same class, in STANDBY, on a host that satisfies all constraints, and that
        binds the channels that are wanted. Its command stays the one that it was started with.
        """
        closed = self._closed()
        attributes = {
            host.name: {MACHINE_ID: host.name, **host.attributes}
            for host in self._hosts()
            if host.state is ExecutorState.ATTACHED and host.name not in closed
        }
        free: dict[str, list[Task]] = {}
        for task in self._roster.all():
            if may_be_claimed(task) and task.host in attributes:
                free.setdefault(task.class_id, []).append(task)
        found: dict[int, Task] = {}
        for descriptor in descriptors:
            of_class = free.get(descriptor.task_class.identifier, [])
            for task in of_class:
                if (taken := _taken_over(task, descriptor, attributes[task.host])) is not None:
                    found[descriptor.key] = taken
                    of_class.remove(task)
                    break
        return found

    def take(self, descriptors: Iterable[TaskDescriptor]) -> dict[int, Task]:
        """Find tasks and lock them at once, so that nobody else takes them."""
        found = self.find(descriptors)
        self._roster.claim(found.values())
        return found


def may_be_claimed(task: Task) -> bool:
    """Tell whether an environment could take a task over."""
    return task.claimable and not task.killing


def _taken_over(task: Task, descriptor: TaskDescriptor, attributes: dict[str, str]) -> Task | None:
    """Return the task as the descriptor wants it, None if it cannot be that."""
    task_class = descriptor.task_class
    inbound = effective_inbound(descriptor.inbound, task_class.bind)
    outbound = effective_outbound(descriptor.outbound, task_class.connect)
    endpoints = _endpoints(task.endpoints, inbound)
    if (
        endpoints is None
        or task.mode is not effective_mode(task_class, descriptor.traits.trigger)
        or unsatisfied(merge_constraints(task_class.constraints, descriptor.constraints), attributes)
    ):
        return None
    return replace(
        task,
        environment_id=descriptor.environment_id,
        role_path=descriptor.role_path,
        critical=descriptor.critical,
        inbound=tuple(ChannelInfo(one.name, one.type) for one in inbound),
        outbound=tuple(ChannelInfo(one.name, one.type, one.target) for one in outbound),
        endpoints=endpoints,
    )


def _endpoints(bound: Mapping[str, str], wanted: Sequence[Inbound]) -> dict[str, str] | None:
    """Return the endpoints of the wanted channels and their aliases, None if one was not given when the task was started."""
    endpoints: dict[str, str] = {}
    for channel in wanted:
        local = bound.get(channel.name, "")
        if not local or local.startswith("ipc://") != (channel.addressing == "ipc"):
            return None
        endpoints[channel.name] = local
        if channel.alias:
            endpoints[f"::{channel.alias}"] = local
    return endpoints
