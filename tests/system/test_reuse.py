"""Tasks that a destroyed environment left go on in the next one, if the core is told so (reuseUnlockedTasks)."""

from __future__ import annotations

from pathlib import Path

import pytest
from facility_backends import facility_on

PAIR = """\
name: pair
defaults: {second: "false", sink_exit_on: ""}
roles:
  - name: first
    constraints: [{attribute: machine_id, value: flp001}]
    bind: [{name: data, type: pull}]
    task: {load: sink}
  - name: second
    enabled: "{{ second }}"
    constraints: [{attribute: machine_id, value: flp001}]
    bind: [{name: data, type: pull}]
    task: {load: sink}
"""


@pytest.mark.parametrize("backend", ["local", "double", "real"])
async def test_a_kept_task_is_taken_over_and_run_by_the_next_environment(
    backend: str, tmp_path: Path, repository: Path
) -> None:
    (repository / "workflows" / "pair.yaml").write_text(PAIR)
    async with facility_on(backend, tmp_path, repository, reuseUnlockedTasks="true") as facility:
        one = await facility.create("pair")
        (kept,) = one.tasks
        await facility.destroy(one.id, keepTasks=True)
        (free,) = await facility.tasks()
        assert free.taskId == kept.taskId and free.claimable and not free.locked
        code, plan = await facility.aliecs("env", "plan", "pair")
        assert code == 0 and "PORT" not in plan, plan
        two = await facility.create("pair", second="true")
        tasks = {task.taskId: task for task in two.tasks}
        assert len(tasks) == 2 and tasks[kept.taskId].pid == kept.pid and tasks[kept.taskId].locked
        assert (await facility.ask(two.id, "START_ACTIVITY")).state == "RUNNING"
        assert (await facility.ask(two.id, "STOP_ACTIVITY")).state == "CONFIGURED"
        done = await facility.destroy(two.id)
        assert {task.taskId for task in done.cleanupTasksReply.killedTasks} == set(tasks)
        assert await facility.tasks() == []
