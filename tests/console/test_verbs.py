"""The command line, as a process, against a core: data on stdout, messages on stderr, honest exit codes."""

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
from stock_core import StockCore

from server.api.errors import CoreError, Reason

Run = Callable[..., Any]


async def test_environments_are_listed_as_table_json_lines_and_ids(core: FakeCore, aliecs: Run) -> None:
    one = core.add(state="CONFIGURED", tasks_active=4)
    table = await aliecs("env", "ls")
    assert (table.code, table.err) == (0, "")
    heading, line = table.out.splitlines()
    assert heading.split() == ["ID", "TEMPLATE", "STATE", "RUN", "DETECTORS", "HOSTS", "TASKS", "CREATED", "TRANSITION"]
    assert line.split()[:7] == [one.id, "readout-demo", "CONFIGURED", "-", "ITS", "2", "4/4"]
    (listed,) = json.loads((await aliecs("env", "ls", "-o", "json")).out)
    assert (listed["id"], listed["state"], listed["detectors"]) == (one.id, "CONFIGURED", ["ITS"])
    assert json.loads((await aliecs("-o", "ndjson", "e", "l")).out)["id"] == one.id
    assert (await aliecs("env", "ls", "-o", "id")).out == f"{one.id}\n"


async def test_nothing_to_list_is_said_on_stderr_only(aliecs: Run) -> None:
    ended = await aliecs("env", "ls")
    assert (ended.code, ended.out, ended.err) == (0, "", "no environments running\n")
    assert (await aliecs("env", "ls", "-o", "json")).out == "[]\n"


async def test_a_whole_run_by_single_commands(core: FakeCore, aliecs: Run) -> None:
    made = await aliecs("env", "create", "readout-demo", "-e", "rate=5,size=1", "-e", '{"n": 3}', "--hosts", "flp001,flp002",
                        "-o", "id")  # fmt: skip
    assert made.code == 0
    environment_id = made.out.strip()
    request = next(request for request in core.requests if getattr(request, "workflowTemplate", ""))
    assert dict(request.vars) == {"rate": "5", "size": "1", "n": "3", "hosts": '["flp001", "flp002"]'}
    started = await aliecs("env", "start", environment_id[:4])
    assert started.code == 0 and "RUNNING" in started.out
    shown = json.loads((await aliecs("env", "show", "@run", "-o", "json")).out)
    assert (shown["id"], shown["run_number"]) == (environment_id, 101)
    assert (await aliecs("stop", "@101")).code == 0
    assert (await aliecs("env", "reset", "@last")).code == 0
    assert "DONE" in (await aliecs("env", "destroy", environment_id)).out
    assert not core.environments


async def test_progress_of_long_work_is_told_while_it_lasts(core: FakeCore, start_aliecs: Run) -> None:
    core.add(state="CONFIGURED")
    core.hold.clear()
    process = await start_aliecs("env", "start", "@last")
    assert process.stderr is not None
    line = await asyncio.wait_for(process.stderr.readline(), 60)
    assert b"2ab1CDEFgh  CFG  START_ACTIVITY tasks_START_ACTIVITY 0/4 tasks" in line
    core.hold.set()
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0 and b"RUNNING" in out


async def test_a_transition_that_ends_in_error_is_a_failure_and_names_task_and_host(
    core: FakeCore, aliecs: Run
) -> None:
    environment = core.add(state="CONFIGURED")
    core.break_on["START_ACTIVITY"] = "flp002"
    ended = await aliecs("env", "start", environment.id)
    assert ended.code == 7
    assert "START_ACTIVITY of 2ab1CDEFgh failed: the environment is in ERROR" in ended.err
    assert "critical task sink ended with exit code 3 on flp002" in ended.err
    assert "aliecs task show" in ended.err
    shown = await aliecs("env", "show", environment.id)
    assert shown.code == 0 and "critical task sink ended with exit code 3 on flp002" in shown.out
    worst = (await aliecs("task", "ls")).out.splitlines()[1]
    assert "ERROR" in worst and worst.endswith("exit code 3")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CoreError(Reason.BAD_ID, "received bad environment id"), 2),
        (CoreError(Reason.ENVIRONMENT_NOT_FOUND, "environment not found"), 5),
        (CoreError(Reason.ILLEGAL_TRANSITION, "not now"), 6),
        (CoreError(Reason.TRANSITION_RUNNING, "busy"), 6),
        (CoreError(Reason.DETECTOR_IN_USE, "ITS is taken"), 6),
        (CoreError(Reason.TEMPLATE_NOT_FOUND, "no such template"), 5),
        (CoreError(Reason.VARIABLE_MISSING, "hosts is missing"), 2),
        (CoreError(Reason.DEPLOYMENT_FAILED, "sink died"), 7),
        (CoreError(Reason.TRANSITION_FAILED, "sink died"), 7),
        (CoreError(Reason.RESOURCES_MISSING, "no host"), 12),
        (CoreError(Reason.RESERVED, "not implemented"), 11),
        (CoreError(Reason.INTERNAL, "oops"), 1),
        (CoreError(Reason.INTERNAL, "no right", code="PERMISSION_DENIED"), 9),
        (CoreError(Reason.DEADLINE, "too late"), 4),
        (CoreError(Reason.KILL_FAILED, "some live on"), 8),
    ],
)
async def test_each_failure_has_its_exit_code_and_its_text(
    core: FakeCore, aliecs: Run, error: CoreError, code: int
) -> None:
    core.fail["GetEnvironments"] = error
    ended = await aliecs("env", "ls")
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(error.message) and "Traceback" not in ended.err


async def test_no_core_is_exit_code_3(core: FakeCore, aliecs: Run) -> None:
    await core.stop()
    ended = await aliecs("env", "ls")
    assert ended.code == 3
    assert f"no core at {core.endpoint}" in ended.err and "is aliecs-server running?" in ended.err


async def test_no_answer_in_time_is_an_unknown_outcome(core: FakeCore, aliecs: Run) -> None:
    environment = core.add(state="CONFIGURED")
    core.hold.clear()
    ended = await aliecs("env", "start", environment.id, "--timeout", "0.3s")
    assert ended.code == 4 and "the outcome is unknown" in ended.err
    core.hold.set()


async def test_a_running_environment_is_not_destroyed_by_a_typo(core: FakeCore, aliecs: Run) -> None:
    one = core.add(state="RUNNING", run_number=77)
    ended = await aliecs("env", "destroy", one.id)
    assert ended.code == 9 and "taking data in run 77" in ended.err
    ended = await aliecs("env", "destroy", one.id, "-a")
    assert ended.code == 9 and f"--confirm {one.id} --reason" in ended.err
    ended = await aliecs("env", "destroy", one.id, "-a", "--confirm", one.id, "--reason", "short")
    assert ended.code == 9 and "at least 10 characters" in ended.err
    assert "DestroyEnvironment" not in core.calls
    ended = await aliecs("env", "destroy", one.id, "-a", "--confirm", one.id, "--reason", "beam dump, run lost")
    assert ended.code == 0 and core.requests[-1].allowInRunningState


async def test_prefixes_and_signs_that_name_nothing_or_several_are_refused(core: FakeCore, aliecs: Run) -> None:
    first = core.add(state="RUNNING", run_number=8)
    core.show(replace(first, id="2ab1other", run_number=9))
    ended = await aliecs("env", "show", "2ab1")
    assert ended.code == 2 and "begins several ids" in ended.err
    ended = await aliecs("env", "show", "@run")
    assert ended.code == 2 and "@8" in ended.err and "@9" in ended.err
    assert (await aliecs("env", "show", "@77")).code == 5
    assert (await aliecs("env", "show", "@what")).code == 2
    assert (await aliecs("env", "show", "zzz")).code == 5


async def test_events_that_cannot_be_asked_for_are_refused_before_anything_is_sent(core: FakeCore, aliecs: Run) -> None:
    ended = await aliecs("env", "ctl", "2abc", "-e", "STRT")
    assert ended.code == 2 and "did you mean START" in ended.err
    ended = await aliecs("env", "ctl", "2abc", "-e", "EXIT")
    assert ended.code == 2 and "EXIT is no event that can be asked for" in ended.err
    assert core.calls == []


async def test_wait_ends_when_the_state_is_reached_and_tells_when_it_is_not(core: FakeCore, aliecs: Run) -> None:
    one = core.add(state="CONFIGURED")
    assert (await aliecs("env", "wait", one.id, "--state", "RUNNING,CONFIGURED")).code == 0
    ended = await aliecs("env", "wait", one.id, "--state", "RUNNING", "--timeout", "0.2s")
    assert ended.code == 10 and "is CONFIGURED, not RUNNING, after 0.2 s" in ended.err
    core.fault(one.id, "flp001", "CONFIGURED")
    ended = await aliecs("env", "wait", one.id, "--state", "RUNNING", "--timeout", "20s")
    assert ended.code == 7 and "sink ended with exit code 3 on flp001" in ended.err
    assert (await aliecs("env", "wait", one.id, "--state", "RUNING")).code == 2


async def test_watch_writes_a_line_per_change_until_interrupted(core: FakeCore, start_aliecs: Run) -> None:
    one = core.add(state="CONFIGURED")
    process = await start_aliecs("env", "watch")
    assert process.stdout is not None
    first = await asyncio.wait_for(process.stdout.readline(), 60)
    assert one.id.encode() in first and b"CFG" in first
    core.show(replace(one, state="RUNNING", run_number=5, bytes_per_s=2e6))
    second = await asyncio.wait_for(process.stdout.readline(), 60)
    assert b"RUN" in second and b"2.0 MB/s" in second
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize(
    "line",
    ["info", "services", "hosts", "task ls", "task show {task}", "templ ls", "templ vars readout-demo", "repo ls",
     "role query 2ab *", "role tree 2ab", "env show 2ab -t -w -s --vars", "about"],
)  # fmt: skip
async def test_all_reading_verbs_answer(core: FakeCore, aliecs: Run, line: str) -> None:
    core.add(state="CONFIGURED")
    words = line.format(task=next(iter(core.tasks))).split()
    ended = await aliecs(*words)
    assert ended.code == 0 and ended.out and "Traceback" not in ended.err
    parsed = await aliecs("-o", "json", *words)
    assert json.loads(parsed.out)


async def test_foreign_text_cannot_drive_the_terminal(core: FakeCore, aliecs: Run) -> None:
    core.add("evil\x1b[2J\nname", state="CONFIGURED")
    assert "\x1b" not in (await aliecs("env", "ls")).out


async def test_help_and_mistakes_need_no_core(core: FakeCore, aliecs: Run) -> None:
    await core.stop()
    helped = await aliecs("--help")
    assert helped.code == 0 and "env create" in helped.out and "demo" in helped.out
    assert (await aliecs("env", "create", "--help")).out.startswith("usage: aliecs env create")
    assert (await aliecs("--version")).out.startswith("aliecs ")
    assert (await aliecs()).code == 2
    assert (await aliecs("tui")).code == 2
    assert (await aliecs("env", "strat")).code == 2
    assert (await aliecs("env", "create")).code == 3


async def test_a_broken_settings_file_is_named_with_its_line_and_changes_nothing(
    core: FakeCore, aliecs: Run, tmp_path: Path
) -> None:
    file = tmp_path / "settings.toml"
    for text, line in (("output = 'json'\nwait_s = 'long'\n", 2), ("a = b\n", 1), ("wait_s = 1\n\nendpint = 'x'\n", 3)):
        file.write_text(text)
        ended = await aliecs("--config", str(file), "env", "ls")
        assert ended.code == 0 and f"{file}:{line}:" in ended.err and "using defaults" in ended.err
    file.write_text('output = "json"\n')
    assert (await aliecs("--config", str(file), "env", "ls")).out == "[]\n"
    ended = await aliecs("--config", str(tmp_path / "none.toml"), "env", "ls")
    assert "no such file" in ended.err


async def test_a_console_that_only_reads_refuses_every_change_however_it_is_confirmed(
    core: FakeCore, aliecs: Run
) -> None:
    one = core.add(state="CONFIGURED")
    assert (await aliecs("--read-only", "env", "ls", "-o", "id")).out == f"{one.id}\n"
    refused = await aliecs("--read-only", "--yes", "env", "start", one.id)
    assert (refused.code, refused.out) == (9, "") and "only reads" in refused.err
    by_script = await aliecs("--read-only", "--yes", "-c", f"env start {one.id}")
    assert by_script.code == 9 and "only reads" in by_script.err + by_script.out
    assert "ControlEnvironment" not in core.calls


async def test_a_core_that_tells_no_services_tells_the_rest(core: FakeCore, aliecs: Run) -> None:
    async with StockCore(core.endpoint) as stock:
        stock.missing.add("GetIntegratedServices")
        told = await aliecs("--endpoint", stock.endpoint, "info", "-o", "json")
    assert told.code == 0 and json.loads(told.out)["services"] == []
