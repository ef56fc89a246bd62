"""The screen of one task on a real session, a core, and a server of what tasks write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_core import FakeCore
from screen import app_on, row_with, screen_of, shows, until
from textual.pilot import Pilot

from console.tui.widgets.task_log import TaskLog
from server.api.errors import CoreError, Reason
from server.api.model import Metric, Task
from server.deploy.logs import LogServer

SIZES = [(80, 24), (120, 40), (200, 60)]
NASTY = b"\x1b[2J\x1b[31m[red]ERROR[/red]\x1b[0m\ttab \x07 \x9b1;1H \xff\xfe wide \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e end\r\n"


@pytest.fixture
async def logs(tmp_path: Path) -> AsyncIterator[LogServer]:
    server = LogServer(tmp_path)
    await server.start()
    yield server
    await server.close()


def task_on(core: FakeCore, logs: LogServer, folder: Path, text: bytes, *, stream: str = "stdout") -> Task:
    """Add an environment and let its first task have written something."""
    core.add(state="CONFIGURED")
    first = next(iter(core.tasks))
    (folder / first).mkdir()
    for name in ("stdout", "stderr"):
        (folder / first / name).write_bytes(text if name == stream else b"")
    core.tasks[first] = replace(core.tasks[first], sandbox_stdout=logs.url(first))
    core.publish(core.tasks[first])
    return core.tasks[first]


async def opened(pilot: Pilot[Any], *texts: str) -> list[str]:
    """Open the first task from the list of all tasks."""
    await shows(pilot, "CFG")
    await pilot.press("3")
    await shows(pilot, "PROBLEM OR PATH", "flp001")
    await pilot.press("enter")
    return await shows(pilot, "stdout", *texts)


@pytest.mark.parametrize("size", SIZES)
async def test_a_task_is_opened_with_its_facts_and_its_output(
    core: FakeCore, logs: LogServer, tmp_path: Path, size: tuple[int, int]
) -> None:
    task = task_on(core, logs, tmp_path, b"first line\nlast line\n")
    core.tasks[task.task_id] = replace(task, limits="cpu 1 enforced; memory 64 MB not enforced: switched off")
    core.publish(core.tasks[task.task_id])
    app = app_on(core.endpoint)
    async with app.run_test(size=size) as pilot:
        lines = await opened(pilot, "last line", "aliecs-sink --verbose")
        text = "\n".join(lines)
        assert len(lines) == size[1] and all(len(line) == size[0] for line in lines)
        assert task.task_id in text and "pid 4001" in text and "first line" in text
        assert "limits    cpu 1 enforced; memory 64 MB not enforced" in text
        await pilot.press("v")
        await shows(pilot, "argument 1", "--verbose")
        await pilot.press("escape")
        await shows(pilot, "PROBLEM OR PATH")


async def test_new_output_is_followed_until_one_looks_further_up(
    core: FakeCore, logs: LogServer, tmp_path: Path
) -> None:
    task = task_on(core, logs, tmp_path, b"".join(b"line %d\n" % number for number in range(100)))
    app = app_on(core.endpoint)
    path = tmp_path / task.task_id / "stdout"
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "line 99", "follows")
        with path.open("ab") as file:
            file.write(b"and one more\n")
        await shows(pilot, "and one more")
        await pilot.press("k", "k")
        await shows(pilot, "stands still")
        with path.open("ab") as file:
            file.write(b"unseen\n" * 30)
        log = app.screen.query_one(TaskLog)
        await until(pilot, lambda _: log.row_count() == 131)
        assert not any("unseen" in line for line in screen_of(app)[-2:])
        await pilot.press("G")
        await shows(pilot, "unseen", "follows")


async def test_what_a_task_writes_cannot_disturb_the_screen(core: FakeCore, logs: LogServer, tmp_path: Path) -> None:
    task_on(core, logs, tmp_path, NASTY + b"x" * 100_000 + b"\n" + NASTY * 3 + b"the end")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        lines = await opened(pilot, "the end", "[red]ERROR[/red]", "日本語")
        assert all("\x1b" not in line and "\x07" not in line and "\t" not in line for line in lines)
        assert all(line.isprintable() for line in lines)
        header = lines[:2]
        await pilot.press("right", "right")
        await shows(pilot, "from column 41")
        assert screen_of(app)[1] == header[1]


async def test_a_filter_keeps_lines_and_n_goes_through_its_matches(
    core: FakeCore, logs: LogServer, tmp_path: Path
) -> None:
    text = b"".join(b"%s %d\n" % (b"needle" if number % 10 == 0 else b"hay", number) for number in range(50))
    task = task_on(core, logs, tmp_path, text)
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "hay 49")
        log = app.screen.query_one(TaskLog)
        log.show_only("needle")
        await until(pilot, lambda _: log.row_count() == 5)
        with (tmp_path / task.task_id / "stdout").open("ab") as file:
            file.write(b"hay 50\nneedle 51\n")
        await shows(pilot, "needle 51")
        assert log.row_count() == 6
        await pilot.press("g", "n")
        await until(pilot, lambda _: log.row_count() == 52)
        assert log.copied_text() == "needle 10"
        for key, line in (("n", "needle 20"), ("n", "needle 30"), ("N", "needle 20")):
            await pilot.press(key)
            await until(pilot, lambda _, line=line: log.copied_text() == line)  # type: ignore[misc]


async def test_the_other_stream_is_shown_where_the_first_is_empty(
    core: FakeCore, logs: LogServer, tmp_path: Path
) -> None:
    task_on(core, logs, tmp_path, b"it went wrong\n", stream="stderr")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "it went wrong", "STDERR")
        await pilot.press("o")
        await shows(pilot, "nothing written yet", "STDOUT")
        await pilot.press("e")
        await shows(pilot, "it went wrong")


async def test_it_says_why_there_is_no_output(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    first = next(iter(core.tasks))
    core.fail["GetTask"] = CoreError(Reason.TASK_NOT_FOUND, "task not found", task=first)
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "the core does not say where this is kept")
        await pilot.press("v")
        await shows(pilot, "task not found")
        core.tasks[first] = replace(core.tasks[first], sandbox_stdout="http://127.0.0.1:1/files/download?path=x/stdout")
        core.publish(core.tasks[first])
        await pilot.press("o")
        await shows(pilot, "127.0.0.1:1: Connection refused")


async def test_a_task_that_is_gone_stays_as_it_last_was(core: FakeCore, logs: LogServer, tmp_path: Path) -> None:
    task = task_on(core, logs, tmp_path, b"last words\n")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "last words")
        core.drop(task.environment_id)
        lines = await shows(pilot, "it is gone")
        assert any("last words" in line for line in lines)


async def test_metrics_that_vary_are_plotted(core: FakeCore, logs: LogServer, tmp_path: Path) -> None:
    task = task_on(core, logs, tmp_path, b"")
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        for number, value in enumerate((1e6, 4e6, 2e6, 8e6)):
            metrics = (Metric("data.rate", value, "B/s"), Metric("data.bytes", 1e9 * number, "B"))
            core.publish(replace(task, metrics=metrics))
            await shows(pilot, f"{value / 1e6:.1f} MB/s")
        lines = screen_of(app)
        assert row_with(lines, "data.rate").rstrip().endswith("▁▄▂█")
        assert row_with(lines, "data.bytes").rstrip().endswith("GB")


async def test_l_opens_the_log_of_what_failed_first(core: FakeCore, logs: LogServer, tmp_path: Path) -> None:
    task = task_on(core, logs, tmp_path, b"before the end\n")
    core.fault(task.environment_id, "flp001", "CONFIGURED")
    failed = core.faults[task.environment_id].task_id
    (tmp_path / failed).mkdir()
    (tmp_path / failed / "stdout").write_bytes(b"segmentation fault\n")
    core.tasks[failed] = replace(core.tasks[failed], sandbox_stdout=logs.url(failed))
    core.publish(core.tasks[failed])
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "First fault")
        await pilot.press("L")
        lines = await shows(pilot, "segmentation fault")
        assert not any("command" in line for line in lines)
        await pilot.press("L")
        await shows(pilot, "command")
        await pilot.press("escape")
        await shows(pilot, "ENV ID")
