"""Acquire the tasks that an environment wants: take them over or place them, record them, hand new ones over for launch.

Which are taken over: claims.py; hosts, ports and commands of new ones: placement.py. That tasks came up is told by the
roster.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from occ.errors import AliecsError, DeadlineError
from server.deploy.backend import Backend
from server.task.claims import Claims
from server.task.command import OCC_LITE, FmqPlugin
from server.task.placement import Closed, Placed, Placement, TaskDescriptor
from server.task.roster import Roster
from server.task.task import Task
from server.template.functions import UTILITIES

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Acquired:
    """Every descriptor stands in exactly one of the two, by its key."""

    assigned: dict[int, str] = field(default_factory=dict)
    """To the task id."""
    undeployable: dict[int, str] = field(default_factory=dict)
    """To the reason, in words."""


class Acquirer:
    """Places and launches tasks. Several environments may acquire at the same time.

    Args:
        record: makes new tasks durable; nothing is launched before it returns.
        objects: all that expressions in commands may call.
        plugin: what FairMQ devices are told to load.
        closed: returns the hosts on which nothing is placed now, with the reason in words.
        reuses: tasks that no environment has are taken over.

    Attributes:
        claims: which tasks those are; None if there are none.
    """

    def __init__(
        self,
        backend: Backend,
        roster: Roster,
        *,
        record: Callable[[Sequence[Task]], Awaitable[None]],
        objects: Mapping[str, object] = UTILITIES,
        plugin: FmqPlugin = OCC_LITE,
        closed: Closed = dict,
        reuses: bool = False,
    ) -> None:
        self._backend = backend
        self._roster = roster
        self._record = record
        self.claims = Claims(roster, backend.hosts, closed) if reuses else None
        self._placement = Placement(backend, objects, plugin, closed=closed)

    async def acquire(
        self, environment_id: str, descriptors: Sequence[TaskDescriptor], *, timeout_s: float, ids: Callable[[], str]
    ) -> Acquired:
        """Place the descriptors and hand their tasks over for launch; each stands alone, what fails is undeployable.

        Args:
            timeout_s: for all of it; executors that are not there in time make their tasks undeployable.
            ids: makes task and command ids.

        Raises:
            AliecsError: the inventory cannot be read, or the journal not written.
        """
        acquired = Acquired()
        if not descriptors:
            return acquired
        claimed = self.claims.take(descriptors) if self.claims else {}
        left = [descriptor for descriptor in descriptors if descriptor.key not in claimed]
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                placed = await self._placement.place(left, ids) if left else Placed({}, {})
                acquired.undeployable.update(placed.undeployable)
                tasks = list(placed.tasks.values())
                self._roster.add(tasks)
                try:
                    await self._record([*claimed.values(), *tasks])
                except BaseException:
                    self._drop(tasks)
                    raise
        except BaseException as error:
            self._roster.release([task.task_id for task in claimed.values()])
            if isinstance(error, TimeoutError):
                message = f"env {environment_id}: tasks were not placed within {timeout_s:g} s"
                raise DeadlineError(message) from None
            raise
        acquired.assigned.update({key: task.task_id for key, task in claimed.items()})
        keys = {task.task_id: key for key, task in placed.tasks.items()}
        left_s = max(0.0, (deadline.when() or 0.0) - asyncio.get_running_loop().time())
        await self._launch(tasks, keys, acquired, left_s, ids)
        return acquired

    # ---- launch ------------------------------------------------------------------------------

    async def _launch(
        self,
        tasks: Sequence[Task],
        keys: Mapping[str, int],
        acquired: Acquired,
        timeout_s: float,
        ids: Callable[[], str],
    ) -> None:
        by_host: dict[str, list[Task]] = {}
        for task in tasks:
            by_host.setdefault(task.host, []).append(task)
        refusals = await asyncio.gather(
            *(self._launch_on(host, group, timeout_s, ids()) for host, group in by_host.items())
        )
        for (host, group), refusal in zip(by_host.items(), refusals, strict=True):
            if refusal:
                log.error("tasks could not be launched host=%s count=%d reason=%s", host, len(group), refusal)
                self._drop(group)
                acquired.undeployable.update({keys[task.task_id]: refusal for task in group})
            else:
                acquired.assigned.update({keys[task.task_id]: task.task_id for task in group})

    async def _launch_on(self, host: str, tasks: Sequence[Task], timeout_s: float, command_id: str) -> str:
        """Launch on one host; returns why it is not possible, "" if it was done."""
        try:
            specs = [task.command for task in tasks]
            await self._backend.launch(host, tasks[0].offer_id, specs, command_id, timeout_s=timeout_s)
        except AliecsError as error:
            return str(error)
        return ""

    def _drop(self, tasks: Sequence[Task]) -> None:
        task_ids = [task.task_id for task in tasks]
        self._roster.remove(task_ids)
        self._backend.release(task_ids)
