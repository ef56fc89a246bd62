"""Scripts, as a process, against a core."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_core import FakeCore

from server.api.errors import CoreError, Reason

Run = Callable[..., Any]

WHOLE_RUN = """\
# a whole run
on-error cleanup
id = env create readout-demo -o id --yes
wait $id --state CONFIGURED --timeout 60s
expect env.tasks.error == 0
env start $id --yes
sleep ${time:-0.1s}
expect env.state == "RUNNING" and env.bytes > 1MB and env.run_number == 101
env stop $id --confirm @run
env reset $id
env destroy $id --yes
cleanup:
  env destroy $id --force --yes
"""


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        file = tmp_path / "test.aliecs"
        file.write_text(text)
        return str(file)

    return write


async def test_a_whole_run_prints_a_line_per_step_and_a_summary(core: FakeCore, aliecs: Run, script: Run) -> None:
    ended = await aliecs("--script", script(WHOLE_RUN), "--var", "time=0.2s")
    assert ended.code == 0, ended.err
    heading, *steps, summary = ended.out.splitlines()
    assert heading.split() == ["STEP", "STATE", "RUN", "TASKS", "RATE", "MOVED", "DURATION"]
    assert [line[:18].strip() for line in steps] == [
        "create", "wait", "expect", "start", "sleep 0.2s", "expect", "stop", "reset", "destroy",
    ]  # fmt: skip
    assert steps[3].split()[1:9] == ["RUNNING", "101", "4/4", "25.0", "MB/s", "123", "MB", steps[3].split()[8]]
    assert summary.startswith("ok: 9 steps, ") and "run 101, 123 MB moved, cleanup ran" in summary
    assert not core.environments
    assert core.calls.count("DestroyEnvironment") == 1


async def test_a_script_comes_from_stdin_too(core: FakeCore, aliecs: Run) -> None:
    ended = await aliecs("--script", "-", stdin="env ls\n")
    assert (ended.code, ended.out, ended.err) == (0, "", "no environments running\n")


async def test_json_lines_say_everything(core: FakeCore, aliecs: Run, script: Run) -> None:
    ended = await aliecs("-o", "ndjson", "--script", script(WHOLE_RUN))
    *records, summary = map(json.loads, ended.out.splitlines())
    assert {record["schema"] for record in records} == {"aliecs.result/1"}
    start = records[3]
    assert (start["seq"], start["line"], start["command"], start["ok"], start["code"]) == (4, 6, "start", True, 0)
    assert (start["state_before"], start["state_after"], start["run_number"]) == ("CONFIGURED", "RUNNING", 101)
    assert start["tasks"] == {"ok": 4, "error": 0, "total": 4} and start["bytes"] == 123456789.0
    assert start["started"].endswith("Z") and start["started"] <= start["ended"]
    assert (summary["schema"], summary["ok"], summary["commands"], summary["cleanup"]) == (
        "aliecs.summary/1",
        True,
        9,
        "ran",
    )


async def test_a_task_that_dies_in_the_run_ends_the_sleep_at_once_and_is_named(
    core: FakeCore, start_aliecs: Run
) -> None:
    process = await start_aliecs("--yes", "-o", "ndjson", "-c",
                                 "id = env create x -o id; start $id; sleep 300s $id; cleanup: env destroy $id -f")  # fmt: skip
    assert process.stdout is not None
    records = [json.loads(await asyncio.wait_for(process.stdout.readline(), 60)) for _ in range(2)]
    core.fault(records[0]["target"], "flp002", "RUNNING")
    out, err = await asyncio.wait_for(process.communicate(), 60)
    failed, cleaned, summary = map(json.loads, out.splitlines())
    assert (process.returncode, failed["code"], summary["code"]) == (7, 7, 7)
    assert failed["error"]["where"] == {"task": "sink", "host": "flp002"}
    assert "critical task sink ended with exit code 3 on flp002" in failed["error"]["message"]
    assert (cleaned["command"], cleaned["code"]) == ("destroy", 0)
    assert b"critical task sink ended with exit code 3 on flp002" in err
    assert not core.environments


async def test_a_failed_creation_says_which_task_on_which_host(core: FakeCore, aliecs: Run) -> None:
    core.break_on["CONFIGURE"] = "flp001"
    ended = await aliecs("--yes", "-c", "id = env create x -o id; env start $id; cleanup: env destroy $id")
    assert ended.code == 7
    assert ended.out.splitlines()[-1].startswith(
        "failed, exit code 7: line 1, create: cannot create: sink exited with 3"
    )
    assert "host flp001" in ended.err and "task sink" in ended.err
    assert "DestroyEnvironment" not in core.calls


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("env create x", 9, "add --yes"),
        ("env start 2ab1", 9, "add --yes"),
        ("env stop 2ab2 --yes", 9, "add --confirm 77"),
        ("env stop 2ab2 --confirm 78", 9, "add --confirm 77"),
        ("env stop 2ab2 --confirm 077", 9, "add --confirm 77"),
        ("env destroy 2ab1", 9, "add --yes"),
        ("env destroy 2ab1 --force --yes", 9, "--confirm 2ab1CDEFgh --reason"),
        ("env destroy 2ab2 -a --yes", 9, "--confirm 2ab2CDEFgh --reason"),
        ("task clean", 9, "--confirm all --reason"),
        ("repo rm 0 --yes", 9, "--confirm github.com/a/b --reason"),
        ("env start 2ab1 --yes", 0, ""),
        ("env start 2ab1 --confirm 2ab1", 0, ""),
        ("env stop 2ab2 --confirm @run", 0, ""),
        ("env stop 2ab2 --confirm 77", 0, ""),
        ("env destroy 2ab1 --yes", 0, ""),
        ("env destroy 2ab2 -a --confirm 2ab2CDEFgh --reason 'the beam was dumped'", 0, ""),
    ],
)
async def test_what_changes_something_is_confirmed_by_its_level(
    core: FakeCore, aliecs: Run, text: str, code: int, hint: str
) -> None:
    core.add(state="CONFIGURED")
    core.add(state="RUNNING", run_number=77)
    ended = await aliecs("-c", text)
    assert ended.code == code, ended.err
    assert hint in ended.err
    writes = {"NewEnvironment", "ControlEnvironment", "DestroyEnvironment", "CleanupTasks", "RemoveRepo"}
    assert bool(writes.intersection(core.calls)) is (code == 0)


async def test_a_script_with_a_mistake_runs_nothing_of_it(core: FakeCore, aliecs: Run, script: Run) -> None:
    file = script("env ls\nenv strat $id\nexpect env.x == 1\n\nenv start $other\nsleep soon\n")
    ended = await aliecs("--script", file, "--yes")
    assert ended.code == 2 and core.calls == []
    for number, text in (
        (2, "$id is never set"),
        (3, "'env.x' is no value"),
        (5, "$other is never set"),
        (6, "no duration"),
    ):
        assert any(line.startswith(f"{file}:{number}:") and text in line for line in ended.err.splitlines()), text
    await core.stop()
    assert (await aliecs("--script", file, "--check")).code == 2
    assert (await aliecs("--script", script(WHOLE_RUN), "--check")).code == 0
    assert (await aliecs("--script", "/nowhere")).code == 2
    assert (await aliecs("--script", file, "-c", "env ls")).code == 2


async def test_a_dry_run_says_what_it_would_do_and_sends_no_write(core: FakeCore, aliecs: Run, script: Run) -> None:
    ended = await aliecs("--script", script(WHOLE_RUN), "--dry-run")
    assert ended.code == 0, ended.out
    assert "would call NewEnvironment(readout-demo; no variables)" in ended.out
    assert "would call ControlEnvironment(planned-1, START_ACTIVITY), CONFIGURED to RUNNING" in ended.out
    one = core.add(state="DEPLOYED")
    ended = await aliecs("--dry-run", "--yes", "-c", f"env start {one.id}; env configure {one.id}; env start {one.id}")
    assert ended.code == 6
    assert "START_ACTIVITY needs CONFIGURED, the environment is DEPLOYED" in ended.out
    assert "CONFIGURED to RUNNING" in ended.out
    asked = {call.partition("(")[0] for call in core.calls}
    assert asked <= {"GetEnvironments", "Watch", "GetFrameworkInfo"}  # the last of a core that was silent for long


async def test_on_error_continue_goes_on_and_ends_as_partial(core: FakeCore, aliecs: Run) -> None:
    core.add(state="CONFIGURED")
    text = "env configure 2ab1; env start 2ab1; env ls -o id"
    stopped = await aliecs("--yes", "-c", text)
    assert stopped.code == 6 and "2ab1CDEFgh\n" not in stopped.out
    assert "ControlEnvironment" not in core.calls  # the state was looked at first
    went_on = await aliecs("--yes", "--on-error", "continue", "-c", text)
    assert went_on.code == 8 and "2ab1CDEFgh\n" in went_on.out and "RUNNING" in went_on.out


async def test_an_expectation_that_is_not_met_is_exit_code_10_and_says_what_is(core: FakeCore, aliecs: Run) -> None:
    core.add(state="CONFIGURED")
    ended = await aliecs("-c", "wait 2ab1 --state CONFIGURED; expect env.rate > 5 or env.state == RUNNING")
    assert ended.code == 10 and "env.rate is 0, env.state is CONFIGURED" in ended.err


async def test_a_command_is_tried_again_as_often_as_it_says(core: FakeCore, start_aliecs: Run) -> None:
    one = core.add(state="DEPLOYED")
    process = await start_aliecs(
        "--yes", "-c", f"wait {one.id} --state DEPLOYED; retry 50 expect env.state == CONFIGURED"
    )
    assert process.stdout is not None
    while b"wait" not in await asyncio.wait_for(process.stdout.readline(), 60):
        pass
    core.show(replace(one, state="CONFIGURED"))
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, err) == (0, b"")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_runs_the_cleanup_block(core: FakeCore, start_aliecs: Run, number: int, code: int) -> None:
    process = await start_aliecs("--yes", "-c", "id = env create x -o id; sleep 300s; cleanup: env destroy $id")
    assert process.stdout is not None
    while b"create" not in await asyncio.wait_for(process.stdout.readline(), 60):
        pass
    process.send_signal(number)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == code
    assert b"destroy" in out and b"interrupted" in out and b"cleanup ran" in out
    assert not core.environments


async def test_a_signal_during_the_creation_destroys_what_was_begun(core: FakeCore, start_aliecs: Run) -> None:
    core.hold.clear()
    process = await start_aliecs("--yes", "-c", "id = env create x -o id; cleanup: env destroy $id --force")
    await asyncio.wait_for(core.held.wait(), 60)
    assert process.stderr is not None
    await asyncio.wait_for(process.stderr.readline(), 60)  # it has seen the environment
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 130, err
    assert not core.environments
    core.hold.set()


async def test_the_deadline_of_a_script_ends_it(core: FakeCore, aliecs: Run) -> None:
    ended = await aliecs("--deadline", "0.3s", "-c", "sleep 300s")
    assert ended.code == 4 and "deadline of 0.3 s is over" in ended.out


async def test_a_failing_cleanup_is_told_and_does_not_hide_the_first_failure(core: FakeCore, aliecs: Run) -> None:
    core.fail["DestroyEnvironment"] = CoreError(Reason.TEARDOWN_FAILED, "a task will not die", host="flp001")
    ended = await aliecs("--yes", "-c", "id = env create x -o id; expect env.rate > 1; cleanup: env destroy $id")
    assert ended.code == 10 and "cleanup failed" in ended.out and "a task will not die" in ended.err
    ended = await aliecs("--yes", "-c", "id = env create x -o id; cleanup: env destroy $id")
    assert ended.code == 7


async def test_states_that_do_not_exist_are_found_before_anything_is_run(core: FakeCore, aliecs: Run) -> None:
    ended = await aliecs("--yes", "-c", "id = env create x -o id; wait $id --state READY")
    assert ended.code == 2 and "--state READY: no such state" in ended.err and core.calls == []


async def test_a_condition_about_no_environment_needs_none(core: FakeCore, aliecs: Run) -> None:
    ended = await aliecs("-c", "expect 1 < 2; expect 1 == 2")
    assert ended.code == 10 and "expected 1 == 2" in ended.err
    ended = await aliecs("-c", "expect env.rate == 2")
    assert ended.code == 2 and "no environment yet" in ended.err
