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

from server.api.model import IntegratedServiceEvent

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
    assert await asyncio.wait_for(following.stdout.readline(), 60) == b"third\n"
    with stdout_of(facility, task.taskId).open("a") as file:
        file.write("fourth\n")
    assert await asyncio.wait_for(following.stdout.readline(), 60) == b"fourth\n"
    await facility.destroy(made.id)
    assert await asyncio.wait_for(following.wait(), 60) == 0
    code, said = await facility.aliecs("task", "tail", "2oDvieFrVTi")
    assert (code, "task 2oDvieFrVTi not found" in said) == (5, True)


@pytest.mark.parametrize("how", ["core", "executor"])
async def test_who_follows_is_told_when_the_way_to_the_output_is_gone(facility: Facility, how: str) -> None:
    await facility.create("flow", ["flp001"])
    task = await facility.task("source")
    stdout_of(facility, task.taskId).write_text("begins\n")
    following = await follow(facility, task.taskId, "--follow", "-n", "5")
    assert following.stdout is not None
    assert await asyncio.wait_for(following.stdout.readline(), 60) == b"begins\n"
    if how == "core":
        await facility.kill()
        await facility.start()
    else:
        (host,) = [one for one in await told(facility, "host", "ls") if one["name"] == "flp001"]
        os.kill(host["pid"], signal.SIGKILL)
    said = await asyncio.wait_for(following.stdout.read(), 60)
    # The end of the task may be heard before the end of its executor, or after: 6 says that it is not attached.
    assert await asyncio.wait_for(following.wait(), 60) in ((3, 4) if how == "core" else (0, 5, 6)), said


async def audited(facility: Facility, what: str) -> list[dict[str, Any]]:
    """Return what the audit log has of a kind of act, when it was over."""
    lines = [line for line in facility.log().splitlines() if f"over what={what} " in line and "server.audit" in line]
    return [json.loads(line[line.index("{") :]) for line in lines]


async def test_one_task_takes_one_transition_and_its_environment_sees_it(facility: Facility) -> None:
    made = await facility.create("flow", ["flp001"])
    task = (await facility.task("source")).taskId
    done = await told(facility, "task", "transition", task, "RESET")
    assert (done["state"], done["env"]) == ("STANDBY", made.id)
    assert (await facility.task("source")).state == "STANDBY"
    assert (await facility.task("sink")).state == "CONFIGURED"
    store = await facility.shows(lambda it: any(isinstance(one, IntegratedServiceEvent) for one in it.events))
    event = next(one for one in store.events if isinstance(one, IntegratedServiceEvent) and one.name == "expert")
    assert (event.operation_name, event.environment_id) == ("TransitionTask", made.id)
    assert json.loads(event.payload)["event"] == "RESET"
    assert (await told(facility, "task", "transition", task, "CONFIGURE"))["state"] == "CONFIGURED"
    assert (await facility.ask(made.id, "START_ACTIVITY")).state == "RUNNING"
    code, said = await facility.aliecs("task", "transition", task, "START")
    assert (code, f"task {task} is RUNNING, START leads from CONFIGURED" in said) == (6, True)
    header = (await facility.task("header")).taskId
    code, said = await facility.aliecs("task", "transition", header, "STOP")
    assert (code, "which knows no transitions" in said) == (2, True)
    code, said = await facility.aliecs("task", "transition", task, "jump")
    assert (code, "JUMP cannot be sent to a task" in said) == (2, True)
    acts = await audited(facility, "TransitionTask")
    assert [(one["event"], one["state"]) for one in acts] == [
        ("RESET", "STANDBY"), ("CONFIGURE", "CONFIGURED"), ("START", ""), ("STOP", ""), ("JUMP", ""),
    ]  # fmt: skip
    assert all("@" in one["who"] for one in acts) and "leads from" in acts[2]["error"]


async def test_a_task_that_does_not_follow_is_an_error_with_its_words(facility: Facility) -> None:
    await facility.create("flow", ["flp001"], source_fail_on="RESET")
    task = (await facility.task("source")).taskId
    code, said = await facility.aliecs("task", "transition", task, "RESET")
    assert (code, f"task {task} did not follow RESET" in said) == (7, True), said


async def test_a_task_of_an_environment_in_transition_is_left_alone(facility: Facility) -> None:
    made = await facility.create("flow", ["flp001"])
    task = await facility.task("source")
    os.kill(int(task.pid), signal.SIGSTOP)
    try:
        starting = asyncio.create_task(facility.ask(made.id, "START_ACTIVITY"))
        await facility.shows(lambda it: bool((one := it.environment(made.id)) and one.transition))
        code, said = await facility.aliecs("task", "transition", task.taskId, "RESET")
        assert (code, f"START_ACTIVITY of environment {made.id} is in progress" in said) == (6, True), said
    finally:
        os.kill(int(task.pid), signal.SIGCONT)
    assert (await starting).state == "RUNNING"


async def test_a_killed_task_has_died_for_its_environment(facility: Facility) -> None:
    made = await facility.create("flow", ["flp001"])
    await facility.ask(made.id, "START_ACTIVITY")
    monitor, source = (await facility.task("quality")).taskId, (await facility.task("source")).taskId
    assert (await told(facility, "task", "kill", monitor))["state"] == "ERROR"
    assert await facility.state_of(made.id) == "RUNNING"
    code, said = await facility.aliecs("task", "kill", source)
    assert (code, f"task {source} is critical for environment {made.id}, which is in run" in said) == (6, True)
    assert await facility.state_of(made.id) == "RUNNING"
    code, said = await facility.aliecs("task", "kill", source, "--force")
    assert (code, "needs a confirmation by name and a reason" in said) == (9, True)
    sure = ("--force", "--confirm", source, "--reason", "it sends nonsense")
    assert (await told(facility, "task", "kill", source, *sure))["state"] == "ERROR"
    await facility.shows(lambda it: bool((one := it.environment(made.id)) and one.state == "ERROR"))
    code, said = await facility.aliecs("task", "kill", source)
    assert (code, f"task {source} has ended" in said) == (6, True)
    assert [one["error"] == "" for one in await audited(facility, "KillTask")] == [True, False, True, False]


async def test_a_task_of_no_environment_is_ended_and_forgotten(facility: Facility) -> None:
    made = await facility.create("flow", ["flp001"])
    await facility.destroy(made.id, keepTasks=True)
    sink = (await facility.task("sink")).taskId
    assert (await told(facility, "task", "kill", sink))["state"] == "DONE"
    assert sink not in [one.taskId for one in await facility.tasks()]


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


async def test_the_script_of_the_page_for_experts_runs_as_it_stands(facility: Facility) -> None:
    (script,) = re.findall(r"```aliecs\n(.*?)```", PAGE.read_text(), re.DOTALL)
    file = facility.folder / "expert.aliecs"
    file.write_text(script)
    code, said = await facility.aliecs("--script", str(file))
    assert code == 0, said
    assert all(word in said for word in ("STANDBY", "CONFIGURED", "ATTACHED")), said
    hosts = {host["name"]: host for host in await told(facility, "host", "ls")}
    assert (hosts["flp001"]["drain"], hosts["flp001"]["tasks"], hosts["flp002"]["tasks"]) == (None, 0, 0)
    acts = [re.search(r"over what=(\w+)", line) for line in facility.log().splitlines() if "server.audit" in line]
    assert [act[1] for act in acts if act] == [
        "TransitionTask", "TransitionTask", "KillTask", "DrainHost", "RestartExecutor", "UndrainHost",
    ]  # fmt: skip
