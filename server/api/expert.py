"""The client's side of what experts ask (aliecs.ops.v1). Apart from client.py, for most commands need nothing of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Any

import grpc.aio

from server.api import ops_pb2 as pb
from server.api.convert_ops import from_host, from_outcome, from_output
from server.api.errors import CoreError, Reason
from server.api.failures import failure
from server.api.model_ops import HostFacts, OutputPart, TaskOutcome
from server.api.ops_pb2_grpc import OpsStub

if TYPE_CHECKING:
    from server.api.client import Client


class Expert:
    """Made by ``Client.expert``. Errors are those of the client; RESERVED from a core that has only AliECS's interface."""

    def __init__(self, client: Client, channel: Callable[[], grpc.aio.Channel]) -> None:
        self._client = client
        self._channel = channel

    async def hosts(self) -> tuple[HostFacts, ...]:
        """Return all hosts, by name."""
        reply = await self._send("ListHosts", pb.ListHostsRequest(), self._client.deadlines.read_s)
        return tuple(from_host(host) for host in reply.hosts)

    async def output(
        self, task_id: str, stream: str = "stdout", *, offset: int | None = None, lines: int = 0, follow: bool = False
    ) -> AsyncGenerator[OutputPart]:
        """Yield what a task wrote, to the end of what is there, or with ``follow`` to the end of the task.

        Args:
            stream: stdout or stderr.
            offset: where to begin; None: with the last ``lines``.
        """
        stub = await self._ready()
        request = pb.TailRequest(task_id=task_id, stream=stream, offset=offset, lines=lines, follow=follow)
        call = stub.TailTask(request)
        try:
            async for message in call:
                yield from_output(message)
        except grpc.aio.AioRpcError as error:
            raise self._told(failure(self._client.endpoint, "TailTask", error, is_write=False)) from None
        finally:
            call.cancel()

    async def transition(self, task_id: str, event: str, arguments: Mapping[str, str]) -> TaskOutcome:
        """Send one OCC transition to one task; ``arguments`` win over those that its environment would give."""
        request = pb.TaskTransitionRequest(
            task_id=task_id, event=event, arguments=dict(arguments), request_user=self._client.requester()
        )
        return from_outcome(await self._send("TransitionTask", request, self._client.deadlines.control_s))

    async def kill(self, task_id: str, *, force: bool = False, reason: str = "") -> TaskOutcome:
        """Kill any task; ``force`` also a critical one of an environment that takes data. ``reason`` is for the audit."""
        request = pb.KillTaskRequest(task_id=task_id, force=force, reason=reason, request_user=self._client.requester())
        return from_outcome(await self._send("KillTask", request, self._client.deadlines.control_s))

    async def drain(self, host: str, why: str) -> HostFacts:
        """Place no new task on a host, until ``undrain``; what runs there goes on."""
        request = pb.DrainHostRequest(host=host, why=why, request_user=self._client.requester())
        return from_host(await self._send("DrainHost", request, self._client.deadlines.read_s))

    async def undrain(self, host: str) -> HostFacts:
        """Let tasks be placed on a host again."""
        request = pb.UndrainHostRequest(host=host, request_user=self._client.requester())
        return from_host(await self._send("UndrainHost", request, self._client.deadlines.read_s))

    async def restart(self, host: str, *, force: bool = False, reason: str = "") -> HostFacts:
        """End the executor of a host with its tasks and start a new one; ``force`` also with tasks of environments."""
        request = pb.RestartExecutorRequest(
            host=host, force=force, reason=reason, request_user=self._client.requester()
        )
        return from_host(await self._send("RestartExecutor", request, self._client.deadlines.control_s))

    async def _send(self, method: str, request: Any, deadline_s: float) -> Any:
        stub = await self._ready()
        try:
            return await self._client.send(method, getattr(stub, method), request, deadline_s)
        except CoreError as error:
            raise self._told(error) from None

    async def _ready(self) -> Any:
        await self._client.ready()  # a recording has no channel, and refuses here
        return OpsStub(self._channel())

    def _told(self, error: Exception) -> Exception:
        """Return the error, in words of ours if the core does not know the method at all."""
        if not isinstance(error, CoreError) or error.reason is not Reason.RESERVED:
            return error
        return CoreError(
            Reason.RESERVED,
            f"the core at {self._client.endpoint} gives experts no access: it has only AliECS's own interface",
            code=error.code,
            hint="hosts, task ls and task show tell what it knows",
        )
