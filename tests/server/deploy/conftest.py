"""Stages for backends: see tests/support/deploy_stages.py. At the end of each test nothing of it may be left."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deploy_stages import PACE, TIMING, ClusterStage, DoubleStage, LocalStage, Stage, agent
from mesos.double import MesosDouble
from process_ends import all_killed


@asynccontextmanager
async def on_this_machine(folder: Path) -> AsyncIterator[LocalStage]:
    stage = LocalStage(folder)
    yield stage
    await _end(stage)


@asynccontextmanager
async def on_double(folder: Path) -> AsyncIterator[DoubleStage]:
    async with MesosDouble([agent(1), agent(2)], folder / "agents", pace=PACE, timing=TIMING) as mesos:
        stage = DoubleStage(folder, mesos)
        yield stage
        for backend in stage.backends:
            await backend.close()
    await stage.empty()


@asynccontextmanager
async def on_real_master(folder: Path) -> AsyncIterator[ClusterStage]:
    address = os.environ.get("ALIECS_TEST_MESOS")
    if not address:
        pytest.skip("no real Mesos: name its master in ALIECS_TEST_MESOS, as host:port; its agents must run here")
    hosts = await asyncio.to_thread(_hosts_of, address)
    if len(hosts) < 2:
        pytest.skip(f"the cluster at {address} has no two agents with attributes machine_id")
    stage = ClusterStage(folder, address, hosts[:2])
    stage.master = replace(stage.master, failover_timeout_s=10.0)
    yield stage
    await _end(stage)


def _hosts_of(address: str) -> list[str]:
    with urllib.request.urlopen(f"http://{address}/slaves", timeout=60) as answer:
        agents = json.load(answer)["slaves"]
    return sorted({one["attributes"].get("machine_id", "") for one in agents} - {""})


async def _end(stage: Stage[Any]) -> None:
    for backend in stage.backends:
        await backend.close()
    await all_killed(stage.processes)


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[LocalStage]:
    async with on_this_machine(tmp_path) as stage:
        yield stage


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[DoubleStage]:
    async with on_double(tmp_path) as stage:
        yield stage


@pytest.fixture(params=[on_this_machine, on_double, on_real_master], ids=["local", "double", "real"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage[Any]]:
    async with request.param(tmp_path) as one:
        yield one
