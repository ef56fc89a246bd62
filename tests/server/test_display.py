"""What a real core tells of tasks, users and itself, field by field (core.md 1.7, 4.3, 4.5, 7.6)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from core_lives import OPERATOR, CoreLives, create, destroy, until

from executor.api.messages import MetricSample
from server.api import live_pb2, model
from server.api import o2control_pb2 as pb
from server.api.convert import from_batch
from server.bus import Published
from server.environment.creation import Creation
from server.environment.stimuli import TIMER, Requester
from server.picture import Picture
from server.service import ControlService
from server.views import SINK_BYTES

WORKFLOW = """
roles:
  - name: sink
    constraints: [{attribute: machine_id, value: flp001}]
    task: {load: sink, critical: false}
"""
HOOK = """
roles:
  - name: echo
    constraints: [{attribute: machine_id, value: flp001}]
    task: {load: echo, trigger: before_CONFIGURE}
"""
ABSENT: Any = None
"""Of a call's context, which nothing here looks at."""


@pytest.fixture
def lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CoreLives:
    return CoreLives(tmp_path, monkeypatch, {"one": WORKFLOW, "hook": HOOK})


async def test_events_of_a_task_begin_with_its_launch_and_have_the_traits_of_its_role(lives: CoreLives) -> None:
    async with lives.life() as core:
        heard = core.display.bus.subscribe(10_000)
        runner = await create(core, "one")
        await destroy(core, runner.environment.id)
        events = [one.event for one in heard.take() if isinstance(one, Published)]
        told = [event for event in events if isinstance(event, model.TaskEvent)]
        assert told[0].state == "LAUNCHED" and "LAUNCHED" not in {event.state for event in told[1:]}
        assert {event.class_name for event in told} == {told[0].name.split("#")[0]}
        configured = next(event for event in told if event.state == "CONFIGURED")
        assert configured.traits == model.Traits(trigger="", await_="", timeout="0s", critical=False)
        assert (configured.environment_id, configured.path) == (runner.environment.id, "one.sink")
        assert (told[-1].traits, told[-1].environment_id, told[-1].path) == (None, "", ""), "it was released"
        users = {event.last_request_user for event in events if isinstance(event, model.EnvironmentEvent)}
        assert users == {model.User(name=OPERATOR.name)}


async def test_a_request_of_nobody_is_told_as_such_and_the_end_of_a_process_by_its_mesos_name(lives: CoreLives) -> None:
    async with lives.life() as core:
        heard = core.display.bus.subscribe(10_000)
        runner = await core.environments.create(Creation("hook", {}, Requester()))
        told = [one.event for one in heard.take() if isinstance(one, Published)]
        users = {event.last_request_user for event in told if isinstance(event, model.EnvironmentEvent)}
        assert users == {None} and runner.environment.tree.user_vars["last_request_user"] == "null"
        statuses = [event.status for event in told if isinstance(event, model.TaskEvent)]
        assert statuses.count("TASK_FINISHED") == 1 and statuses.index("ACTIVE") < statuses.index("TASK_FINISHED")


def test_a_user_is_written_as_what_is_known_of_them() -> None:
    assert json.loads(TIMER.to_variable()) == {"externalId": 65, "name": "TIMER"}
    assert json.loads(Requester(id=0, name="a").to_variable()) == {"id": 0, "name": "a"}


async def test_a_core_counts_agents_that_ever_had_a_task_and_offers_known_detectors(lives: CoreLives) -> None:
    configuration = lives.state / "configuration.yaml"
    text = configuration.read_text()
    for detector, host in (("TRG", "flp005"), ("XYZ", "flp006")):
        text += f'      {detector}: {{flps: {{{host}: {{cards: "{{}}"}}}}}}\n'
    configuration.write_text(text)
    async with lives.life() as core:
        service = ControlService(core)
        await destroy(core, (await create(core, "one")).environment.id)
        info = await service.GetFrameworkInfo(pb.GetFrameworkInfoRequest(), ABSENT)
        assert (info.hostsCount, info.tasksCount) == (1, 0)
        assert list(info.detectorsInInstance) == ["ITS", "TPC", "TOF", "TST", "TRG", "XYZ"]
        assert list(info.availableDetectors) == ["ITS", "TPC", "TOF", "TST", "TRG"]
        available = await service.GetAvailableDetectors(pb.Empty(), ABSENT)
        assert list(available.detectors) == list(info.availableDetectors)


async def test_new_numbers_of_data_do_not_show_a_state_that_is_not_journalled_yet(lives: CoreLives) -> None:
    async with lives.life() as core:
        environment = (await create(core, "hook")).environment
        (task_id,) = environment.tasks
        environment.machine.state = "ERROR"  # as between what was decided and its record, when no fault is shown yet
        core.roster.set_metrics([MetricSample(task_id=task_id, name=SINK_BYTES, value=7.0, unit="B")])
        await until(lambda: shown(core.display.picture, environment.id).bytes_moved == 7.0)
        assert shown(core.display.picture, environment.id).state == "CONFIGURED"
        environment.machine.state = "CONFIGURED"
        await destroy(core, environment.id)


def shown(picture: Picture, environment_id: str) -> model.Environment:
    """Return an environment as whoever begins to watch now is shown it."""
    batches = [from_batch(live_pb2.Batch.FromString(data)) for data in picture.snapshot()]
    values = [change.value for batch in batches for change in batch.changes]
    return next(one for one in values if isinstance(one, model.Environment) and one.id == environment_id)
