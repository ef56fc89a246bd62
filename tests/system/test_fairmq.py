"""Workflows of FairMQ devices on a real core: whole runs with data, in both forms of the plug-in, and failures."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from facility import Facility

HERE = Path(__file__).resolve().parent
HOST = ["flp001"]


@pytest.fixture(params=["OCClite", "OCC"])
async def facility(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Facility]:
    """Return a running facility whose devices load this plug-in."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    shutil.copytree(HERE / "repository", tmp_path / "repository")
    async with Facility(
        tmp_path, tmp_path / "repository", fmqPlugin=request.param, configureTimeout="12s", transitionTimeout="12s"
    ) as one:
        yield one


async def test_fairmq_devices_move_data_through_two_runs_and_are_destroyed(facility: Facility) -> None:
    environment = await facility.create("fairmq", HOST)
    assert environment.state == "CONFIGURED"
    key = ("environment", environment.id)
    for _ in range(2):
        assert (await facility.ask(environment.id, "START_ACTIVITY")).state == "RUNNING"
        before = (await facility.watch_until(lambda seen: key in seen))[key].bytes_moved
        await facility.watch_until(lambda seen, before=before: seen[key].bytes_moved > before + 10_000)  # type: ignore[misc]
        assert (await facility.ask(environment.id, "STOP_ACTIVITY")).state == "CONFIGURED"
    assert (await facility.ask(environment.id, "RESET")).state == "DEPLOYED"
    assert (await facility.ask(environment.id, "CONFIGURE")).state == "CONFIGURED"
    assert len((await facility.destroy(environment.id)).cleanupTasksReply.killedTasks) == 4
    assert await facility.tasks() == []


@pytest.mark.parametrize(
    ("misbehaviour", "said"),
    [
        (
            "--refuse BIND",
            "CONFIGURE: BIND should have led to BOUND: ok=false trigger=DEVICE_ERROR event=BIND state=ERROR",
        ),
        ("--hang CONNECT", "CONFIGURE: CONNECT timed out"),
        ("--die 'INIT TASK'", "ended during CONFIGURE: "),
    ],
)
async def test_a_device_that_cannot_be_configured_fails_the_environment_with_its_reason(
    facility: Facility, misbehaviour: str, said: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await facility.create("fairmq", HOST, misbehaviour=misbehaviour)
    assert said in (caught.value.details() or ""), caught.value.details()


async def test_a_device_that_fails_in_a_run_puts_its_environment_into_error(facility: Facility) -> None:
    environment = await facility.create("fairmq", HOST, misbehaviour="--error-in-run 0.3")
    await facility.ask(environment.id, "START_ACTIVITY")
    key = ("environment", environment.id)
    things = await facility.watch_until(lambda seen: key in seen and seen[key].state == "ERROR")
    assert things["fault", environment.id].role.endswith("sink")
    await facility.destroy(environment.id)


async def test_a_device_that_is_killed_in_a_run_is_told_with_its_signal(facility: Facility) -> None:
    environment = await facility.create("fairmq", HOST)
    await facility.ask(environment.id, "START_ACTIVITY")
    os.kill(int((await facility.task("fmq-sink")).pid), signal.SIGKILL)
    key = ("environment", environment.id)
    things = await facility.watch_until(lambda seen: key in seen and seen[key].state == "ERROR")
    assert (
        "killed by signal 9" in things["fault", environment.id].cause or "137" in things["fault", environment.id].cause
    )
    await facility.destroy(environment.id)


async def test_a_device_that_ignores_signals_is_gone_after_destroy(facility: Facility) -> None:
    environment = await facility.create("fairmq", HOST, misbehaviour="--ignore-signals --hang 'RESET TASK'")
    pid = int((await facility.task("fmq-sink")).pid)
    await facility.destroy(environment.id)
    assert pid not in facility.processes()
