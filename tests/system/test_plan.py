"""A plan says what a creation then does: same hosts, same commands, same channels, but for ids and ports."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import dpl_program
import pytest
from facility import Facility

from server.api import o2control_pb2 as pb
from server.config.file import FileStore

CROWDED = """\
name: crowded
roles:
  - name: big
    constraints: [{attribute: machine_id, value: flp001}]
    task: {load: big}
  - name: lost
    constraints: [{attribute: machine_id, value: flp999}]
    task: {load: asking, critical: false}
  - name: wired
    connect: [{name: data, type: pull, target: "crowded.nobody:data"}]
    task: {load: asking}
  - name: standing
    call: {func: odc.Start(), trigger: before_CONFIGURE}
  - name: unloaded
    call: {func: dcs.Start(), trigger: before_CONFIGURE, critical: false}
  - name: fine
    call: {func: "testplugin.Test() + run_number", trigger: before_START_ACTIVITY}
  - name: silent
    call: {func: testplugin.Test()}
  - name: "off-{{ environment_id }}"
    enabled: "false"
    task: {load: asking}
"""
CHANGING = """\
name: changing
vars: {marked: "{{ runtime.Set('marks', 'load', 'x') }}{{ runtime.Get('marks', 'load') }}{{ util.Dump('x', dump_to) }}"}
roles:
  - name: one
    task: {load: asking}
  - name: dpl
    include: "{{ dpl.GenerateFromUri('chain') }}"
"""
ASKING = """\
name: asking
control: {mode: direct}
wants: {cpu: 0.01, memory: 16}
properties: {detector: "{{ inventory.DetectorForHost(task_hostname) }}"}
command:
  value: aliecs-occ
  arguments: [sample, quality]
  env: ["MARKED={{ runtime.Set('marks', 'command', 'y') }}{{ runtime.Get('marks', 'command') }}"]
"""
EXTRA = (
    ("workflows", "crowded.yaml", CROWDED),
    ("workflows", "changing.yaml", CHANGING),
    ("workflows", "missing.yaml", "name: missing\nroles: [{name: '{{ left }}', task: {load: '{{ right }}'}}]"),
    ("tasks", "asking.yaml", ASKING),
    ("tasks", "big.yaml", ASKING.replace("name: asking", "name: big").replace("0.01", "1000")),
    ("jit", "chain", "o2-fake --devices reader,writer"),
)
DEMO = Path(__file__).resolve().parents[2] / "server" / "demo"


@pytest.fixture
async def facility(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Facility]:
    """Return a running facility with the workflows of the demo."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    repository = tmp_path / "repository"
    for folder in ("workflows", "tasks"):
        shutil.copytree(DEMO / folder, repository / folder)
    for kind, name, text in EXTRA:
        (repository / kind).mkdir(exist_ok=True)
        (repository / kind / name).write_text(text)
    profile = dpl_program.install(tmp_path)
    async with Facility(tmp_path, repository, jitProfile=str(profile), integrationPlugins="testplugin") as one:
        yield one


async def plan(facility: Facility, *words: str) -> tuple[int, Any]:
    code, said = await facility.aliecs("-o", "json", "env", "plan", *words)
    return code, json.loads(said[: said.rindex("}") + 1])


async def commands(facility: Facility, environment_id: str) -> dict[str, tuple[str, pb.TaskInfo]]:
    """Return host and facts of the task of every role of an environment."""
    found: dict[str, tuple[str, pb.TaskInfo]] = {}
    reply = await facility.control.GetEnvironment(
        pb.GetEnvironmentRequest(id=environment_id, showWorkflowTree=True), timeout=60
    )
    pending = [reply.workflow]
    while pending:
        role = pending.pop()
        pending += role.roles
        if len(role.taskIds) == 1 and not role.roles:
            task = (await facility.control.GetTask(pb.GetTaskRequest(taskId=role.taskIds[0]), timeout=60)).task
            found[role.fullPath] = task.shortInfo.deploymentInfo.hostname, task
    return found


def says(planned: str, task_id: str, environment_id: str) -> re.Pattern[str]:
    """Return what a planned text may become once ids and ports are known."""
    text = re.escape(planned.replace("ENVID", environment_id))
    return re.compile(re.sub(r"TASK\d+", task_id, re.sub(r"PORT\d+", r"\\d+", text)))


async def test_a_plan_is_what_the_creation_then_does(facility: Facility) -> None:
    code, planned = await plan(facility, "readout-demo", "--hosts", "flp001,flp002", "-e", "rate_hz=25")
    assert (code, planned["problems"], planned["detectors"]) == (0, [], ["ITS", "TPC"])
    made = await facility.create("readout-demo", ["flp001", "flp002"], rate_hz="25")
    real = await commands(facility, made.id)
    tasks = {role["path"]: role["task"] for role in planned["roles"] if role["task"]}
    assert tasks.keys() == real.keys()
    for path, (host, task) in real.items():
        expected, told = tasks[path], task.commandInfo
        assert (expected["host"], expected["class_id"]) == (host, task.shortInfo.className)
        command = expected["command"]
        assert (command["value"], command["shell"], command["user"]) == (told.value, told.shell, told.user)
        for texts, found in ((command["arguments"], told.arguments), (command["environment"], told.env)):
            assert len(texts) == len(found)
            for text, one in zip(texts, found, strict=True):
                assert says(text, task.shortInfo.taskId, made.id).fullmatch(one)
        channels = [*task.inboundChannels, *task.outboundChannels]
        assert [(one["name"], one["type"]) for one in expected["channels"]] == [(c.name, c.type) for c in channels]
    calls = {role["path"]: (role["func"], role["trigger"]) for role in planned["roles"] if role["kind"] == "call"}
    assert calls["readout-demo.observers.self-test"] == ("testplugin.Test()", "after_CONFIGURE")
    sender = next(role for role in planned["roles"] if role["path"] == "readout-demo.host-flp002.stfbuilder")
    (connected,) = [one for one in sender["task"]["channels"] if not one["binds"]]
    assert re.fullmatch(r"tcp://127\.0\.0\.1:PORT\d+", connected["address"])
    assert sender["task"]["properties"][f"chans.{connected['name']}.0.address"] == connected["address"]
    code, planned = await plan(facility, "readout-demo", "--hosts", "flp002,flp003")
    assert code == 6
    assert [one["message"] for one in planned["problems"]] == [
        f"detector TPC is already in use by environment {made.id}"
    ]
    await facility.destroy(made.id)


async def test_what_cannot_be_placed_wired_or_called_is_told_with_its_role(facility: Facility) -> None:
    code, planned = await plan(facility, "crowded")
    problems = {one["where"]["role"]: one for one in planned["problems"]}
    assert "host flp001: needs 1000 cpus" in problems["crowded.big"]["message"]
    assert "no host flp999" in problems["crowded.lost"]["message"]
    assert problems["crowded.lost"]["fatal"] is False
    assert "CONFIGURE would fail" in problems["crowded.wired"]["message"]
    assert "call odc.Start() would fail: " in problems["crowded.standing"]["message"]
    assert "call dcs.Start() needs the service dcs, which is not loaded" in problems["crowded.unloaded"]["message"]
    assert "can never become active" in problems["crowded.silent"]["message"]
    assert "crowded.fine" not in problems
    assert planned["disabled"] == ["crowded.off-{{ environment_id }}"]
    assert code == 7
    code, said = await facility.aliecs("env", "plan", "crowded")
    assert (code, "it would not be created: 4 problems" in said) == (7, True)


async def test_all_variables_that_are_missing_are_told_at_once(facility: Facility) -> None:
    code, planned = await plan(facility, "missing")
    assert code == 2
    assert [one["reason"] for one in planned["problems"]] == ["VARIABLE_MISSING"] * 2
    assert [one["hint"].split("=")[0] for one in planned["problems"]] == ["give it: -e left", "give it: -e right"]
    code, said = await facility.aliecs("env", "plan", "no-such-template")
    assert (code, "no workflow template 'no-such-template'" in said) == (5, True)


async def test_a_plan_changes_nothing(facility: Facility, tmp_path: Path) -> None:
    store, dump = FileStore(facility.configuration), tmp_path / "dump"
    before = facility.configuration.read_bytes()
    processes = set(facility.processes())
    code, planned = await plan(facility, "changing", "-e", f"dump_to={dump}", "-e", "a.role:key=x")
    assert (code, planned["warnings"]) == (0, ["variable a.role:key is not used: it has a colon"])
    one = next(role["task"] for role in planned["roles"] if role["name"] == "one")
    assert "MARKED=yy" in one["command"]["environment"]
    assert one["properties"]["detector"] == "ITS"
    assert [role["name"] for role in planned["roles"]] == ["changing", "one", "dpl", "reader", "writer"]
    assert not dump.exists()
    assert store.get("o2/runtime/marks/load") is None
    assert facility.configuration.read_bytes() == before
    assert set(facility.processes()) == processes
    info = await facility.control.GetFrameworkInfo(pb.GetFrameworkInfoRequest(), timeout=60)
    assert (info.environmentsCount, info.tasksCount, list(info.activeDetectors)) == (0, 0, [])
