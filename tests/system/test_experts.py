"""What experts see and do beside environments, on a real core with real executors and tasks."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from facility import Facility

PAGE = Path(__file__).resolve().parents[2] / "docs" / "experts.md"
ID = r"\b[1-9A-HJ-NP-Za-km-z]{11}\b"


async def told(facility: Facility, *words: str) -> Any:
    code, said = await facility.aliecs("-o", "json", *words)
    assert code == 0, said
    return json.loads(said)


def stdout_of(facility: Facility, task_id: str) -> Path:
    return facility.state / "tasks" / task_id / "stdout"


async def follow(facility: Facility, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "aliecs"), "--endpoint", f"127.0.0.1:{facility.port}", "task", "tail", *words,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def test_hosts_are_listed_with_what_their_executors_told(facility: Facility) -> None:
    before = {host["name"]: host for host in await told(facility, "host", "ls")}
    assert [before["flp001"][key] for key in ("executor_state", "version", "tasks", "pid")] == ["NONE", "", 0, 0]
    made = await facility.create("flow", ["flp001"])
    one = next(host for host in await told(facility, "host", "ls") if host["name"] == "flp001")
    assert (one["executor_state"], one["environments"], one["tasks"]) == ("ATTACHED", [made.id], 4)
    assert one["version"] and one["pid"] in facility.processes()
    assert one["free_cpus"] < one["cpus"] and one["free_memory_mb"] < one["memory_mb"]
    assert one["started_ms"] > 1_700_000_000_000
    code, said = await facility.aliecs("host", "show", "flp001")
    assert (code, "source" in said, "sink" in said) == (0, True, True)


async def test_an_output_is_relayed_and_followed_until_the_task_ends(facility: Facility) -> None:
    made = await facility.create("flow", ["flp001"])
    task = await facility.task("source")
    with stdout_of(facility, task.taskId).open("a") as file:
        file.write("first\nsecond\nthird\n")
    assert await facility.aliecs("task", "tail", task.taskId, "-n", "2") == (0, "second\nthird\n")
    following = await follow(facility, task.taskId, "--follow", "-n", "1")
    assert following.stdout is not None
    assert await asyncio.wait_for(following.stdout.readline(), 20) == b"third\n"
    with stdout_of(facility, task.taskId).open("a") as file:
        file.write("fourth\n")
    assert await asyncio.wait_for(following.stdout.readline(), 20) == b"fourth\n"
    await facility.destroy(made.id)
    assert await asyncio.wait_for(following.wait(), 20) == 0
    code, said = await facility.aliecs("task", "tail", "2oDvieFrVTi")
    assert (code, "task 2oDvieFrVTi not found" in said) == (5, True)


@pytest.mark.parametrize("how", ["core", "executor"])
async def test_who_follows_is_told_when_the_way_to_the_output_is_gone(facility: Facility, how: str) -> None:
    await facility.create("flow", ["flp001"])
    task = await facility.task("source")
    stdout_of(facility, task.taskId).write_text("begins\n")
    following = await follow(facility, task.taskId, "--follow", "-n", "5")
    assert following.stdout is not None
    assert await asyncio.wait_for(following.stdout.readline(), 20) == b"begins\n"
    if how == "core":
        await facility.kill()
        await facility.start()
    else:
        (host,) = [one for one in await told(facility, "host", "ls") if one["name"] == "flp001"]
        os.kill(host["pid"], signal.SIGKILL)
    said = await asyncio.wait_for(following.stdout.read(), 30)
    assert await asyncio.wait_for(following.wait(), 20) in ((3, 4) if how == "core" else (0, 6)), said


async def test_the_session_of_the_page_for_experts_goes_as_it_says(facility: Facility) -> None:
    (session,) = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    steps = [part.partition("\n")[::2] for part in session.split("❯ ")[1:]]
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "aliecs"), "--endpoint", f"127.0.0.1:{facility.port}", "repl",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate("".join(f"{line}\n" for line, _ in steps).encode()), 60)
    printed = "".join(printed for _, printed in steps)
    assert re.sub(ID, "ID", said.decode()) == re.sub(ID, "ID", printed)
