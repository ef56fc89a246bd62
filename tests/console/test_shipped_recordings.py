"""The recordings that are shipped: whole, small, about no machine in particular, and with the end that they promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.recording import Recording
from console.session import Session
from console.store import Store

FOLDER = Path(__file__).resolve().parents[2] / "recordings"
FILES = sorted(FOLDER.glob("*.jsonl"))


async def last_picture(name: str) -> Store:
    async with await Session.replaying(FOLDER / f"{name}.jsonl", speed=0) as session:
        replay = session.replay
        assert replay is not None and await session.until(lambda: replay.at_end, 60)
        return session.store


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_they_are_whole_and_small_and_name_no_machine(file: Path) -> None:
    recording = Recording(file)
    recording.close()
    assert recording.warnings == [] and recording.size_bytes < 1_500_000
    assert (recording.header.endpoint, recording.header.user) == ("control:32102", "shifter@control")
    text = file.read_text()
    for foreign in ("/tmp/", "/root", "/home/"):
        assert foreign not in text


def test_both_are_there() -> None:
    assert [file.stem for file in FILES] == ["calm-run", "critical-task-death"]


async def test_the_calm_run_ends_with_one_environment_ready_and_one_gone() -> None:
    store = await last_picture("calm-run")
    assert [(one.state, one.transition) for one in store.environments()] == [("CONFIGURED", None)]
    assert [(one.last_run_number > 0, fault) for one, fault in store.ended()] == [(True, None)]
    assert {task.state for task in store.tasks() if task.mode == "direct"} == {"CONFIGURED"}


async def test_the_death_of_a_critical_task_ends_in_error_with_its_cause_beside_a_run_that_goes_on() -> None:
    store = await last_picture("critical-task-death")
    broken, other = store.environments()
    assert (broken.state, other.state) == ("ERROR", "RUNNING") and other.bytes_per_s > 0
    fault = store.fault(broken.id)
    assert fault is not None and (fault.task, fault.host) == ("stfsender", "flp003") and "signal 9" in fault.what
    assert store.fault(other.id) is None
    history, variables = store.history(broken.id), store.variables(broken.id)
    assert history is not None and [it.event for it in history.transitions][-2:] == ["START_ACTIVITY", "GO_ERROR"]
    assert history.transitions[-1].steps and variables is not None and variables.user_vars["run_type"] == "PHYSICS"
    assert len(store.rates(other.id)) > 5
