"""``P`` in the last step of a creation: what the core would make of it, without making it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from create_pilot import at_step
from screen import app_on, shows, until
from template_core import TemplateCore

from console.tui.dialogs.reading import Reading
from server.api import ops_pb2
from server.api.convert_plan import to_plan
from server.api.model_plan import Plan, PlannedRole, PlanProblem
from server.api.ops_pb2_grpc import OpsServicer, add_OpsServicer_to_server

ROLES = (
    PlannedRole(order=0, parent=None, name="readout-demo", path="readout-demo", kind="aggregator", critical=True),
    PlannedRole(
        order=1, parent=0, name="flow", path="readout-demo.flow", kind="call", critical=True, func="dcs.Start()",
        trigger="before_CONFIGURE", await_="before_CONFIGURE", timeout="5s",
    ),
)  # fmt: skip
PLAN = Plan(template="readout-demo", name="readout-demo", repo="r", revision="main", hosts=("flp001",), roles=ROLES)


class Planner(OpsServicer):
    """Answers with one plan."""

    def __init__(self) -> None:
        self.plan = PLAN
        self.requests: list[ops_pb2.PlanRequest] = []

    async def PlanEnvironment(self, request: ops_pb2.PlanRequest, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        self.requests.append(request)
        return to_plan(self.plan)


@pytest.fixture
async def planner(core: TemplateCore) -> AsyncIterator[Planner]:
    """Return what plans for the core."""
    one = Planner()
    await core.stop()
    core.more = [lambda server: add_OpsServicer_to_server(one, server)]
    await core.start()
    yield one


async def test_the_plan_is_shown_with_roles_and_problems_and_nothing_is_made(
    core: TemplateCore, planner: Planner
) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(100, 30)) as pilot:
        assert " P plan " in (await at_step(pilot, 4))[-1]
        await pilot.press("P")
        await shows(pilot, "env plan", "readout-demo", "flow  dcs.Start()  at before_CONFIGURE")
        assert isinstance(app.screen, Reading) and "NewEnvironment" not in core.calls
        await pilot.press("escape")
        await until(pilot, lambda _: not isinstance(app.screen, Reading))
        problem = PlanProblem(message="no host fits readout", reason="NO_RESOURCES", fatal=True, hint="free one")
        planner.plan = Plan(template="readout-demo", name="readout-demo", roles=ROLES, problems=(problem,))
        await pilot.press("P")
        await shows(pilot, "it would not be created: 1 problem", "no host fits readout", "next: free one")
        assert len(planner.requests) == 2 and planner.requests[0].template.endswith("readout-demo")


async def test_a_core_that_cannot_plan_says_so(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(100, 30)) as pilot:
        await at_step(pilot, 4)
        await pilot.press("P")
        await shows(pilot, "Env plan: failed", "cannot plan", "11 the core lacks it")
