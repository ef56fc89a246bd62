"""How real tasks start under a real executor, and why they do not."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest
from process_ends import becomes, ends

from executor.api.messages import Kill, Phase

FOREIGN_TASK = Path(__file__).with_name("foreign_task.py")


async def test_a_task_that_crashes_at_its_start_fails_at_once_with_its_last_words(core, host, spec):
    host.start()
    began = time.monotonic()
    await core.launch(spec("t1", "-c", "import sys; sys.exit('no such detector')", value="python3"))
    ended = await core.phase("t1", Phase.ENDED)
    assert time.monotonic() - began < 30  # of the 45 s that a port has to open
    assert (ended.final_status, ended.exit_code, ended.state) == ("TASK_FAILED", 1, "ERROR")
    assert "was ready: exit code 1; last line on stderr: no such detector" in ended.error


async def test_a_task_that_cannot_be_started_fails_with_the_reason(core, host, spec):
    host.start()
    await core.launch(spec("t1", value="no-such-command"))
    ended = await core.phase("t1", Phase.ENDED)
    assert (ended.final_status, ended.error) == ("TASK_FAILED", "cannot start 'no-such-command': command not found")


async def test_an_unknown_user_fails_with_the_reason(core, host, spec):
    host.start()
    await core.launch(spec("t1", user="nobody-of-that-name"))
    ended = await core.phase("t1", Phase.ENDED)
    assert ended.error == "cannot build the command: no user 'nobody-of-that-name' on this host"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch users")
async def test_a_task_runs_as_the_user_it_names_and_still_dies_with_the_executor(core, host, spec):
    executor = host.start()
    host.folder.chmod(0o755)
    for folder in (host.folder, *host.folder.parents):
        if folder.stat().st_uid == os.geteuid() and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o055)
    await core.launch(spec("b1", "60", mode="basic", value="sleep", user="nobody"))
    await core.transition("START", "CONFIGURED", "RUNNING", "b1")
    report = await core.until(lambda: [r for r in core.task_reports("b1") if r.pid])
    process = psutil.Process(report[0].pid)
    await becomes(process.pid, "sleep")
    assert process.username() == "nobody"
    os.kill(executor.pid, signal.SIGKILL)
    assert await ends(process.pid)


async def test_a_task_that_never_opens_its_port_fails_by_name_of_the_port(core, host, spec):
    host.start("--port-open-s", "0.5")
    silent = spec("t1", "--no-port")
    await core.launch(silent)
    ended = await core.phase("t1", Phase.ENDED)
    assert ended.final_status == "TASK_FAILED"
    assert ended.error == f"still alive but did not open its control port {silent.control_port} within 0.5 s"


async def test_a_task_is_not_started_where_its_control_port_is_taken_already(core, host, spec):
    host.start()
    first = spec("t1")
    await core.launch(first)
    await core.phase("t1", Phase.ACTIVE)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        await core.launch(spec("t2", control_port=first.control_port), spec("t3", control_port=port))
        for task_id, number, who in (("t2", first.control_port, "task t1"), ("t3", port, f"process {os.getpid()} (")):
            ended = await core.phase(task_id, Phase.ENDED)
            assert ended.final_status == "TASK_FAILED"
            assert ended.error.startswith(f"control port {number} is taken already by {who}")
            assert [r.pid for r in core.task_reports(task_id)] == [0]  # there never was a process
    reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    assert [(r.state, r.error) for r in reply.results] == [("CONFIGURED", "")]


async def test_a_task_that_left_its_session_is_known_by_its_descent_and_is_killed_all_the_same(core, host, spec):
    """As behind a sudo that makes a terminal of its own and an environment of its own."""
    host.start()
    own = spec("t1", shell=True)
    command = f"setsid -w env -i OCC_CONTROL_PORT={own.control_port} {own.value} {own.arguments[0]}; true"
    await core.launch(msgspec.structs.replace(own, value=command, arguments=()))
    active = await core.phase("t1", Phase.ACTIVE)
    assert os.getsid(active.pid) == active.pid
    assert "ALIECS_TASK_ID" not in psutil.Process(active.pid).environ()
    reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    assert [(r.state, r.error) for r in reply.results] == [("CONFIGURED", "")]
    core.send(Kill(command_id="k", task_ids=("t1",), at_once=True))
    assert (await core.phase("t1", Phase.ENDED)).final_status == "TASK_KILLED"
    assert await ends(active.pid)


async def test_a_stranger_that_answers_on_the_port_of_a_task_is_found_out_and_left_alone(core, host, spec):
    """Between start and answer somebody else may come: a program of its own, or the task beside it."""
    host.start()
    silent = spec("t1", "--no-port")
    await core.launch(silent, spec("t2", value="no-such-command"))
    await core.phase("t2", Phase.ENDED)  # so the process of t1, which is started before, is there
    environment = {**os.environ, "OCC_CONTROL_PORT": str(silent.control_port)}
    stranger = await asyncio.create_subprocess_exec(sys.executable, str(FOREIGN_TASK), env=environment)
    try:
        ended = await core.phase("t1", Phase.ENDED)
        assert ended.final_status == "TASK_FAILED"
        assert ended.error.startswith(f"control port {silent.control_port} is answered by process {stranger.pid} (")
        assert ended.error.endswith("), which is not of this task")
        assert stranger.returncode is None
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_task_that_starts_in_a_wrong_state_fails(core, host, spec):
    host.start()
    await core.launch(spec("t1", "--state", "ERROR"))
    ended = await core.phase("t1", Phase.ENDED)
    assert (ended.final_status, ended.error) == ("TASK_FAILED", "started in state ERROR, expected STANDBY")


async def test_a_task_that_does_not_get_to_standby_fails_by_what_it_answered_last(core, host, spec):
    host.start("--standby-s", "0.5")
    lost = spec("t1", "--state", "IDLE")  # as of a FairMQ device that its class calls direct
    await core.launch(lost)
    ended = await core.phase("t1", Phase.ENDED)
    assert ended.error == (
        f"opened its control port {lost.control_port} but was not in STANDBY after 0.5 s; last answer: state IDLE"
    )
