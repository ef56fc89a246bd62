"""The part of a core that experts use, as a script: what it answers, and what it was asked for."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from server.api import ops_pb2 as pb
from server.api.convert_ops import to_host
from server.api.model import Drain
from server.api.model_ops import HostFacts
from server.api.ops_pb2_grpc import OpsServicer

HOSTS = (
    HostFacts(
        name="flp001", address="10.0.0.1", detector="ITS", attributes={"machine_id": "flp001"}, cpus=8, memory_mb=1024,
        free_cpus=7.5, free_memory_mb=960, tasks=2, environments=("2ab1CDEFgh",), executor_id="x1",
        executor_state="ATTACHED", agent_id="a1", version="1.2.3", pid=77, started_ms=int(1000 * (time.time() - 7250)),
    ),
    HostFacts(
        name="flp002", cpus=4, memory_mb=512, executor_state="NONE",
        drain=Drain(who="kim@flp", why="new disk", since_ms=1_764_000_000_000),
    ),
)  # fmt: skip


class FakeOps(OpsServicer):
    """Answers with HOSTS and with where a task would stand."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        """All of them, in order."""
        self.parts = [
            pb.Output(offset=0, data=b"one\ntwo \x1b[31mred\nthr", size=20),
            pb.Output(offset=20, data=b"ee\n", size=23),
        ]

    @property
    def acts(self) -> list[Any]:
        """The requests that change something."""
        return [request for request in self.requests if not isinstance(request, pb.TailRequest)]

    async def ListHosts(self, request: pb.ListHostsRequest, context: Any) -> pb.HostList:
        return pb.HostList(hosts=map(to_host, HOSTS))

    async def TailTask(self, request: pb.TailRequest, context: Any) -> AsyncIterator[pb.Output]:
        self.requests.append(request)
        if request.offset >= self.parts[-1].size:
            yield pb.Output(offset=request.offset, size=request.offset)
            return
        for part in self.parts:
            if request.offset < part.offset + len(part.data):
                yield part

    async def TransitionTask(self, request: pb.TaskTransitionRequest, context: Any) -> pb.TaskOutcome:
        self.requests.append(request)
        return pb.TaskOutcome(task_id=request.task_id, state="STANDBY", status="ACTIVE", environment_id="2ab1CDEFgh")

    async def KillTask(self, request: pb.KillTaskRequest, context: Any) -> pb.TaskOutcome:
        self.requests.append(request)
        return pb.TaskOutcome(task_id=request.task_id, state="ERROR", status="INACTIVE")

    async def DrainHost(self, request: pb.DrainHostRequest, context: Any) -> pb.HostFacts:
        self.requests.append(request)
        return to_host(HOSTS[1])

    async def UndrainHost(self, request: pb.UndrainHostRequest, context: Any) -> pb.HostFacts:
        self.requests.append(request)
        return to_host(HOSTS[0])

    async def RestartExecutor(self, request: pb.RestartExecutorRequest, context: Any) -> pb.HostFacts:
        self.requests.append(request)
        return to_host(HOSTS[request.host == "flp002"])
