"""The shipped templates through the real loader: the tree that an environment gets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from server.config.open import open_configuration
from server.demo.facility import Facility, prepare
from server.template.model import LoadedRole, LoadedWorkflow
from server.workflow.loader import WorkflowLoader
from server.workflow.register import Repositories

Load = Callable[..., Awaitable[LoadedWorkflow]]


@pytest.fixture
def facility(tmp_path: Path) -> Facility:
    return prepare(tmp_path / ".aliecs")


@pytest.fixture
async def load(facility: Facility) -> AsyncIterator[Load]:
    """Return a function that loads a workflow of the demo with user variables."""
    configuration = await open_configuration(
        f"file://{facility.configuration}", deadline_s=60, framework_id="local-test"
    )
    repositories = await Repositories.open(
        facility.state,
        default_repo=str(facility.repository),
        global_default_revision="master",
        get=lambda key: configuration.runtime_get("aliecs", key),
        put=lambda key, value: configuration.runtime_put("aliecs", key, value),
    )
    loader = WorkflowLoader(
        configuration=f"file://{facility.configuration}", instance="test", deadline_s=60, repositories=repositories
    )
    await loader.start()

    async def run(expression: str = "readout-demo", **user_vars: str) -> LoadedWorkflow:
        return await loader.load(
            expression,
            user_vars=user_vars | {"environment_id": "2abc"},
            defaults=await configuration.defaults(),
            vars=await configuration.vars(),
            repos=repositories.describe(),
        )

    yield run
    await loader.close()


def leaves(role: LoadedRole, path: str = "") -> Iterator[tuple[str, LoadedRole]]:
    path = f"{path}.{role.name}" if path else role.name
    if not role.roles:
        yield path, role
    for child in role.roles:
        yield from leaves(child, path)


def tasks(workflow: LoadedWorkflow) -> dict[str, LoadedRole]:
    return {path: role for path, role in leaves(workflow.root) if role.load}


async def test_every_host_has_its_chain_and_the_first_also_quality_control(load: Load) -> None:
    workflow = await load()
    chains = {
        f"readout-demo.host-flp00{number}.{name}"
        for number in (1, 2, 3, 4)
        for name in ("readout", "stfbuilder", "stfsender")
    }
    quality = {"readout-demo.quality-control.checker", "readout-demo.quality-control.spool-watch"}
    hooks = {"readout-demo.run-header.begin", "readout-demo.run-header.end"}
    assert set(tasks(workflow)) == chains | quality | hooks
    assert len(workflow.classes) == 7
    assert len([role for _, role in leaves(workflow.root) if role.func]) == 9


async def test_channels_are_wired_within_a_host_and_to_the_checker(load: Load) -> None:
    found = tasks(await load())
    builder = found["readout-demo.host-flp002.stfbuilder"]
    assert [channel.target for channel in builder.connect] == ["readout-demo.host-flp002.readout:readout"]
    sender = found["readout-demo.host-flp002.stfsender"]
    assert [channel.target for channel in sender.connect] == ["readout-demo.host-flp002.stfbuilder:stf"]
    checker = found["readout-demo.quality-control.checker"]
    assert [channel.target for channel in checker.connect] == ["readout-demo.host-flp001.stfbuilder:samples"]


async def test_hosts_know_their_detector_and_only_the_failing_one_its_failure(load: Load) -> None:
    root = (await load(fail_host="flp003", fail_on="STOP")).root
    by_name = {role.name: role for role in root.roles}
    assert by_name["host-flp003"].vars["detector"] == "TOF"
    assert by_name["host-flp003"].vars["failure"] == "STOP"
    assert by_name["host-flp001"].vars["failure"] == ""
    assert [item.value for item in by_name["host-flp003"].constraints] == ["flp003"]


async def test_switches_take_parts_away(load: Load) -> None:
    workflow = await load(hosts='["flp004"]', qc_enabled="false", run_header_enabled="false", observers_enabled="false")
    assert set(tasks(workflow)) == {f"readout-demo.host-flp004.{one}" for one in ("readout", "stfbuilder", "stfsender")}
    assert all(role.load for _, role in leaves(workflow.root))


async def test_without_hosts_nothing_but_observers_is_left(load: Load) -> None:
    assert tasks(await load(hosts="[]")) == {}
