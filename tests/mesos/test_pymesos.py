"""The double under pymesos' own drivers, unmodified, each in a process of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mesos.client import amounts
from mesos.double import MesosDouble
from mesos.executor_run import VirtualAgent
from mesos.terms import Json, Timing, value

pytestmark = pytest.mark.skipif(find_spec("pymesos") is None, reason="no pymesos: install the extra `mesos`")

DRIVERS = Path(__file__).parent / "drivers"
DEADLINE_S = 60.0
HOST = "127.0.0.1"
PACE = 10.0


class Driver:
    """A scheduler driver in its process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen: list[list[Any]] = []
        """All callbacks but offers, in their order."""
        self._offers: list[Json] = []

    async def next(self, name: str) -> list[Any]:
        """Return the arguments of the next callback of that name; what comes before is in ``seen``."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            while line := await self.process.stdout.readline():
                called, *arguments = json.loads(line)
                if called == "resourceOffers":
                    self._offers += arguments[0]
                else:
                    self.seen.append([called, *arguments])
                if called == name:
                    return list(arguments)
        raise AssertionError(f"the driver ended before {name}: {self.seen}")

    async def update(self, task_id: str, state: str) -> Json:
        """Return the status of that task in that state."""
        while True:
            status: Json = (await self.next("statusUpdate"))[0]
            if (status["task_id"]["value"], status["state"]) == (task_id, state):
                return status

    async def offer(self) -> Json:
        """Return the latest offer that was not taken yet."""
        while not self._offers:
            await self.next("resourceOffers")
        offer = self._offers[-1]
        self._offers.clear()
        return offer

    async def call(self, name: str, *arguments: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([name, *arguments]).encode() + b"\n")
        await self.process.stdin.drain()

    async def launch(self, *names: str) -> Json:
        """Launch tasks of these names, each with its name as id, under the executor ``ex``; return the offer."""
        offer = await self.offer()
        command = f"exec {sys.executable} -P {DRIVERS / 'task_runner.py'}"
        executor = {"executor_id": value("ex"), "command": {"value": command}, "resources": amounts(0.1, 32)}
        tasks = [
            {
                "task_id": value(name),
                "name": name,
                "agent_id": offer["agent_id"],
                "executor": {"type": "CUSTOM", **executor},
                "resources": amounts(0.2, 32),
            }
            for name in names
        ]
        await self.call("launchTasks", [offer["id"]], tasks, {"refuse_seconds": 0.5})
        return offer


@pytest_asyncio.fixture
async def mesos(tmp_path: Path) -> AsyncIterator[MesosDouble]:
    # Drivers wait for true seconds, and need true time to start: so agents wait for them as long as they must.
    timing = Timing(registration_s=60 * PACE, recovery_s=60 * PACE, removal_s=60 * PACE, retry_s=60 * PACE)
    async with MesosDouble([VirtualAgent(HOST)], tmp_path, pace=PACE, timing=timing) as double:
        yield double


async def driver_of(mesos: MesosDouble, **info: object) -> Driver:
    """Start a scheduler driver."""
    framework = {
        "user": "root",
        "name": "pymesos",
        "roles": ["*"],
        "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}],
        "failover_timeout": 600,
        **info,
    }
    program = (sys.executable, "-P", str(DRIVERS / "scheduler.py"), mesos.address, json.dumps(framework))
    process = await asyncio.create_subprocess_exec(
        *program,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=1 << 24,
    )
    return Driver(process)


@pytest_asyncio.fixture
async def driver(mesos: MesosDouble) -> AsyncIterator[Driver]:
    started = await driver_of(mesos)
    yield started
    if started.process.returncode is None:
        started.process.kill()
    await started.process.wait()


def told(seen: list[list[Any]]) -> list[str]:
    """Return callbacks in the words of the recording, without what differs from run to run."""
    words = []
    for name, *arguments in seen:
        if name == "statusUpdate":
            status = arguments[0]
            words.append(f"UPDATE {status['task_id']['value']} {status['state']} {status['source']}")
        elif name == "frameworkMessage":
            words.append("FWMSG")
        else:
            words.append(name)
    return words


def by_task(words: list[str]) -> dict[str, list[str]]:
    """Return what was told of each task, and of no task: between tasks the order is chance."""
    grouped: dict[str, list[str]] = {}
    for word in words:
        kind, _, rest = word.partition(" ")
        grouped.setdefault(rest.partition(" ")[0] if kind == "UPDATE" else "", []).append(word)
    return grouped


async def play(mesos: MesosDouble, driver: Driver) -> None:
    """Do what the recorded driver did with a custom executor."""
    await driver.next("registered")
    offer = await driver.launch("long", "short")
    await driver.update("short", "TASK_RUNNING")
    await driver.call("sendFrameworkMessage", value("ex"), offer["agent_id"], base64.b64encode(b"ping").decode())
    await driver.update("short", "TASK_FINISHED")
    await driver.launch("later")
    await driver.update("later", "TASK_RUNNING")
    await driver.call("reconcileTasks", [])
    await driver.update("long", "TASK_RUNNING")
    await driver.call("killTask", value("long"))
    await driver.update("long", "TASK_KILLED")
    await driver.call("shutdownExecutor", value("ex"), offer["agent_id"])
    await driver.update("later", "TASK_FAILED")
    await driver.call("stop")
    await driver.next("disconnected")


@pytest.mark.reference
async def test_the_driver_sees_what_it_saw_with_a_real_cluster(
    reference: Path, mesos: MesosDouble, driver: Driver
) -> None:
    await play(mesos, driver)
    recorded = []
    names = {"93615e": "long", "3ced24": "short", "0185ff": "later"}
    path = reference / "golden" / "mesos" / "02-custom-executor-pymesos-callbacks.txt"
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(" ")[2].partition(" ")
        if name == "UPDATE":
            status = json.loads(rest)
            task = names[status["task_id"]["value"].rpartition("-")[2]]
            recorded.append(f"UPDATE {task} {status['state']} {status['source']}")
        elif name in ("registered", "FWMSG", "executorLost", "disconnected"):
            recorded.append(name)
    seen = told(driver.seen)
    assert by_task(seen) == by_task(recorded)
    assert seen.index("executorLost") < seen.index("UPDATE later TASK_FAILED SOURCE_AGENT")


async def test_a_driver_whose_stream_breaks_comes_back_as_the_same_framework(
    mesos: MesosDouble, driver: Driver
) -> None:
    framework = (await driver.next("registered"))[0]["value"]
    await driver.launch("long")
    await driver.update("long", "TASK_RUNNING")
    # The driver acknowledges by itself, and dies of a refusal: what was reconciled after it was not refused.
    await driver.call("reconcileTasks", [])
    await driver.update("long", "TASK_RUNNING")
    mesos.scheduler_stream(framework).cut()
    await driver.next("reregistered")
    await driver.call("reconcileTasks", [])
    assert (await driver.update("long", "TASK_RUNNING"))["reason"] == "REASON_RECONCILIATION"


async def test_a_driver_follows_a_standby_to_its_leader(mesos: MesosDouble) -> None:
    standby = await mesos.start_standby()
    program = (sys.executable, "-P", str(DRIVERS / "scheduler.py"), standby, json.dumps({"user": "root", "name": "x"}))
    process = await asyncio.create_subprocess_exec(
        *program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    follower = Driver(process)
    _, info = await follower.next("registered")
    assert re.fullmatch(r"\d+", str(info["port"])) and mesos.address.endswith(f":{info['port']}")
    await follower.call("stop")
    process.stdin.close()  # type: ignore[union-attr]
    await asyncio.wait_for(process.wait(), DEADLINE_S)


async def test_the_death_of_an_executor_driver_is_told(mesos: MesosDouble, driver: Driver) -> None:
    await driver.next("registered")
    offer = await driver.launch("long")
    await driver.update("long", "TASK_RUNNING")
    await driver.call("sendFrameworkMessage", value("ex"), offer["agent_id"], base64.b64encode(b"die").decode())
    assert (await driver.next("executorLost"))[2] == 7 << 8
    await driver.update("long", "TASK_FAILED")


async def test_an_executor_driver_finds_its_restarted_agent(mesos: MesosDouble) -> None:
    driver = await driver_of(mesos, checkpoint=True)
    await driver.next("registered")
    await driver.launch("long")
    await driver.update("long", "TASK_RUNNING")
    await mesos.lose_agent(HOST)
    await mesos.restart_agent(HOST)
    mesos.return_agents()
    while True:
        said = (await driver.next("frameworkMessage"))[2]
        if base64.b64decode(said) == b"hello again":
            break
    await driver.call("stop")
    driver.process.stdin.close()  # type: ignore[union-attr]
    await asyncio.wait_for(driver.process.wait(), DEADLINE_S)
