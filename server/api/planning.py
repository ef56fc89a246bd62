"""The client's side of a plan (aliecs.ops.v1). Apart from client.py, for most commands need nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from server.api import ops_pb2
from server.api.convert_plan import from_plan
from server.api.errors import CoreError, Reason
from server.api.model_plan import Plan
from server.api.ops_pb2_grpc import OpsStub

if TYPE_CHECKING:
    import grpc.aio

    from server.api.client import Client


async def ask(client: Client, channel: grpc.aio.Channel, template: str, variables: Mapping[str, str]) -> Plan:
    """Return what creating an environment would come to.

    Raises:
        CoreError: also RESERVED, for a core that has only AliECS's own interface.
    """
    request = ops_pb2.PlanRequest(template=template, vars=dict(variables), request_user=client.requester())
    method = OpsStub(channel).PlanEnvironment
    try:
        reply = await client.send("PlanEnvironment", method, request, client.deadlines.create_s)
    except CoreError as error:
        if error.reason is not Reason.RESERVED:
            raise
        raise CoreError(
            Reason.RESERVED, f"the core at {client.endpoint} cannot plan: it has only AliECS's own interface",
            code=error.code, hint=f"templ vars {template} shows what the template takes",
        ) from None  # fmt: skip
    return from_plan(reply)
