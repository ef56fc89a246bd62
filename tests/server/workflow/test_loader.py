"""The loader's process: what it answers, and what happens when it dies or takes too long."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.api.errors import CoreError, Reason
from server.workflow.loader import WorkflowLoader
from server.workflow.repos import RepositorySet

WORKFLOW = """
name: !public w
description: !public a demonstration
defaults:
  rate: !public {value: "5", type: number, widget: slider, panel: General}
roles:
  - name: "host-{{ it }}"
    for: {range: "{{ hosts }}", var: it}
    vars: {detector: "{{ inventory.DetectorForHost(it) }}"}
    roles: [{name: t, task: {load: x}}]
"""
TASK = "name: x\nwants: {cpu: 1, memory: 2}\ncommand: {value: echo}\n"
CONFIGURATION = "o2: {hardware: {detectors: {ITS: {flps: {flp001: {cards: '{}'}}}}}}\n"


@pytest.fixture
def repos(tmp_path: Path) -> RepositorySet:
    for kind, name, text in (("workflows", "w", WORKFLOW), ("tasks", "x", TASK)):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / f"{name}.yaml").write_text(text)
    return RepositorySet(hashes={str(tmp_path): "0"}, default=str(tmp_path))


@pytest.fixture
async def loader(tmp_path: Path) -> AsyncIterator[WorkflowLoader]:
    configuration = tmp_path / "configuration.yaml"
    configuration.write_text(CONFIGURATION)
    loader = WorkflowLoader(configuration=f"file://{configuration}", instance="test-loader", deadline_s=60)
    await loader.start()
    yield loader
    await loader.close()


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def environment_of(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def pid_of(loader: WorkflowLoader) -> int:
    assert loader.pid is not None
    return loader.pid


async def test_a_workflow_is_loaded_with_the_inventory_of_the_store(
    loader: WorkflowLoader, repos: RepositorySet
) -> None:
    workflow = await loader.load("w", user_vars={"hosts": '["flp001"]'}, defaults={}, vars={}, repos=repos)
    assert workflow.root.roles[0].vars == {"detector": "ITS", "it": "flp001"}
    (task_class,) = workflow.classes.values()
    assert (task_class.name, task_class.wants.cpu) == ("x", 1.0)


async def test_an_error_keeps_its_reason_and_place(loader: WorkflowLoader, repos: RepositorySet) -> None:
    with pytest.raises(CoreError) as caught:
        await loader.load("w", user_vars={}, defaults={}, vars={}, repos=repos)
    assert caught.value.reason is Reason.VARIABLE_MISSING
    assert caught.value.where["file"] == "workflows/w.yaml"
    assert "hosts" in caught.value.message


async def test_loads_that_are_asked_for_at_once_all_get_their_own_answer(
    loader: WorkflowLoader, repos: RepositorySet
) -> None:
    hosts = [json.dumps([f"flp{n}" for n in range(count)]) for count in (1, 5, 3)]
    workflows = await asyncio.gather(
        *(loader.load("w", user_vars={"hosts": one}, defaults={}, vars={}, repos=repos) for one in hosts)
    )
    assert [len(workflow.root.roles) for workflow in workflows] == [1, 5, 3]


async def test_the_process_carries_the_instance(loader: WorkflowLoader) -> None:
    assert b"ALIECS_INSTANCE=test-loader" in environment_of(pid_of(loader))


async def test_a_process_that_was_killed_is_replaced(loader: WorkflowLoader, repos: RepositorySet) -> None:
    await loader.load("w", user_vars={"hosts": "[]"}, defaults={}, vars={}, repos=repos)
    first = pid_of(loader)
    loading = asyncio.ensure_future(loader.load("w", user_vars={"hosts": huge()}, defaults={}, vars={}, repos=repos))
    await asyncio.sleep(0)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(CoreError) as caught:
        await loading
    assert caught.value.reason is Reason.INTERNAL
    workflow = await loader.load("w", user_vars={"hosts": '["flp001"]'}, defaults={}, vars={}, repos=repos)
    assert len(workflow.root.roles) == 1
    assert pid_of(loader) != first


async def test_a_load_past_its_deadline_costs_the_process_its_life(
    loader: WorkflowLoader, repos: RepositorySet
) -> None:
    await loader.load("w", user_vars={"hosts": "[]"}, defaults={}, vars={}, repos=repos)
    first = pid_of(loader)
    loader.deadline_s = 0.05
    with pytest.raises(CoreError) as caught:
        await loader.load("w", user_vars={"hosts": huge()}, defaults={}, vars={}, repos=repos)
    assert caught.value.reason is Reason.DEADLINE
    assert not is_there(first)
    loader.deadline_s = 60
    await loader.load("w", user_vars={"hosts": "[]"}, defaults={}, vars={}, repos=repos)


async def test_a_cancelled_load_does_not_answer_the_next_one(loader: WorkflowLoader, repos: RepositorySet) -> None:
    loading = asyncio.ensure_future(loader.load("w", user_vars={"hosts": huge()}, defaults={}, vars={}, repos=repos))
    await asyncio.sleep(0)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    workflow = await loader.load("w", user_vars={"hosts": '["flp001"]'}, defaults={}, vars={}, repos=repos)
    assert len(workflow.root.roles) == 1


async def test_nothing_is_left_after_close(loader: WorkflowLoader) -> None:
    pid = pid_of(loader)
    await loader.close()
    assert not is_there(pid)


def huge() -> str:
    """Return hosts that take seconds to load."""
    return json.dumps([f"flp{n}" for n in range(50_000)])


async def test_a_rehearsal_tells_all_errors_and_what_is_not_enabled(
    loader: WorkflowLoader, repos: RepositorySet
) -> None:
    folder = Path(repos.default)
    text = """
name: r
roles:
  - {name: '{{ left }}', task: {load: x}}
  - {name: off, enabled: 'false', task: {load: x}}
  - {name: group, roles: [{name: inner, enabled: 'no', task: {load: x}}]}
  - {name: t, vars: {v: '{{ right }}'}, task: {load: x}}
"""
    (folder / "workflows" / "r.yaml").write_text(text)
    found = await loader.rehearse("r", user_vars={}, defaults={}, vars={}, repos=repos)
    assert [error.reason for error in found.errors] == [Reason.VARIABLE_MISSING] * 2
    assert [error.where["line"] for error in found.errors] == ["4", "7"]
    found = await loader.rehearse("r", user_vars={"left": "a", "right": "b"}, defaults={}, vars={}, repos=repos)
    assert (list(found.errors), list(found.disabled)) == ([], ["r.off", "r.group.inner", "r.group"])
    assert [role.name for role in found.workflow.root.roles] == ["a", "t"]
