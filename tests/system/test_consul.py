"""A core whose configuration is in Consul: whole runs, and what goes on when Consul is killed, silent and back again."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from consul_agent import ConsulAgent
from facility import CONFIGURATION, HOSTS, Facility

from server.api import o2control_pb2 as pb
from server.config.file_text import parse
from server.config.open import open_store
from server.config.transfer import Plan, content
from server.config.tree import SnapshotStore

DEADLINE_S = 10.0
"""Of the core for one access to its configuration."""


def fill(agent: ConsulAgent) -> None:
    text = CONFIGURATION + "".join(
        f'      {detector}: {{flps: {{{host}: {{cards: "{{}}"}}}}}}\n' for host, detector in HOSTS.items()
    )
    with closing(open_store(agent.uri)) as store:
        Plan.of(content(SnapshotStore("", parse(text, "text"))), content(store)).carry_out(store)


@pytest.fixture
async def facility(own_consul: ConsulAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Facility]:
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    shutil.copytree(Path(__file__).parent / "repository", tmp_path / "repository")
    fill(own_consul)
    settings = {"configServiceUri": own_consul.uri, "configTimeout": f"{DEADLINE_S:g}s"}
    async with Facility(tmp_path, tmp_path / "repository", **settings) as one:
        yield one


async def refused(facility: Facility) -> grpc.aio.AioRpcError:
    """Return the error of asking for an environment, which comes within the deadline."""
    started = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await facility.create("flow", ["flp002"])
    assert time.monotonic() - started < DEADLINE_S + 60
    return caught.value


async def test_a_run_goes_on_while_consul_is_away_and_all_else_says_why_it_does_not(
    facility: Facility, own_consul: ConsulAgent
) -> None:
    running = (await facility.create("flow", ["flp001"])).id
    ready = (await facility.create("flow", ["flp003"])).id
    assert (await facility.ask(running, "START_ACTIVITY")).currentRunNumber == 1
    for make_it, words in ((own_consul.freeze, "no answer within"), (own_consul.kill, "Connection refused")):
        make_it()
        error = await refused(facility)
        assert words in (error.details() or "")
        assert own_consul.uri in (error.details() or "")
        assert await facility.state_of(running) == "RUNNING"
    reply = await facility.control.GetFrameworkInfo(pb.GetFrameworkInfoRequest(), timeout=60)
    assert (reply.configurationEndpoint, reply.environmentsCount) == (own_consul.uri, 2)
    assert (await facility.ask(ready, "START_ACTIVITY")).state == "ERROR"
    fault = (await facility.shows(lambda store: store.fault(ready) is not None)).fault(ready)
    assert fault is not None
    assert fault.what == "no run number"
    assert "Connection refused" in fault.cause
    assert await facility.state_of(running) == "RUNNING"
    assert (await facility.ask(running, "STOP_ACTIVITY")).state == "CONFIGURED"
    own_consul.start()
    assert (await facility.ask(running, "START_ACTIVITY")).currentRunNumber == 2
    again = await facility.create("flow", ["flp002"])
    assert (again.state, list(again.includedDetectors)) == ("CONFIGURED", ["TPC"])
    assert (await facility.ask(running, "STOP_ACTIVITY")).state == "CONFIGURED"


async def test_a_core_does_not_start_without_its_consul_and_says_so(own_consul: ConsulAgent, tmp_path: Path) -> None:
    own_consul.kill()
    code, said = await core(tmp_path, own_consul.uri)
    assert code == 1
    assert f"aliecs-server: {own_consul.uri} cannot be reached" in said
    own_consul.start()
    own_consul.freeze()
    started = time.monotonic()
    code, said = await core(tmp_path, own_consul.uri)
    own_consul.thaw()
    assert code == 1
    assert f"{own_consul.uri}: no answer within" in said
    assert time.monotonic() - started < 100


async def test_a_core_is_drained_while_its_consul_is_away(facility: Facility, own_consul: ConsulAgent) -> None:
    await facility.create("flow", ["flp001"])
    own_consul.kill()
    said = await facility_drain(facility)
    assert "going on without the settings there" in said
    assert facility.process is not None
    assert await asyncio.wait_for(facility.process.wait(), 60) == 0
    assert facility.processes() == []


async def core(folder: Path, uri: str, *words: str) -> tuple[int, str]:
    """Run a core to its end."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "aliecs-server"), *words, f"--coreWorkingDir={folder / 'state'}",
        f"--configServiceUri={uri}", "--controlPort=0", "--bindAddress=127.0.0.1", "--configServicePort=0",
        "--configServiceHttpPort=0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, said.decode()


async def facility_drain(facility: Facility) -> str:
    _, said = await core(facility.folder, facility.settings["configServiceUri"], "drain")
    return said
