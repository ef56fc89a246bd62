"""Commands, properties and calls that ask the configuration, on a real core with real executors and tasks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from facility import Facility

from server.api import o2control_pb2 as pb
from server.config.file import FileStore

WORKFLOW = """\
name: !public asking
defaults: {payload: qc/ANY/any/probe}
roles:
  - name: "host-{{ it }}"
    for: {range: "{{ hosts }}", var: it}
    constraints: [{attribute: machine_id, value: "{{ it }}"}]
    roles: [{name: probe, task: {load: probe}}]
  - name: mark
    call:
      func: runtime.Set('marks', 'before', environment_id + ' ' + config.Get(payload) + ' ' + config.Get('qc/ANY/any/none'))
      trigger: before_CONFIGURE
      timeout: 60s
"""
PROBE = """\
name: probe
control: {mode: direct}
wants: {cpu: 0.01, memory: 16}
defaults: {detector_here: "{{ inventory.DetectorForHost(task_hostname) }}"}
properties: {from_store: "{{ config.Get(payload) }} {{ ToPtree(config.Get('qc/ANY/any/tree'), 'json') }}"}
command:
  value: aliecs-occ
  arguments: [sample, quality]
  env: ["DETECTOR={{ detector_here }}", "PAYLOAD={{ config.Get(payload) }}"]
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    repository = tmp_path / "repository"
    for kind, name, text in (("workflows", "asking.yaml", WORKFLOW), ("tasks", "probe.yaml", PROBE)):
        (repository / kind).mkdir(parents=True)
        (repository / kind / name).write_text(text)
    return repository


async def test_the_configuration_reaches_commands_properties_and_calls(tmp_path: Path, repository: Path) -> None:
    async with Facility(tmp_path, repository) as facility:
        store = FileStore(facility.configuration)
        store.put("o2/components/qc/ANY/any/probe", "stored")
        store.put("o2/components/qc/ANY/any/tree", "{}")
        made = await facility.create("asking", ["flp001", "flp002"])
        assert made.state == "CONFIGURED"
        for host, detector in (("flp001", "ITS"), ("flp002", "TPC")):
            short = await facility.task("probe", host)
            task = (await facility.control.GetTask(pb.GetTaskRequest(taskId=short.taskId), timeout=60)).task
            assert {f"DETECTOR={detector}", "PAYLOAD=stored"} <= set(task.commandInfo.env)
        marked = store.get("o2/runtime/marks/before") or ""
        assert marked.startswith(f'{made.id} stored {{"error":"')
        await facility.destroy(made.id)
