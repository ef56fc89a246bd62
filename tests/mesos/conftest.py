"""Fixtures of the Mesos double's tests: a small cluster that runs twenty times as fast as a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from mesos.client import SchedulerClient
from mesos.double import MesosDouble
from mesos.executor_run import VirtualAgent

PACE = 20.0


@pytest_asyncio.fixture
async def mesos(tmp_path: Path) -> AsyncIterator[MesosDouble]:
    """Return a double with two agents."""
    agents = [
        VirtualAgent("host1", {"machine_id": "host1"}),
        VirtualAgent("host2", {"machine_id": "host2", "rack": "b"}, "cpus:2;mem:1000;ports:[9000-9999,30000-30999]"),
    ]
    async with MesosDouble(agents, tmp_path, pace=PACE) as double:
        yield double


@pytest_asyncio.fixture
async def scheduler(mesos: MesosDouble) -> AsyncIterator[SchedulerClient]:
    """Return a scheduler that is not subscribed."""
    async with SchedulerClient(mesos.address) as client:
        yield client
