"""The aliecs.ops.v1.Ops servicer: requests of operators that AliECS's own interface does not have."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from server.api import ops_pb2 as pb
from server.api.convert_plan import to_plan
from server.api.ops_pb2_grpc import OpsServicer
from server.core import Core
from server.environment.creation import Creation
from server.service import requester
from server.status import answer

SERVICE = "aliecs.ops.v1.Ops"

_Context = grpc.aio.ServicerContext[Any, Any]


class OpsService(OpsServicer):
    """Serves one core."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def PlanEnvironment(self, request: pb.PlanRequest, context: _Context) -> pb.Plan:
        return await answer(context, self._plan(request))

    async def _plan(self, request: pb.PlanRequest) -> pb.Plan:
        asked = Creation(
            template=request.template, user_vars=dict(request.vars), requester=requester(request.request_user)
        )
        plan = await self._core.rehearsal.plan(asked)
        return await asyncio.to_thread(to_plan, plan)  # thousands of tasks take a while
