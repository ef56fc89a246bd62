"""What the verbs of experts show, ask for and refuse; the core is a script."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from fake_core import FakeCore
from fake_ops import HOSTS, FakeOps

from server.api import ops_pb2 as pb
from server.api.convert_ops import from_host, to_host
from server.api.ops_pb2_grpc import add_OpsServicer_to_server


@pytest.fixture
async def ops(core: FakeCore) -> AsyncIterator[FakeOps]:
    """Return experts' access to the fake core."""
    ops = FakeOps()
    await core.stop()
    core.more = [lambda server: add_OpsServicer_to_server(ops, server)]
    await core.start()
    yield ops


Run = Callable[..., Awaitable[Any]]


def test_hosts_come_back_the_same() -> None:
    assert tuple(from_host(pb.HostFacts.FromString(to_host(host).SerializeToString())) for host in HOSTS) == HOSTS


async def test_hosts_are_listed_with_executors_versions_and_resources(ops: FakeOps, aliecs: Run) -> None:
    shown = await aliecs("host", "ls")
    lines = [line.split("  ") for line in shown.out.splitlines()]
    assert shown.code == 0
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells[0] == [
        "HOST",
        "EXECUTOR",
        "VERSION",
        "UP",
        "TASKS",
        "FREE CPUS",
        "FREE MEMORY",
        "DETECTOR",
        "ENVS",
        "DRAINED",
    ]
    assert cells[1][:3] == ["flp001", "ATTACHED", "1.2.3"]
    assert re.fullmatch(r"2:\d\d:\d\d", cells[1][3])  # counted from when the tests were loaded
    assert cells[1][5:] == ["7.5 of 8", "960 of 1024 MB", "ITS", "2ab1CDEFgh", "-"]
    assert "? of 4" in cells[2] and cells[2][-1] == "by kim@flp since 2025-11-24 16:00: new disk"
    told = json.loads((await aliecs("-o", "json", "host", "ls")).out)
    assert (told[0]["pid"], told[0]["attributes"], told[1]["free_cpus"]) == (77, {"machine_id": "flp001"}, None)


async def test_one_host_is_shown_with_its_tasks(ops: FakeOps, core: FakeCore, aliecs: Run) -> None:
    core.add(state="CONFIGURED")
    shown = await aliecs("host", "show", "flp001")
    assert shown.code == 0
    assert "agent_id:" in shown.out.replace("agent id:", "agent_id:")
    assert "TASK ID" in shown.out and "readout" in shown.out
    unknown = await aliecs("host", "show", "flp999")
    assert (unknown.code, "no host flp999" in unknown.err) == (5, True)


async def test_an_output_is_written_as_lines_that_are_safe_to_show(ops: FakeOps, aliecs: Run) -> None:
    shown = await aliecs("task", "tail", "t123456789", "-n", "3", "--stderr")
    assert (shown.code, shown.out, shown.err) == (0, "one\ntwo red\nthree\n", "")
    (request,) = ops.requests
    assert (request.task_id, request.stream, request.lines, request.follow) == ("t123456789", "stderr", 3, False)
    assert not request.HasField("offset")


async def test_programs_get_the_parts_of_an_output(ops: FakeOps, aliecs: Run) -> None:
    shown = await aliecs("-o", "json", "task", "tail", "t123456789", "--offset", "7", "-f", "--timeout", "20s")
    told = [json.loads(line) for line in shown.out.splitlines()]
    assert [(one["offset"], one["size"]) for one in told] == [(0, 20), (20, 23)]
    assert (ops.requests[0].offset, ops.requests[0].follow) == (7, True)


async def test_an_output_that_begins_anew_is_marked(ops: FakeOps, aliecs: Run) -> None:
    ops.parts = [pb.Output(offset=5, data=b"old", size=8), pb.Output(offset=0, data=b"new\n", size=4)]
    shown = await aliecs("task", "tail", "t123456789")
    assert shown.out == "old\n-- the output was begun anew --\nnew\n"


async def test_numbers_that_are_none_are_refused(ops: FakeOps, aliecs: Run) -> None:
    assert (await aliecs("task", "tail", "t1", "-n", "many")).code == 2
    assert (await aliecs("task", "tail", "t1", "--offset", "x")).code == 2
    assert ops.requests == []


async def test_a_transition_is_sent_with_its_arguments_and_who_asks(ops: FakeOps, aliecs: Run) -> None:
    shown = await aliecs("-o", "json", "task", "transition", "t123456789", "RESET", "-a", "x=1", "-a", "y=2")
    assert (shown.code, json.loads(shown.out)["state"]) == (0, "STANDBY")
    (request,) = ops.requests
    assert (request.task_id, request.event, dict(request.arguments)) == ("t123456789", "RESET", {"x": "1", "y": "2"})
    assert "@" in request.request_user.name
    assert (await aliecs("--read-only", "task", "transition", "t123456789", "RESET")).code == 9
    assert len(ops.requests) == 1


async def test_a_kill_by_force_needs_the_name_of_the_task_and_a_reason(ops: FakeOps, aliecs: Run) -> None:
    task = "t123456789"
    assert (await aliecs("-o", "id", "task", "kill", task)).out == f"{task}\n"
    assert [request.force for request in ops.requests] == [False]
    refused = await aliecs("task", "kill", task, "--force", "--yes")
    assert (refused.code, f"--confirm {task} --reason" in refused.err) == (9, True)
    assert (await aliecs("task", "kill", task, "-f", "--confirm", task, "--reason", "it sends nonsense")).code == 0
    assert [request.force for request in ops.requests] == [False, True]


async def test_a_host_is_drained_with_the_reason_and_let_go_again(ops: FakeOps, aliecs: Run) -> None:
    shown = await aliecs("host", "drain", "flp002", "--why", "new disk")
    assert (shown.code, "by kim@flp since 2025-11-24 16:00: new disk" in shown.out) == (0, True)
    assert (await aliecs("-o", "id", "host", "undrain", "flp001")).out == "flp001\n"
    drain, undrain = ops.requests
    assert (drain.host, drain.why, undrain.host) == ("flp002", "new disk", "flp001")
    assert "@" in drain.request_user.name and "@" in undrain.request_user.name


async def test_a_restart_by_force_needs_the_whole_name_of_the_host_and_a_reason(ops: FakeOps, aliecs: Run) -> None:
    refused = await aliecs("host", "restart", "flp002", "-f", "--confirm", "flp0", "--reason", "it leaks memory")
    assert (refused.code, "--confirm flp002 --reason" in refused.err) == (9, True)
    shown = await aliecs("host", "restart", "flp002", "-f", "--confirm", "flp002", "--reason", "it leaks memory")
    assert (shown.code, "the next task that is placed there starts a new one" in shown.err) == (0, True)
    assert [(one.host, one.force, one.reason) for one in ops.requests] == [("flp002", True, "it leaks memory")]


@pytest.mark.parametrize(
    ("line", "hint"),
    [("task transition t123456789 STOP", "add --yes"), ("task kill t123456789 --yes", "add --confirm t123456789")],
)
async def test_lines_of_scripts_bring_their_confirmation(ops: FakeOps, aliecs: Run, line: str, hint: str) -> None:
    refused = await aliecs("-c", line)
    assert (refused.code, hint in refused.err) == (9, True)
    assert ops.requests == []
    assert (await aliecs("-c", f"{line} --yes --confirm t123456789")).code == 0
    assert len(ops.requests) == 1


async def test_a_core_without_access_for_experts_says_so(core: FakeCore, aliecs: Run) -> None:
    shown = await aliecs("host", "ls")
    assert (shown.code, "gives experts no access: it has only AliECS's own interface" in shown.err) == (11, True)
