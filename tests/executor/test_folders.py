"""What ended tasks leave behind goes by age and number; what belongs to a living task stays."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from executor.folders import TaskFolders

NOW_S = 1_800_000_000.0


def leave(directory: Path, task_id: str, age_s: float, stream: str = "stdout") -> None:
    """Make the folder of a task that wrote its last so long ago."""
    (directory / task_id).mkdir()
    (directory / task_id / stream).write_text("words")
    (directory / task_id / "core").write_text("dump")
    os.utime(directory / task_id / stream, (NOW_S - age_s, NOW_S - age_s))


def names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


def test_only_the_latest_folders_stay(tmp_path: Path) -> None:
    for number in range(6):
        leave(tmp_path, f"t{number}", 100.0 - number, "stderr" if number % 2 else "stdout")
    assert TaskFolders(tmp_path, kept=2).prune(NOW_S) == 4
    assert names(tmp_path) == {"t4", "t5"}


def test_folders_go_when_they_are_too_old_however_few_they_are(tmp_path: Path) -> None:
    leave(tmp_path, "old", 3601.0)
    leave(tmp_path, "new", 3599.0)
    assert TaskFolders(tmp_path, kept=100, kept_s=3600.0).prune(NOW_S) == 1
    assert names(tmp_path) == {"new"}


def test_without_limits_everything_stays(tmp_path: Path) -> None:
    leave(tmp_path, "t1", 1e9)
    assert TaskFolders(tmp_path).prune(NOW_S) == 0
    assert names(tmp_path) == {"t1"}


def test_the_folder_of_a_living_task_of_any_executor_stays_and_does_not_count(tmp_path: Path) -> None:
    ours, others = TaskFolders(tmp_path, kept=1, kept_s=3600.0), TaskFolders(tmp_path)
    for name, age_s in (("ours", 9000.0), ("others", 9001.0), ("ended", 10.0), ("older", 20.0)):
        leave(tmp_path, name, age_s)
    ours.hold("ours")
    others.hold("others")
    others.hold("others")  # its next process
    assert ours.prune(NOW_S) == 1
    assert names(tmp_path) == {"ours", "others", "ended"}
    others.let_go_but({"else"})
    assert ours.prune(NOW_S) == 1
    assert names(tmp_path) == {"ours", "ended"}


def test_where_no_task_was_started_yet_nothing_is_to_be_deleted(tmp_path: Path) -> None:
    assert TaskFolders(tmp_path / "tasks", kept=1).prune(0.0) == 0


def test_what_is_no_folder_of_a_task_is_left_alone(tmp_path: Path) -> None:
    directory = tmp_path / "tasks"
    directory.mkdir()
    leave(tmp_path, "elsewhere", 9000.0)
    (directory / "link").symlink_to(tmp_path / "elsewhere")
    (directory / "empty").mkdir()
    (directory / "file").write_text("mine")
    assert TaskFolders(directory, kept=1, kept_s=1.0).prune(NOW_S) == 0
    assert names(directory) == {"link", "empty", "file"}
    assert names(tmp_path / "elsewhere") == {"stdout", "core"}


async def test_an_executor_deletes_what_others_left_at_its_start_and_nothing_of_living_tasks(
    core: Any, host: Any, spec: Any
) -> None:
    host.start()
    await core.launch(spec("alive", "60", mode="hook", value="sleep"))
    await core.trigger("alive")
    tasks = host.folder / "tasks"
    async with asyncio.timeout(60):
        while not await asyncio.to_thread((tasks / "alive" / "stderr").exists):
            pass
    leave(tasks, "gone", NOW_S - 1.0)
    os.utime(tasks / "alive" / "stdout", (1.0, 1.0))
    os.utime(tasks / "alive" / "stderr", (1.0, 1.0))
    host.start("--kept-days", "0.001", "--executor-id", "x2")
    await core.until(lambda: core.hellos == 2)
    async with asyncio.timeout(60):
        while await asyncio.to_thread((tasks / "gone").exists):
            pass
    assert (tasks / "alive").exists()
