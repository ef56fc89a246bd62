"""The property maps that CONFIGURE carries: each task's own, with the addresses of the whole environment (core.md 2.7)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from server.environment.environment import Environment
from server.task.properties import UnrenderedProperties, build_properties, effective_inbound, environment_endpoints
from server.task.roster import Roster
from server.task.task import Task


async def task_properties(
    environment: Environment, roster: Roster, task_ids: Sequence[str], objects: Mapping[str, object]
) -> dict[str, dict[str, str]]:
    """Return task id to property map for these tasks; basic and hook tasks get none.

    What asks services is rendered in a thread; how long that may take is for the caller to say.

    Args:
        objects: all that expressions may call.

    Raises:
        ConfigError: an outbound channel names no channel of this environment, two channels share an alias, or a value
            cannot be rendered.
    """
    wanted, wiring = set(task_ids), Wiring(environment, roster)
    unrendered = {
        task.task_id: one
        for task in wiring.tasks
        if task.task_id in wanted and (one := wiring.properties(task)) is not None
    }
    asking = {task_id: one for task_id, one in unrendered.items() if one.asks_services}
    maps = {task_id: one.render(objects) for task_id, one in unrendered.items() if task_id not in asking}
    if asking:
        maps |= await asyncio.to_thread(lambda: {task_id: one.render(objects) for task_id, one in asking.items()})
    return maps


class Wiring:
    """How the tasks of an environment find each other, once they are placed.

    Raises:
        ConfigError: two channels share an alias.
    """

    def __init__(self, environment: Environment, roster: Roster) -> None:
        self._environment = environment
        self.tasks: list[Task] = [task for task_id in environment.tasks if (task := roster.get(task_id))]
        self._endpoints = environment_endpoints(self.tasks)
        self._transports = _transports(environment, self.tasks)

    def properties(self, task: Task) -> UnrenderedProperties | None:
        """Return the property map of a task, None for one that gets none.

        Raises:
            ConfigError: an outbound channel names no channel of this environment.
        """
        if task.mode.value in ("basic", "hook"):
            return None
        environment = self._environment
        role = environment.role_of(task.task_id)
        inbound, outbound = environment.tree.channels(role)
        return build_properties(
            environment.created.workflow.classes[role.loaded.load],
            environment.tree.stack(role),
            task_id=task.task_id,
            task_name=task.name,
            hostname=task.host,
            environment_id=environment.id,
            role_path=role.path,
            inbound=inbound,
            outbound=outbound,
            local_endpoints=task.endpoints,
            endpoints=self._endpoints,
            transports=self._transports,
        )


def _transports(environment: Environment, tasks: Sequence[Task]) -> dict[str, str]:
    """Return the transport of every inbound channel, by the keys that outbound targets name."""
    transports: dict[str, str] = {}
    for task in tasks:
        role = environment.role_of(task.task_id)
        inbound, _ = environment.tree.channels(role)
        for channel in effective_inbound(inbound, environment.created.workflow.classes[role.loaded.load].bind):
            transports[f"{role.path}:{channel.name}"] = channel.transport
            if channel.alias:
                transports[f"::{channel.alias}"] = channel.transport
    return transports
