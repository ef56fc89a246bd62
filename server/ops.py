"""The aliecs.ops.v1.Ops servicer: requests of operators and experts that AliECS's own interface does not have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from occ.errors import AliecsError
from server.api import ops_pb2 as pb
from server.api.convert_ops import to_host, to_outcome
from server.api.convert_plan import to_plan
from server.api.ops_pb2_grpc import OpsServicer
from server.audit import Audit
from server.core import Core
from server.environment.creation import Creation
from server.experts import Experts
from server.hosts import Hosts
from server.service import requester
from server.status import answer, refuse

SERVICE = "aliecs.ops.v1.Ops"

_Context = grpc.aio.ServicerContext[Any, Any]


class OpsService(OpsServicer):
    """Serves one core."""

    def __init__(self, core: Core) -> None:
        self._core = core
        audit = Audit(core.display.publish)
        self._experts = Experts(core, audit)
        self._hosts = Hosts(core, audit)

    async def PlanEnvironment(self, request: pb.PlanRequest, context: _Context) -> pb.Plan:
        return await answer(context, self._plan(request))

    async def _plan(self, request: pb.PlanRequest) -> pb.Plan:
        asked = Creation(
            template=request.template, user_vars=dict(request.vars), requester=requester(request.request_user)
        )
        plan = await self._core.rehearsal.plan(asked)
        return await asyncio.to_thread(to_plan, plan)  # thousands of tasks take a while

    async def ListHosts(self, request: pb.ListHostsRequest, context: _Context) -> pb.HostList:
        return pb.HostList(hosts=map(to_host, self._hosts.all()))

    async def TailTask(self, request: pb.TailRequest, context: _Context) -> AsyncIterator[pb.Output]:
        pieces = self._core.outputs.read(
            request.task_id,
            request.stream or "stdout",
            offset=request.offset if request.HasField("offset") else None,
            lines=request.lines,
            follow=request.follow,
        )
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    yield pb.Output(offset=piece.offset, data=piece.data, size=piece.size)
        except AliecsError as error:
            await refuse(context, error)

    async def TransitionTask(self, request: pb.TaskTransitionRequest, context: _Context) -> pb.TaskOutcome:
        work = self._experts.transition(
            request.task_id, request.event, dict(request.arguments), requester(request.request_user)
        )
        return to_outcome(await answer(context, self._core.detached(work)))

    async def KillTask(self, request: pb.KillTaskRequest, context: _Context) -> pb.TaskOutcome:
        work = self._experts.kill(
            request.task_id, requester(request.request_user), force=request.force, reason=request.reason
        )
        return to_outcome(await answer(context, self._core.detached(work)))

    async def DrainHost(self, request: pb.DrainHostRequest, context: _Context) -> pb.HostFacts:
        work = self._hosts.drain(request.host, request.why, requester(request.request_user))
        return to_host(await answer(context, self._core.detached(work)))

    async def UndrainHost(self, request: pb.UndrainHostRequest, context: _Context) -> pb.HostFacts:
        work = self._hosts.undrain(request.host, requester(request.request_user))
        return to_host(await answer(context, self._core.detached(work)))

    async def RestartExecutor(self, request: pb.RestartExecutorRequest, context: _Context) -> pb.HostFacts:
        work = self._hosts.restart(
            request.host, requester(request.request_user), force=request.force, reason=request.reason
        )
        return to_host(await answer(context, self._core.detached(work)))
