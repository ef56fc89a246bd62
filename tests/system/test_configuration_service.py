"""Cores and a configuration service: a core that uses one elsewhere, and the one that every other core has."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from configuration_service import ServiceProcess
from facility import CONFIGURATION, HOSTS, Facility, error_info

from server.api import apricot_pb2 as pb
from server.api import apricot_pb2_grpc, o2control_pb2
from server.config.file import FileStore

HERE = Path(__file__).resolve().parent


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    """Return a service that is alone, on a file with the hosts of the tests."""
    hosts = "".join(f'      {detector}: {{flps: {{{host}: {{cards: "{{}}"}}}}}}\n' for host, detector in HOSTS.items())
    (tmp_path / "elsewhere.yaml").write_text(CONFIGURATION + hosts)
    async with ServiceProcess(f"file://{tmp_path}/elsewhere.yaml", tmp_path) as one:
        yield one


@pytest.fixture
async def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: ServiceProcess) -> AsyncIterator[Facility]:
    """Return a running facility whose core has its configuration from that service."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    repository = tmp_path / "repository"
    shutil.copytree(HERE / "repository", repository)
    settings = {"configServiceUri": f"apricot://{service.endpoint}", "configTimeout": "20s"}
    async with Facility(tmp_path, repository, **settings) as one:
        yield one


async def test_a_core_lives_on_a_service_says_when_it_is_away_and_goes_on_when_it_is_back(
    far: Facility, service: ServiceProcess, tmp_path: Path
) -> None:
    store = FileStore(tmp_path / "elsewhere.yaml")
    made = await far.create("flow", ["flp001"])
    started = await far.ask(made.id, "START_ACTIVITY")
    assert (started.state, started.currentRunNumber) == ("RUNNING", 1)
    assert store.get("o2/runtime/run_number") == "1"
    await far.ask(made.id, "STOP_ACTIVITY")

    await service.kill()
    began = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await far.create("flow", ["flp002"])
    assert time.monotonic() - began < 90
    assert f"configuration apricot://{service.endpoint} cannot be reached" in (caught.value.details() or "")
    assert "does the configuration service run" in error_info(caught.value).metadata["hint"]
    assert await far.state_of(made.id) == "CONFIGURED", "what runs is not touched"

    await service.start()
    async with asyncio.timeout(60):
        while True:
            try:
                other = await far.create("flow", ["flp002"])
                break
            except grpc.aio.AioRpcError as error:
                assert "cannot be reached" in (error.details() or "")
    assert (await far.ask(other.id, "START_ACTIVITY")).currentRunNumber == 2
    await far.destroy(other.id, allowInRunningState=True, force=True)
    await far.destroy(made.id)
    asked = o2control_pb2.SetGlobalDefaultRevisionRequest(revision="next")
    await far.control.SetGlobalDefaultRevision(asked, timeout=60)
    assert store.get("o2/runtime/aliecs/default_revision") == "next", "what must outlive the core is kept elsewhere"


async def test_a_core_with_a_store_serves_it_to_others(facility: Facility) -> None:
    found = re.search(r"configuration served address=\S+ port=(\d+) http_port=(\d+)", facility.log())
    assert found
    async with grpc.aio.insecure_channel(f"127.0.0.1:{found[1]}") as channel:
        stub: apricot_pb2_grpc.ApricotAsyncStub = apricot_pb2_grpc.ApricotStub(channel)
        assert (await stub.NewRunNumber(pb.Empty(), timeout=60)).runNumber == 1
        defaults = (await stub.GetDefaults(pb.Empty(), timeout=60)).stringMap
    assert defaults["framework_id"] == f"local-{facility.instance}"
    made = await facility.create("flow", ["flp001"])
    assert (await facility.ask(made.id, "START_ACTIVITY")).currentRunNumber == 2
    await facility.destroy(made.id, allowInRunningState=True, force=True)
