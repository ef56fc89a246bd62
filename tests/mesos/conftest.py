"""Fixtures of the Mesos double's tests: a small cluster that runs twenty times as fast as a real one.

It waits for executors and agents as long as a busy machine needs. A test that is about the end of such a wait asks for
another timing: ``@pytest.mark.parametrize("mesos", [{"timing": …}], indirect=True)``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from mesos.client import SchedulerClient
from mesos.double import MesosDouble
from mesos.executor_run import VirtualAgent
from mesos.terms import PACE, PATIENT


@pytest_asyncio.fixture
async def mesos(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MesosDouble]:
    """Return a double with two agents, made with the arguments of the test's parameter where it has one."""
    agents = [
        VirtualAgent("host1", {"machine_id": "host1"}),
        VirtualAgent("host2", {"machine_id": "host2", "rack": "b"}, "cpus:2;mem:1000;ports:[9000-9999,30000-30999]"),
    ]
    async with MesosDouble(
        agents, tmp_path, **{"pace": PACE, "timing": PATIENT} | getattr(request, "param", {})
    ) as double:
        yield double


@pytest_asyncio.fixture
async def scheduler(mesos: MesosDouble) -> AsyncIterator[SchedulerClient]:
    """Return a scheduler that is not subscribed."""
    async with SchedulerClient(mesos.address) as client:
        yield client
