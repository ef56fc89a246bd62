"""What an agent tells an executor, and how helper processes and the parser behave."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from executor.api.convert import command_to_pb
from executor.api.helpers import HelperProcess
from executor.api.messages import ControlMode, Kill, Launch, TaskSpec
from executor.api.parser import HttpParser
from executor.mesos import Surroundings, duration_s, is_under_agent, surroundings
from executor.mesos_link import MesosLink
from executor.settings import Settings
from occ.errors import ConfigError, LinkError

AGENT = {
    "MESOS_AGENT_ENDPOINT": "10.0.0.1:5051",
    "MESOS_CHECKPOINT": "0",
    "MESOS_DIRECTORY": "/sandbox",
    "MESOS_EXECUTOR_ID": "x1",
    "MESOS_FRAMEWORK_ID": "f1",
    "MESOS_SLAVE_ID": "a1",
    "ALIECS_HOST": "flp001",
    "ALIECS_INSTANCE": "i1",
}


def test_an_agents_variables_say_who_we_are() -> None:
    assert is_under_agent(AGENT) and not is_under_agent({})
    assert surroundings(AGENT) == Surroundings(
        executor_id="x1", agent_id="a1", host="flp001", instance="i1", sandbox=Path("/sandbox")
    )


def test_with_checkpoints_tasks_may_outlive_the_agent_for_a_while() -> None:
    assert surroundings(AGENT | {"MESOS_CHECKPOINT": "1", "MESOS_RECOVERY_TIMEOUT": "15mins"}).recovery_s == 900.0
    with pytest.raises(ConfigError, match="variable MESOS_RECOVERY_TIMEOUT is missing"):
        surroundings(AGENT | {"MESOS_CHECKPOINT": "1"})


@pytest.mark.parametrize("name", ["MESOS_FRAMEWORK_ID", "MESOS_SLAVE_ID", "ALIECS_HOST", "MESOS_DIRECTORY"])
def test_a_variable_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"variable {name} is missing"):
        surroundings(AGENT | {name: ""})


@pytest.mark.parametrize(
    ("text", "seconds"), [("5secs", 5.0), ("2.5secs", 2.5), ("500ms", 0.5), ("1hrs", 3600.0), ("2weeks", 1209600.0)]
)
def test_durations_are_read_as_mesos_prints_them(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "secs", "5 secs", "-1secs", "1.secs"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no duration of Mesos"):
        duration_s(text)


RESPONSE = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nMesos-Stream-Id: abc\r\n\r\n"
    b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
)


def test_a_response_may_come_in_any_pieces() -> None:
    for seed in range(200):
        chance, left, body = random.Random(seed), RESPONSE, b""
        parser = HttpParser()
        while left:
            size = chance.randint(1, 7)
            piece, left = left[:size], left[size:]
            assert parser.execute(piece, len(piece)) == len(piece)
            if parser.is_partial_body():
                body += parser.recv_body()
        assert (body, parser.is_message_complete(), parser.is_chunked()) == (b"hello world", True, True)
        assert (parser.get_status_code(), parser.get_headers()["Mesos-Stream-Id"]) == (200, "abc")
        assert (parser.get_errno(), hasattr(parser, "errno")) == (0, False)


def test_what_is_no_http_is_told() -> None:
    parser = HttpParser()
    assert parser.execute(b"SSH-2.0-OpenSSH\r\n", 17) == -1
    assert parser.get_errno() == 1


@pytest.mark.parametrize("module", ["server.deploy.mesos_driver", "executor.mesos_driver"])
async def test_a_helper_process_answers_every_call_and_ends_with_us(module: str) -> None:
    heard: list[dict[str, Any]] = []
    helper = HelperProcess(module, heard.append)
    await helper.start()
    with pytest.raises(LinkError, match="has no attribute 'fly'"):
        await helper.call("fly", timeout_s=20.0)
    with pytest.raises(LinkError, match="unexpected keyword argument"):
        await helper.call("message", timeout_s=20.0, nonsense=1)
    await helper.close(10.0)
    with pytest.raises(LinkError, match="the helper process is not there"):
        await helper.call("fly", timeout_s=1.0)
    assert heard == []


async def test_calls_to_a_helper_process_that_dies_fail() -> None:
    helper = HelperProcess("server.deploy.mesos_driver", lambda event: None)
    await helper.start()
    ended = asyncio.create_task(helper.ended())
    os.kill(helper.pid, signal.SIGSTOP)  # it cannot answer before it dies
    call = asyncio.create_task(helper.call("revive", timeout_s=20.0))
    await asyncio.sleep(0)
    os.kill(helper.pid, signal.SIGKILL)
    assert await ended == "was killed by signal 9"
    with pytest.raises(LinkError, match="the helper process has ended"):
        await call
    await helper.close(1.0)


async def test_a_launch_that_is_none_of_its_task_fails_the_task_and_starts_nothing() -> None:
    heard: list[object] = []
    link = MesosLink(
        Settings(), agent_id="a1", recovery_s=0.0, on_up=lambda: None, on_down=lambda: None, on_command=heard.append,
        on_end=lambda: None,
    )  # fmt: skip
    hook = TaskSpec(task_id="t1", environment_id="e", class_name="c", mode=ControlMode.HOOK, value="true")
    commands = {
        "t1": Launch(command_id="l1", tasks=(hook,)),
        "t2": Launch(command_id="l2", tasks=(hook,)),
        "t3": Launch(command_id="l3", tasks=()),
        "t4": Kill(command_id="k", task_ids=("t4",)),
    }
    for task_id, command in commands.items():
        data = base64.b64encode(command_to_pb(command).SerializeToString()).decode()
        link._heard({"event": "launch", "task": {"task_id": {"value": task_id}, "data": data}})
    link._heard({"event": "launch", "task": {"task_id": {"value": "t5"}, "data": "?"}})
    assert heard == [commands["t1"]]
    assert {task_id: status["state"] for task_id, status in link._open.items()} == dict.fromkeys(
        ("t2", "t3", "t4", "t5"), "TASK_FAILED"
    )


async def test_a_helper_process_that_cannot_be_started_is_tried_again_and_ends_the_executor_in_the_end(caplog) -> None:
    ended = asyncio.Event()
    link = MesosLink(
        Settings(agent_pause_s=0.01), agent_id="a1", recovery_s=0.0, on_up=lambda: None, on_down=lambda: None,
        on_command=lambda command: None, on_end=ended.set,
    )  # fmt: skip
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        async with asyncio.timeout(60):
            await link.run()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert ended.is_set()
    assert caplog.text.count("cannot be started: Too many open files") == 5
