"""What experts do from the screen: with the task or the host that is selected, each act after its own question."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from fake_core import FakeCore
from fake_ops import FakeOps
from screen import app_on, arm, closed, shows, told, types, until

from console.tui.dialogs.base import Dialog
from console.tui.dialogs.confirm import Confirm
from console.tui.palette import Palette
from server.api import ops_pb2 as pb
from server.api.model import Drain, Host, TransitionProgress
from server.api.ops_pb2_grpc import add_OpsServicer_to_server

SIZE = (80, 24)
DRAIN = Drain(who="kim@flp", why="new disk", since_ms=1_764_000_000_000)


@pytest.fixture
async def ops(core: FakeCore) -> AsyncIterator[FakeOps]:
    """Return experts' access to the fake core, which has tasks in a run and a drained host."""
    ops = FakeOps()
    await core.stop()
    core.things = [
        *(one for one in core.things if not isinstance(one, Host)),
        Host(name="flp001", detector="ITS", executor_state="ATTACHED", tasks=2, cpus=8, memory_mb=100, free_cpus=7.5),
        Host(name="flp003", detector="TPC", executor_state="ATTACHED", version="0.1", drain=DRAIN),
    ]
    core.more = [lambda server: add_OpsServicer_to_server(ops, server)]
    await core.start()
    yield ops


async def test_hosts_are_shown_with_what_they_have_left_and_who_drained_them_and_let_go(
    core: FakeCore, ops: FakeOps
) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        await pilot.press("8")
        await shows(pilot, "CPUS LEFT", "7.5/8", "?/100", "drained by ki")
        await pilot.press("E")
        await shows(pilot, "host restart flp001", "environments have tasks there", "flp001 is not drained")
        await pilot.press("escape")
        await closed(pilot)
        await pilot.press("j", "E")
        await shows(pilot, "host undrain flp003")
        await pilot.press("escape")
        await closed(pilot)
        app.operator.submit(["host", "undrain", "flp003"])
        await shows(pilot, "Host", "attached  0 tasks", "by kim@flp since 2025-11-24", "[ Let tasks in ]")
        await pilot.press("enter")
        await told(pilot, "host undrain", "flp001")
        assert [request.host for request in ops.requests] == ["flp003"]


async def test_a_task_is_killed_by_force_with_its_id_and_a_reason(core: FakeCore, ops: FakeOps) -> None:
    core.show(replace(core.add(state="RUNNING"), run_number=7))
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "RUN")
        await arm(pilot)
        await pilot.press("3")
        await shows(pilot, "flp001")
        await pilot.press("E")
        await shows(
            pilot, "task kill task10010", "it is critical for 2ab1CDEFgh", "task transition task10010 CONFIGURE"
        )
        await pilot.press("escape")
        await closed(pilot)
        app.operator.submit(["task", "kill", "task10010", "--force"])
        await shows(
            pilot, "Killing task task10010 by force", "readout on flp001", "2ab1CDEFgh", "Type task10010 in full"
        )
        await types(pilot, "task10010")
        await pilot.press("enter")
        await types(pilot, "it sends nonsense")
        await pilot.press("enter")
        await told(pilot, "task kill", "task10010", "ERROR")
        (request,) = ops.acts
        assert (request.task_id, request.force, request.reason) == ("task10010", True, "it sends nonsense")


async def test_a_question_about_a_task_closes_when_its_environment_begins_to_move(core: FakeCore, ops: FakeOps) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        await pilot.press("3")
        await shows(pilot, "flp001")
        await pilot.press("enter")
        await shows(pilot, "STANDBY")
        await pilot.press("E")
        await until(pilot, lambda _: isinstance(app.screen, Palette))
        lines = await shows(pilot, "task transition task10010 CONFIGURE")
        at = next(at for at, line in enumerate(lines) if "transition task10010 CONFIGURE" in line)
        first = next(at for at, line in enumerate(lines) if "\u25b8 task" in line)
        await pilot.press(*["down"] * (at - first), "enter")
        await shows(pilot, "CONFIGURE of task task10010", "[ Send it ]")
        assert isinstance(app.screen, Confirm)
        core.show(replace(one, transition=TransitionProgress(event="START_ACTIVITY")))
        await told(pilot, "task transition: closed", "START_ACTIVITY of 2ab1CDEFgh")
        await until(pilot, lambda _: not isinstance(app.screen, Dialog))
        assert ops.acts == []


async def test_observing_and_without_a_selection_nothing_is_sent(core: FakeCore, ops: FakeOps) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await pilot.press("E")
        await told(pilot, "no task and no host is selected here")
        app.operator.submit(["host", "drain", "flp001", "--why", "new disk"])
        await shows(pilot, "Draining host flp001", "This console observes", "Arm (A)")
        await pilot.press("escape")
        await until(pilot, lambda _: not isinstance(app.screen, Dialog))
        app.operator.submit(["host", "undrain", "flp001"])
        await told(pilot, "host undrain: not possible now", "flp001 is not drained")
        app.operator.submit(["task", "tail", "task10011", "--stderr"])
        await shows(pilot, "sink", "task10011", "STDERR")
        assert ops.acts == []


async def test_an_output_whose_address_leads_nowhere_is_relayed_by_the_core(core: FakeCore, ops: FakeOps) -> None:
    core.add(state="CONFIGURED")
    core.tasks["task10010"] = replace(core.tasks["task10010"], sandbox_stdout="http://127.0.0.1:9/task/stdout")
    core.publish(core.tasks["task10010"])
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        app.operator.submit(["task", "tail", "task10010"])
        await shows(pilot, "STDOUT", "follows", "two red", "three")
        await until(pilot, lambda _: len(ops.requests) > 1)
        assert [(one.stream, one.HasField("offset"), one.offset) for one in ops.requests[:2]] == [
            ("stdout", False, 0), ("stdout", True, 23),
        ]  # fmt: skip
        ops.parts.append(pb.Output(offset=23, data=b"four\n", size=28))
        await shows(pilot, "three", "four")
