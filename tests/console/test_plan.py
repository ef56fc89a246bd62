"""What ``aliecs env plan`` shows of a plan, and how it exits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from fake_core import FakeCore

from server.api import ops_pb2
from server.api.convert_plan import to_plan
from server.api.model_plan import Plan, PlannedChannel, PlannedCommand, PlannedRole, PlannedTask, PlanProblem
from server.api.ops_pb2_grpc import OpsServicer, add_OpsServicer_to_server

READOUT = PlannedTask(
    class_id="/r/tasks/readout@h", class_name="readout", mode="direct", host="flp001", address="127.0.0.1", cpus=0.5,
    memory_mb=64, static_ports=(8000,), data_ports=1, control_port=True,
    command=PlannedCommand(value="/bin/readout", user="flp", arguments=("--name", "it's\x1b[31m"), environment=("A=1",)),
    channels=(
        PlannedChannel(name="data", type="push", binds=True, transport="shmem", alias="all", address="tcp://*:PORT1"),
        PlannedChannel(name="back", type="pull", transport="zeromq", target="::none"),
    ),
    properties={"p": "1"},
)  # fmt: skip
PLAN = Plan(
    template="demo", name="demo", repo="/r", revision="local", hosts=("flp001",), detectors=("ITS",),
    roles=(
        PlannedRole(order=0, parent=None, name="demo", path="demo", kind="aggregator", critical=True),
        PlannedRole(order=1, parent=0, name="readout", path="demo.readout", kind="task", critical=True, task=READOUT),
        PlannedRole(order=2, parent=0, name="group", path="demo.group", kind="aggregator", critical=False),
        PlannedRole(
            order=3, parent=2, name="lost", path="demo.group.lost", kind="task",
            task=PlannedTask(class_id="/r/tasks/lost@h", mode="basic", problem="no host fits"),
        ),
        PlannedRole(
            order=4, parent=2, name="mark", path="demo.group.mark", kind="call", critical=True, func="dcs.Start()",
            return_var="done", trigger="before_CONFIGURE", await_="after_CONFIGURE", timeout="5s",
        ),
    ),
    disabled=("demo.off",), warnings=("workflows/demo.yaml:1:1: odd",),
    problems=(PlanProblem(reason="DEPLOYMENT_FAILED", message="role demo.group.lost: no host fits", fatal=False),),
)  # fmt: skip


class Planner(OpsServicer):
    """The part of a core that plans."""

    def __init__(self) -> None:
        self.plan = PLAN
        self.requests: list[ops_pb2.PlanRequest] = []
        self.port = 0

    async def PlanEnvironment(self, request: ops_pb2.PlanRequest, context: Any) -> ops_pb2.Plan:
        self.requests.append(request)
        return to_plan(self.plan)


@pytest.fixture
async def planner() -> AsyncIterator[Planner]:
    planner = Planner()
    server = grpc.aio.server()
    add_OpsServicer_to_server(planner, server)
    planner.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield planner
    await server.stop(None)


Run = Callable[..., Awaitable[Any]]


async def test_the_tree_says_hosts_moments_and_what_is_wrong(planner: Planner, aliecs: Run) -> None:
    shown = await aliecs(
        "--endpoint", f"127.0.0.1:{planner.port}", "env", "plan", "demo", "--hosts", "flp001", "-e", "a=b"
    )
    (request,) = planner.requests
    assert (request.template, dict(request.vars)) == ("demo", {"a": "b", "hosts": '["flp001"]'})
    assert (shown.code, shown.err) == (0, "")
    facts, _, text = shown.out.partition("\n\n")
    assert "tasks:       2, 1 of them with a host" in facts
    assert text == (
        "demo\n"
        "├─ readout  flp001  readout (direct, 0.5 cpu, 64 MB, 3 ports)\n"
        "└─ group\n"
        "   ├─ lost  no host: no host fits  lost (basic, 0 cpu, 0 MB, 0 ports)  not critical\n"
        "   └─ mark  dcs.Start() -> done  at before_CONFIGURE, awaited at after_CONFIGURE, within 5s\n"
        "\nnot enabled:\n  demo.off\n"
        "\nwarnings:\n  workflows/demo.yaml:1:1: odd\n"
        "\nproblems:\n  (not critical) role demo.group.lost: no host fits\n"
    )


async def test_commands_and_channels_are_shown_where_asked_for_and_drive_no_terminal(
    planner: Planner, aliecs: Run
) -> None:
    shown = await aliecs(
        "--endpoint", f"127.0.0.1:{planner.port}", "--ascii", "env", "plan", "demo", "--commands", "--channels"
    )
    lines = shown.out.split("\n\n")[1].splitlines()
    assert lines[1:6] == [
        "+- readout  flp001  readout (direct, 0.5 cpu, 64 MB, 3 ports)",
        "|       env A=1",
        "|       as flp: /bin/readout --name 'it'\"'\"'s [31m'",
        "|       bind data push shmem tcp://*:PORT1 as ::all",
        "|       connect back pull zeromq nowhere (::none)",
    ]


async def test_programs_get_all_of_it(planner: Planner, aliecs: Run) -> None:
    where = ("--endpoint", f"127.0.0.1:{planner.port}")
    told = json.loads((await aliecs(*where, "-o", "json", "env", "plan", "demo")).out)
    assert told["roles"][1]["task"]["properties"] == {"p": "1"}
    assert (told["roles"][0]["parent"], told["roles"][4]["await_"]) == (None, "after_CONFIGURE")
    assert (await aliecs(*where, "-o", "id", "env", "dry-run", "demo")).out == "demo.readout\ndemo.group.lost\n"


@pytest.mark.parametrize(
    ("reason", "code"), [("VARIABLE_MISSING", 2), ("HOST_UNKNOWN", 5), ("DETECTOR_IN_USE", 6), ("FROM_THE_FUTURE", 1)]
)
async def test_the_exit_code_is_that_of_the_first_problem(
    planner: Planner, aliecs: Run, reason: str, code: int
) -> None:
    planner.plan = Plan(template="demo", problems=(PlanProblem(reason=reason, message="no", hint="do this"),))
    shown = await aliecs("--endpoint", f"127.0.0.1:{planner.port}", "env", "plan", "demo")
    assert shown.code == code
    assert "problems:\n  no\n    next: do this\n" in shown.out
    assert "it would not be created: 1 problem" in shown.err


async def test_a_core_that_cannot_plan_says_so(core: FakeCore, aliecs: Run) -> None:
    shown = await aliecs("env", "plan", "demo")
    assert shown.code == 11
    assert "cannot plan: it has only AliECS's own interface" in shown.err
    assert (await aliecs("env", "plan")).code == 2
