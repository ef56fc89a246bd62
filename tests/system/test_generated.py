"""An environment whose tasks come from a DPL command, on a real core with real executors and tasks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import dpl_program
import grpc
import pytest
from facility import Facility

from server.api import o2control_pb2 as pb

WORKFLOW = """\
name: !public processing
description: !public a chain that writes itself down
defaults:
  devices: !public {value: "source,sink"}
roles:
  - name: "host-{{ it }}"
    for: {range: "{{ hosts }}", var: it}
    constraints: [{attribute: machine_id, value: "{{ it }}"}]
    roles:
      - name: dpl
        include: "{{ dpl.GenerateFromUri('chain') }}"
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    repository = tmp_path / "repository"
    for kind, name, text in (
        ("workflows", "processing.yaml", WORKFLOW),
        ("tasks", "README", "none of its own"),
        ("jit", "chain", "o2-fake --mode direct --value aliecs-occ --devices {{ devices }}\n"),
    ):
        (repository / kind).mkdir(parents=True)
        (repository / kind / name).write_text(text)
    return repository


async def test_an_environment_of_generated_tasks_is_configured(tmp_path: Path, repository: Path) -> None:
    profile = dpl_program.install(tmp_path)
    async with Facility(tmp_path, repository, jitProfile=str(profile)) as facility:
        made = await facility.create("processing", ["flp001", "flp002"])
        assert made.state == "CONFIGURED"
        tasks = await facility.tasks()
        assert {
            (task.className.rpartition("@")[0].rpartition("-")[2], task.deploymentInfo.hostname) for task in tasks
        } == {(device, host) for device in ("source", "sink") for host in ("flp001", "flp002")}
        assert all("/tasks/jit-" in task.className and task.state == "CONFIGURED" for task in tasks)
        assert (await facility.ask(made.id, "START_ACTIVITY")).state == "RUNNING"
        assert (await facility.ask(made.id, "STOP_ACTIVITY")).state == "CONFIGURED"
        await facility.destroy(made.id)
        await facility.control.RefreshRepos(pb.RefreshReposRequest(index=-1), timeout=60)
        assert [path.name for path in (tmp_path / "state" / "generated").glob("jit-*")] == []
        code, _ = await facility.aliecs("env", "plan", "processing", "--hosts", "flp001")
        assert code == 0
    assert [path.name[:4] for path in (tmp_path / "state" / "generated").glob("jit-*")] == ["jit-"]
    assert [path.name for path in (repository / "workflows").iterdir()] == ["processing.yaml"]


async def test_a_core_without_the_generator_says_so_to_the_client(tmp_path: Path, repository: Path) -> None:
    async with Facility(tmp_path, repository, jitProfile=str(tmp_path / "none.sh")) as facility:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await facility.create("processing", ["flp001"])
        text = caught.value.details() or ""
        assert f"the just-in-time generator, which is not installed: there is no {tmp_path}/none.sh" in text
        assert "role processing.host-flp001.dpl" in text
