"""A device as a real process: readiness, port, exit code, signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from occ import OccClient, TaskState
from occ.errors import ConfigError, DeadlineError, LinkError
from occ.process import DEFAULT_PORT, Settings

DEADLINE_S = 60.0
TASK = """
import os, sys, threading
from occ import Device
from occ.errors import RefusedError

class Task(Device):
    def configure(self, properties):
        print("ready fd in environment:", "OCC_READY_FD" in os.environ, "role:", self.role, flush=True)
        if properties.get("block"):
            print("blocking", flush=True)
            threading.Event().wait()

Task.main()
"""


async def run_to_end(*arguments: str, **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TASK, *arguments, env=os.environ | environment, stdout=-1, stderr=-1
    )
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_task_says_when_its_port_is_open_and_ends_with_0_after_exit(launch) -> None:
    task = await launch("-c", TASK)
    report = await task.client.get_state(DEADLINE_S)  # no retry: the port is open
    assert (report.state, report.pid) == (TaskState.STANDBY, task.process.pid)
    states = asyncio.create_task(read_all(task.client.state_stream()))
    for event in ("CONFIGURE", "START", "STOP", "RESET"):
        assert (await task.fire(event)).ok
    outcome = await task.fire("EXIT")
    answered = time.monotonic()
    assert outcome.ok and outcome.state is TaskState.DONE
    assert await task.exit_code() == 0
    assert time.monotonic() - answered < 10
    assert [state.value for state in await states] == ["CONFIGURED", "RUNNING", "CONFIGURED", "STANDBY", "DONE"]


async def read_all(stream):
    return [value async for value in stream]


async def test_open_streams_end_with_the_task_and_do_not_keep_it(launch) -> None:
    task = await launch("-c", TASK)
    async with OccClient(task.client.address) as other:
        streams = [asyncio.create_task(read_all(stream)) for stream in (other.event_stream(), other.metrics())]
        await other.get_state(DEADLINE_S)
        assert (await task.fire("EXIT")).ok
        assert await task.exit_code() == 0
        assert (await streams[0]) == []
        await streams[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_at_once_and_breaks_its_streams(launch, number: signal.Signals) -> None:
    task = await launch("-c", TASK)
    await task.fire("CONFIGURE")
    stream = asyncio.create_task(read_all(task.client.state_stream()))
    await task.client.get_state(DEADLINE_S)
    task.process.send_signal(number)
    assert await task.exit_code() == -number
    with pytest.raises(LinkError):
        await stream


async def test_a_signal_ends_the_process_within_a_callback_too(launch) -> None:
    task = await launch("-c", TASK)
    call = asyncio.create_task(task.client.transition("STANDBY", "CONFIGURE", {"block": "1"}, DEADLINE_S))
    with pytest.raises(DeadlineError):
        while True:  # until it waits for the callback
            await task.client.get_state(0.3)
    task.process.terminate()
    assert await task.exit_code() == -signal.SIGTERM
    with pytest.raises(LinkError):
        await call


async def test_children_do_not_see_the_descriptor_of_readiness(launch, capfd: pytest.CaptureFixture[str]) -> None:
    task = await launch("-c", TASK, O2_ROLE="env-role")
    await task.fire("CONFIGURE")
    assert "ready fd in environment: False role: env-role" in capfd.readouterr().out


async def test_a_ready_descriptor_that_is_no_descriptor_does_not_stop_the_task(some_port: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TASK, "--control-port", str(some_port), env=os.environ | {"OCC_READY_FD": "x"}, stderr=-1
    )
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_S):
        assert b"listening" in await process.stderr.readline()
        assert b"OCC_READY_FD=x" in await process.stderr.readline()
        process.kill()
        await process.communicate()


async def test_a_busy_port_is_said_and_ends_with_1() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        code, _, err = await run_to_end("--control-port", str(port))
    assert code == 1
    assert f"[OCC] cannot listen on 127.0.0.1:{port}" in err


async def test_two_tasks_never_share_a_port(launch) -> None:
    task = await launch("-c", TASK)
    code, _, err = await run_to_end(OCC_CONTROL_PORT=str(task.port))
    assert code == 1 and "cannot listen" in err


@pytest.mark.parametrize("port", ["abc", "4_7100", "99999999999999", "70000", "-1"])
async def test_a_bad_port_is_said_and_ends_with_1(port: str) -> None:
    code, out, err = await run_to_end(f"--control-port={port}")
    assert (code, out) == (1, "")
    assert "[OCC] bad control port" in err


async def test_an_option_that_the_task_refuses_is_said_and_ends_with_1() -> None:
    task = TASK.replace(
        "Task.main()",
        """
    def take_options(self, options):
        from occ.errors import ConfigError
        raise ConfigError("no detector of that name", hint="ITS or TPC")

Task.main()""",
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", task, stderr=-1)
    async with asyncio.timeout(DEADLINE_S):
        _, err = await process.communicate()
    assert (process.returncode, err) == (1, b"[OCC] no detector of that name (ITS or TPC)\n")


@pytest.mark.parametrize("output", ["> /dev/full", ">&-", "| exec true", "closed"])
async def test_output_that_nobody_takes_changes_no_exit_code(output: str) -> None:
    leaving = "from occ.process import leave; print('last words'); leave(3)"
    if output == "closed":
        leaving, output = leaving.replace("leave(3)", "import sys; sys.stdout.close(); leave(3)"), ""
    script = f"set -o pipefail; '{sys.executable}' -c \"{leaving}\" {output}"
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    process = await asyncio.create_subprocess_exec("bash", "-c", script, stderr=-1, env=environment)
    async with asyncio.timeout(DEADLINE_S):
        _, err = await process.communicate()
    assert (process.returncode, err) == (3, b"")


async def test_a_bad_option_ends_with_2_and_usage() -> None:
    code, _, err = await run_to_end("--foo")
    assert code == 2 and "unrecognized arguments: --foo" in err


def test_the_flag_wins_over_the_environment_and_0_counts_as_absent() -> None:
    environment = {"OCC_CONTROL_PORT": "5", "O2_ROLE": "r", "OCC_CONTROL_ADDRESS": "::1"}
    flags = {"control_port": "6", "o2_role": "f", "control_address": "0.0.0.0"}
    assert Settings.find(flags, environment) == Settings(6, "0.0.0.0", "f")
    assert Settings.find({"control_port": "0"}, environment) == Settings(5, "::1", "r")
    assert Settings.find({}, {}) == Settings(DEFAULT_PORT, "127.0.0.1", "default-role")
    assert Settings.find({}, {"OCC_CONTROL_PORT": ""}).port == DEFAULT_PORT
    with pytest.raises(ConfigError):
        Settings.find({}, {"OCC_CONTROL_PORT": "abc"})


async def test_importing_the_package_loads_nothing_and_offers_all_public_names() -> None:
    code = (
        "import sys, occ\n"
        "assert not [name for name in sys.modules if name.startswith(('occ.', 'grpc', 'transitions'))]\n"
        "assert all(getattr(occ, name) is not None for name in occ.__all__)\n"
        "try: occ.nonsense\n"
        "except AttributeError as error: assert 'nonsense' in str(error)\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-P", "-c", code, cwd=Path("/"))
    assert await process.wait() == 0
