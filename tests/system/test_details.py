"""What the details of a task tell, on a real core with real executors and tasks: its limits, its use of the host, its end."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from facility import Facility

from console.store import Store

USE = {"process.cpu", "process.cpu.time", "process.memory", "process.threads", "process.count"}


async def details(facility: Facility, task_id: str) -> Any:
    code, said = await facility.aliecs("-o", "json", "task", "show", task_id)
    assert code == 0, said
    return json.loads(said)


async def test_the_details_of_a_task_tell_its_limits_its_use_and_its_end(facility: Facility) -> None:
    made = await facility.create("bounded")
    device, hook = await facility.task("bounded"), await facility.task("glutton")

    def is_measured(store: Store) -> bool:
        task = store.task(device.taskId)
        return task is not None and {one.name for one in task.metrics} >= USE

    await facility.shows(is_measured)
    shown = await details(facility, device.taskId)
    assert shown.keys() >= USE
    assert (shown["exit_code"], shown["signal"]) == (None, None)
    is_enforced = "not enforced" not in shown["limits"]
    assert not is_enforced or shown["limits"] == "cpu 2 enforced; memory 500 MB enforced"

    assert (await facility.ask(made.id, "START_ACTIVITY")).state == "RUNNING"
    shown = await details(facility, hook.taskId)
    if is_enforced:  # by whom it is killed: tests/executor/test_limits.py
        assert (shown["status"], shown["signal"]) == ("ACTIVE", 9)
        assert shown["limits"] == "memory 40 MB enforced; a process was killed by its memory limit of 40 MB"
    else:
        assert (shown["status"], shown["exit_code"]) == ("ACTIVE", 0)

    os.kill(int(device.pid), signal.SIGSEGV)
    await facility.shows(lambda it: bool((task := it.task(device.taskId)) and task.signal == signal.SIGSEGV))
    shown = await details(facility, device.taskId)
    assert shown["problem"].startswith("killed by signal 11 (SIGSEGV)")
    assert (shown["exit_code"], shown["signal"]) == (None, 11)
