"""One channel to one core: opened, asked, closed; deadlines, who asks, what failed calls raise. Use it through client.py."""

from __future__ import annotations

import asyncio
import os
import pwd
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from server.api import common_pb2
from server.api.errors import RefusedError
from server.api.failures import failure, unreachable

WRITES = frozenset(
    {
        "AddRepo", "CleanupTasks", "ControlEnvironment", "DestroyEnvironment", "DrainHost", "KillTask", "ModifyEnvironment",
        "NewAutoEnvironment", "NewEnvironment", "NewEnvironmentAsync", "RefreshRepos", "RemoveRepo", "RestartExecutor",
        "SetDefaultRepo", "SetGlobalDefaultRevision", "SetRepoDefaultRevision", "Teardown", "TransitionTask",
        "UndrainHost",
    }
)  # fmt: skip
"""Methods that change something; a read-only client refuses them."""

MAX_MESSAGE_BYTES = 100 * 1024 * 1024
"""As AliECS's own client: the reply of GetTasks of the whole cluster is far above gRPC's 4 MiB."""

MAX_ERROR_BYTES = 16 * 1024 * 1024
"""As the clients in Go: errors come as metadata, and with the environment that failed they are above gRPC's 8 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long a call may take, in seconds. The core goes on after a deadline of ours (clients.md 5.2)."""

    connect_s: float = 5.0
    read_s: float = 30.0
    control_s: float = 330.0
    """One transition: services may take 310 s in it."""
    create_s: float = 900.0
    repository_s: float = 330.0


class CoreChannel:
    """One channel to one core. Use ``connect``; close with ``close`` or as an async context manager.

    Every call raises LinkError when the core cannot be reached and nothing was sent, DeadlineError when the outcome
    is unknown, CoreError when the core says no, RefusedError for a write while ``read_only``.
    """

    def __init__(self, endpoint: str, *, deadlines: Deadlines, user: str = "", read_only: bool = False) -> None:
        self.endpoint = endpoint
        self.deadlines = deadlines
        self.user = user or default_user()
        self.read_only = read_only
        options = [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_metadata_size", MAX_ERROR_BYTES),
            ("grpc.absolute_max_metadata_size", MAX_ERROR_BYTES),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 300),
            ("grpc.min_reconnect_backoff_ms", int(1000 * deadlines.connect_s)),  # in fact the deadline of an attempt
            ("grpc.enable_http_proxy", 0),
        ]
        self._channel = grpc.aio.insecure_channel(endpoint, options=options)

    @classmethod
    async def connect(
        cls, endpoint: str, *, deadlines: Deadlines | None = None, user: str = "", read_only: bool = False
    ) -> Self:
        """Return a client whose channel is open.

        Args:
            endpoint: HOST:PORT or unix:/path.
            user: sent with writes, ``user@host`` unless given.

        Raises:
            LinkError: no core answers there within ``deadlines.connect_s``.
        """
        client = cls(endpoint, deadlines=deadlines or Deadlines(), user=user, read_only=read_only)
        try:
            await client.ready()
        except BaseException:
            await client.close()
            raise
        return client

    async def ready(self, *, patient: bool = False) -> None:
        """Return when the channel is open.

        Args:
            patient: go on trying for the whole of ``deadlines.connect_s`` even if connections are refused.

        Raises:
            LinkError: it did not open in time, or was refused.
        """
        state = self._channel.get_state(try_to_connect=True)
        why = f"no answer within {self.deadlines.connect_s:g} s"
        try:
            async with asyncio.timeout(self.deadlines.connect_s):
                while state is not grpc.ChannelConnectivity.READY:
                    if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                        why = await self._why_refused()
                        if not patient:
                            raise unreachable(self.endpoint, why)
                    await self._channel.wait_for_state_change(state)
                    state = self._channel.get_state(try_to_connect=True)
        except TimeoutError:
            raise unreachable(self.endpoint, why) from None

    async def _why_refused(self) -> str:
        """Tell a core that is not there from a name that nobody knows; grpc does not say."""
        host, _, port = self.endpoint.rpartition(":")
        if self.endpoint.startswith("unix:") or not port.isdigit():
            return "it refuses connections"
        try:
            await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), int(port))
        except OSError:
            return "this name is not known here"
        return "it refuses connections"

    async def close(self) -> None:
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ---- calls -------------------------------------------------------------------------------

    def requester(self) -> common_pb2.User:
        """Return who asks, as requests say it."""
        return common_pb2.User(name=self.user)

    async def send(self, method: str, call: Any, request: Any, deadline_s: float) -> Any:
        """Make a unary call of any service; ``call`` is the method of its stub."""
        if self.read_only and method in WRITES:
            raise RefusedError(f"{method} would change something, and this connection only reads")
        await self.ready()
        try:
            reply = await call(request, timeout=deadline_s)
        except grpc.aio.AioRpcError as error:
            _heed_cancellation()
            raise failure(self.endpoint, method, error, is_write=method in WRITES) from None
        _heed_cancellation()
        return reply


def _heed_cancellation() -> None:
    """Raise a cancellation that grpc has lost, as it does when the answer comes in the same turn of the loop."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def default_user() -> str:
    """Return ``user@host`` of this process; the number of a user without a name (containers)."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return f"{name}@{os.uname().nodename}"
