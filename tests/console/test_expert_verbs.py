"""What the verbs of experts show, ask for and refuse; the core is a script."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from fake_core import FakeCore

from server.api import ops_pb2 as pb
from server.api.convert_ops import from_host, to_host
from server.api.model import Drain
from server.api.model_ops import HostFacts
from server.api.ops_pb2_grpc import OpsServicer, add_OpsServicer_to_server

HOSTS = (
    HostFacts(
        name="flp001", address="10.0.0.1", detector="ITS", attributes={"machine_id": "flp001"}, cpus=8, memory_mb=1024,
        free_cpus=7.5, free_memory_mb=960, tasks=2, environments=("2ab1CDEFgh",), executor_id="x1",
        executor_state="ATTACHED", agent_id="a1", version="1.2.3", pid=77, started_ms=int(1000 * (time.time() - 7250)),
    ),
    HostFacts(
        name="flp002", cpus=4, memory_mb=512, executor_state="NONE",
        drain=Drain(who="kim@flp", why="new disk", since_ms=1_764_000_000_000),
    ),
)  # fmt: skip


class Ops(OpsServicer):
    """The part of a core that experts use."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.parts = [
            pb.Output(offset=0, data=b"one\ntwo \x1b[31mred\nthr", size=20),
            pb.Output(offset=20, data=b"ee\n", size=23),
        ]

    async def ListHosts(self, request: pb.ListHostsRequest, context: Any) -> pb.HostList:
        return pb.HostList(hosts=map(to_host, HOSTS))

    async def TailTask(self, request: pb.TailRequest, context: Any) -> AsyncIterator[pb.Output]:
        self.requests.append(request)
        for part in self.parts:
            yield part

    async def TransitionTask(self, request: pb.TaskTransitionRequest, context: Any) -> pb.TaskOutcome:
        self.requests.append(request)
        return pb.TaskOutcome(task_id=request.task_id, state="STANDBY", status="ACTIVE", environment_id="2ab1CDEFgh")

    async def KillTask(self, request: pb.KillTaskRequest, context: Any) -> pb.TaskOutcome:
        self.requests.append(request)
        return pb.TaskOutcome(task_id=request.task_id, state="ERROR", status="INACTIVE")

    async def DrainHost(self, request: pb.DrainHostRequest, context: Any) -> pb.HostFacts:
        self.requests.append(request)
        return to_host(HOSTS[1])

    async def UndrainHost(self, request: pb.UndrainHostRequest, context: Any) -> pb.HostFacts:
        self.requests.append(request)
        return to_host(HOSTS[0])

    async def RestartExecutor(self, request: pb.RestartExecutorRequest, context: Any) -> pb.HostFacts:
        self.requests.append(request)
        return to_host(HOSTS[request.host == "flp002"])


@pytest.fixture
async def ops(core: FakeCore) -> AsyncIterator[Ops]:
    """Return experts' access to the fake core."""
    ops = Ops()
    await core.stop()
    core.more = [lambda server: add_OpsServicer_to_server(ops, server)]
    await core.start()
    yield ops


Run = Callable[..., Awaitable[Any]]


def test_hosts_come_back_the_same() -> None:
    assert tuple(from_host(pb.HostFacts.FromString(to_host(host).SerializeToString())) for host in HOSTS) == HOSTS


async def test_hosts_are_listed_with_executors_versions_and_resources(ops: Ops, aliecs: Run) -> None:
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
    assert cells[1][3].startswith("2:0")
    assert cells[1][5:] == ["7.5 of 8", "960 of 1024 MB", "ITS", "2ab1CDEFgh", "-"]
    assert "? of 4" in cells[2] and cells[2][-1] == "since 2025-11-24 16:00 by kim@flp: new disk"
    told = json.loads((await aliecs("-o", "json", "host", "ls")).out)
    assert (told[0]["pid"], told[0]["attributes"], told[1]["free_cpus"]) == (77, {"machine_id": "flp001"}, None)


async def test_one_host_is_shown_with_its_tasks(ops: Ops, core: FakeCore, aliecs: Run) -> None:
    core.add(state="CONFIGURED")
    shown = await aliecs("host", "show", "flp001")
    assert shown.code == 0
    assert "agent_id:" in shown.out.replace("agent id:", "agent_id:")
    assert "TASK ID" in shown.out and "readout" in shown.out
    unknown = await aliecs("host", "show", "flp999")
    assert (unknown.code, "no host flp999" in unknown.err) == (5, True)


async def test_an_output_is_written_as_lines_that_are_safe_to_show(ops: Ops, aliecs: Run) -> None:
    shown = await aliecs("task", "tail", "t123456789", "-n", "3", "--stderr")
    assert (shown.code, shown.out, shown.err) == (0, "one\ntwo red\nthree\n", "")
    (request,) = ops.requests
    assert (request.task_id, request.stream, request.lines, request.follow) == ("t123456789", "stderr", 3, False)
    assert not request.HasField("offset")


async def test_programs_get_the_parts_of_an_output(ops: Ops, aliecs: Run) -> None:
    shown = await aliecs("-o", "json", "task", "tail", "t123456789", "--offset", "7", "-f", "--timeout", "20s")
    told = [json.loads(line) for line in shown.out.splitlines()]
    assert [(one["offset"], one["size"]) for one in told] == [(0, 20), (20, 23)]
    assert (ops.requests[0].offset, ops.requests[0].follow) == (7, True)


async def test_an_output_that_begins_anew_is_marked(ops: Ops, aliecs: Run) -> None:
    ops.parts = [pb.Output(offset=5, data=b"old", size=8), pb.Output(offset=0, data=b"new\n", size=4)]
    shown = await aliecs("task", "tail", "t123456789")
    assert shown.out == "old\n-- the output was begun anew --\nnew\n"


async def test_numbers_that_are_none_are_refused(ops: Ops, aliecs: Run) -> None:
    assert (await aliecs("task", "tail", "t1", "-n", "many")).code == 2
    assert (await aliecs("task", "tail", "t1", "--offset", "x")).code == 2
    assert ops.requests == []


async def test_a_transition_is_sent_with_its_arguments_and_who_asks(ops: Ops, aliecs: Run) -> None:
    shown = await aliecs("-o", "json", "task", "transition", "t123456789", "RESET", "-a", "x=1", "-a", "y=2")
    assert (shown.code, json.loads(shown.out)["state"]) == (0, "STANDBY")
    (request,) = ops.requests
    assert (request.task_id, request.event, dict(request.arguments)) == ("t123456789", "RESET", {"x": "1", "y": "2"})
    assert "@" in request.request_user.name
    assert (await aliecs("--read-only", "task", "transition", "t123456789", "RESET")).code == 9
    assert len(ops.requests) == 1


async def test_a_kill_by_force_needs_the_name_of_the_task_and_a_reason(ops: Ops, aliecs: Run) -> None:
    task = "t123456789"
    assert (await aliecs("-o", "id", "task", "kill", task)).out == f"{task}\n"
    assert [request.force for request in ops.requests] == [False]
    refused = await aliecs("task", "kill", task, "--force", "--yes")
    assert (refused.code, f"--confirm {task} --reason" in refused.err) == (9, True)
    assert (await aliecs("task", "kill", task, "-f", "--confirm", task, "--reason", "it sends nonsense")).code == 0
    assert [request.force for request in ops.requests] == [False, True]


async def test_a_host_is_drained_with_the_reason_and_let_go_again(ops: Ops, aliecs: Run) -> None:
    shown = await aliecs("host", "drain", "flp002", "--why", "new disk")
    assert (shown.code, "since 2025-11-24 16:00 by kim@flp: new disk" in shown.out) == (0, True)
    assert (await aliecs("-o", "id", "host", "undrain", "flp001")).out == "flp001\n"
    drain, undrain = ops.requests
    assert (drain.host, drain.why, undrain.host) == ("flp002", "new disk", "flp001")
    assert "@" in drain.request_user.name and "@" in undrain.request_user.name
    assert (await aliecs("--read-only", "host", "drain", "flp001")).code == 9
    assert len(ops.requests) == 2


async def test_a_restart_by_force_needs_the_whole_name_of_the_host_and_a_reason(ops: Ops, aliecs: Run) -> None:
    shown = await aliecs("host", "restart", "flp002")
    assert (shown.code, "the next task that is placed there starts a new one" in shown.err) == (0, True)
    refused = await aliecs("host", "restart", "flp001", "-f", "--confirm", "flp0", "--reason", "it leaks memory")
    assert (refused.code, "--confirm flp001 --reason" in refused.err) == (9, True)
    assert (
        await aliecs("host", "restart", "flp001", "-f", "--confirm", "flp001", "--reason", "it leaks memory")
    ).code == 0
    assert [(one.host, one.force, one.reason) for one in ops.requests] == [
        ("flp002", False, ""), ("flp001", True, "it leaks memory"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("task transition t123456789 STOP", "add --yes"),
        ("task kill t123456789 --yes", "add --confirm t123456789"),
        ("host drain flp001", "add --yes"),
        ("host restart flp001", "add --yes"),
    ],
)
async def test_lines_of_scripts_bring_their_confirmation(ops: Ops, aliecs: Run, line: str, hint: str) -> None:
    refused = await aliecs("-c", line)
    assert (refused.code, hint in refused.err) == (9, True)
    assert ops.requests == []
    assert (await aliecs("-c", f"{line} --yes --confirm t123456789")).code == 0
    assert len(ops.requests) == 1


@pytest.mark.parametrize(
    "words",
    [
        "host ls",
        "host show flp001",
        "host drain flp001",
        "host undrain flp001",
        "host restart flp001",
        "task tail t1",
        "task transition t1 STOP",
        "task kill t1",
    ],
)
async def test_a_core_without_access_for_experts_says_so(core: FakeCore, aliecs: Run, words: str) -> None:
    shown = await aliecs(*words.split())
    assert shown.code == 11
    assert "gives experts no access: it has only AliECS's own interface" in shown.err
