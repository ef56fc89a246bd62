"""Reads the large replies of a core for somebody who asks often: pieces that came before are not read again, and the event
loop goes on between pieces. The messages: outline.proto; the same replies read once, in full: replies.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from server.api import o2control_pb2 as pb
from server.api import outline_pb2
from server.api.client import Client
from server.api.replies import EnvironmentInfo, TaskSummary

PIECES_AT_ONCE = 250
"""Between two turns of the event loop; a few milliseconds."""


class RoleOutline(NamedTuple):
    """A role without its variables."""

    name: str
    path: str
    state: str
    status: str
    parent: int
    """Place of its parent in the list of all roles, -1 for the root."""
    task_id: str
    """"" for a role with children, a call, and a task that is not deployed."""
    is_leaf: bool


class EnvironmentOutline(NamedTuple):
    """One environment with its tasks."""

    info: EnvironmentInfo
    """Its ``tasks`` are empty."""
    tasks: Mapping[str, TaskSummary]
    roles: tuple[RoleOutline, ...] = ()
    """In pre-order; empty if they were not asked for."""
    public: bool | None = None
    """None where that is not told: in lists."""


class OutlineReader:
    """Asks one core. A task that is as it was in the last reply is the same object again."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, dict[bytes, TaskSummary]] = {}
        """The pieces of the last reply about each environment, and about all tasks for ""."""

    async def tasks(self) -> Mapping[str, TaskSummary]:
        """Return all tasks of the core by id."""
        reply = outline_pb2.Tasks.FromString(await self._client.raw("GetTasks", pb.GetTasksRequest()))
        return await self._read_tasks("", reply.tasks)

    async def environments(self) -> list[EnvironmentOutline]:
        """Return all environments with their tasks; a core that does not send those leaves them empty."""
        request = pb.GetEnvironmentsRequest(showAll=True, showTaskInfos=True)
        reply = outline_pb2.Environments.FromString(await self._client.raw("GetEnvironments", request))
        return [await self._read_environment(data) for data in reply.environments]

    async def environment(self, environment_id: str, *, workflow: bool) -> EnvironmentOutline:
        """Return one environment, its tasks, and if asked for its roles."""
        request = pb.GetEnvironmentRequest(id=environment_id, showWorkflowTree=workflow)
        reply = outline_pb2.Details.FromString(await self._client.raw("GetEnvironment", request))
        outline = await self._read_environment(reply.environment)
        return outline._replace(roles=await _read_roles(reply.workflow) if reply.workflow else (), public=reply.public)

    def keep(self, environment_ids: Iterable[str]) -> None:
        """Forget all other environments."""
        kept = {"", *environment_ids}
        self._known = {question: pieces for question, pieces in self._known.items() if question in kept}

    async def _read_environment(self, data: bytes) -> EnvironmentOutline:
        info = pb.EnvironmentInfo.FromString(data)
        del info.tasks[:]
        tasks = await self._read_tasks(info.id, outline_pb2.Members.FromString(data).tasks)
        return EnvironmentOutline(info=EnvironmentInfo.read(info), tasks=tasks)

    async def _read_tasks(self, question: str, pieces: Iterable[bytes]) -> Mapping[str, TaskSummary]:
        before = self._known.get(question, {})
        known = {}
        unread = 0
        for piece in pieces:
            task = before.get(piece)
            if task is None:
                task = TaskSummary.read(pb.ShortTaskInfo.FromString(piece))
                unread += 1
                if unread % PIECES_AT_ONCE == 0:
                    await asyncio.sleep(0)
            known[piece] = task
        self._known[question] = known
        return {task.task_id: task for task in known.values()}


async def _read_roles(workflow: bytes) -> tuple[RoleOutline, ...]:
    found: list[RoleOutline] = []
    ahead: list[tuple[Iterator[bytes], int]] = [(iter((workflow,)), -1)]
    while ahead:
        siblings, parent = ahead[-1]
        data = next(siblings, None)
        if data is None:
            ahead.pop()
            continue
        role = outline_pb2.Role.FromString(data)
        is_leaf = not role.roles
        task_id = role.task_ids[0] if is_leaf and role.task_ids else ""
        ahead.append((iter(role.roles), len(found)))
        found.append(RoleOutline(role.name, role.full_path, role.state, role.status, parent, task_id, is_leaf))
        if len(found) % PIECES_AT_ONCE == 0:
            await asyncio.sleep(0)
    return tuple(found)
