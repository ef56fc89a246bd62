"""The prompt's lines from a pipe or a file: only data on stdout, no question, and the exit code of what failed last."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_core import FakeCore
from patience import PATIENT

from server.api.model import EnvironmentEvent

Run = Callable[..., Any]
Start = Callable[..., Any]


async def test_lines_from_a_pipe_give_data_and_nothing_else(core: FakeCore, aliecs: Run) -> None:
    one = core.add(state="CONFIGURED")
    ended = await aliecs("repl", stdin="# what there is\n\nenv ls | select id state\nhosts -o id; services | count\n")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.split() == ["ID", "STATE", one.id, "CONFIGURED", "flp001", "flp002", "2"]


async def test_the_last_failure_gives_the_exit_code_and_ends_nothing_but_its_line(core: FakeCore, aliecs: Run) -> None:
    ended = await aliecs("repl", stdin="env show 2zz; hosts\nenv strat\ncount\nservices | count\n")
    assert ended.code == 2 and ended.out == "2\n"
    assert "did you mean env start?" in ended.err and "there is no verb 'count'" in ended.err
    assert (await aliecs("repl", stdin="nonsense\nenv show 2zz\nhosts -o id\n")).code == 5
    stopped = await aliecs("--on-error", "stop", "repl", stdin="env show 2zz\nhosts -o id\n")
    assert (stopped.code, stopped.out) == (5, "")


async def test_output_is_chosen_for_all_lines_or_for_one(core: FakeCore, aliecs: Run) -> None:
    one = core.add(state="RUNNING", run_number=7)
    ended = await aliecs(
        "repl", "-o", "json", stdin="env ls | select run\nenv ls -o id\nset output table\nhosts | first 0\n"
    )
    assert ended.code == 0
    head, rest = ended.out.split("]\n", 1)
    assert json.loads(head + "]") == [{"run": 7}]
    assert rest.startswith(f"{one.id}\n")


async def test_an_environment_in_use_need_not_be_named(core: FakeCore, aliecs: Run) -> None:
    core.add(state="CONFIGURED")
    two = core.add(state="CONFIGURED")
    lines = f"use {two.id}\nstart --yes\nenv show | select id state run\ntask ls | count\ntask ls --env all | count\n"
    ended = await aliecs("repl", stdin=lines + "role query sink*\nuse none\nenv show\n")
    assert core.environments[two.id].state == "RUNNING"
    assert f"id:    {two.id}\nstate: RUNNING\nrun:   101\n4\n8\n" in ended.out
    assert [request.pathSpec for request in core.requests if hasattr(request, "pathSpec")] == ["sink*"]
    assert ended.code == 2 and "the following arguments are required: env" in ended.err


async def test_acts_bring_their_confirmation_as_in_scripts(core: FakeCore, aliecs: Run) -> None:
    core.add(state="CONFIGURED")
    core.add(state="RUNNING", run_number=571204)
    ended = await aliecs("repl", stdin="start 2ab1\nstop 2ab2 --yes\nenv destroy 2ab1 --force --yes\n")
    assert ended.code == 9 and "ControlEnvironment" not in core.calls and "DestroyEnvironment" not in core.calls
    assert "add --yes" in ended.err and "add --confirm 571204" in ended.err and "--reason" in ended.err
    assert (await aliecs("repl", stdin="start 2ab1 --yes\nstop 2ab2 --confirm 204\n")).code == 0
    assert (await aliecs("--yes", "repl", stdin="stop 2ab1 --confirm @run\nenv destroy 2ab1\n")).code == 0


async def test_environments_that_the_lines_made_need_no_name(core: FakeCore, aliecs: Run) -> None:
    lines = "id = env create readout-demo --yes\nstart --yes\nstop $id --yes\nenv destroy --yes\nenv ls | count\n"
    ended = await aliecs("repl", stdin=lines)
    assert ended.code == 0, ended.err
    assert ended.out.endswith("0\n") and not core.environments


async def test_a_variable_without_value_is_named(core: FakeCore, aliecs: Run) -> None:
    ended = await aliecs("repl", stdin="env show $id\n")
    assert ended.code == 2 and "$id has no value" in ended.err


async def test_rows_go_to_a_file_which_is_not_replaced_unasked(core: FakeCore, aliecs: Run, tmp_path: Path) -> None:
    core.add(state="CONFIGURED")
    file = tmp_path / "environments.json"
    line = f"env ls -o json | select id | save {file}\n"
    assert (await aliecs("repl", stdin=line)).out == ""
    assert json.loads(file.read_text()) == [{"id": "2ab1CDEFgh"}]
    again = await aliecs("repl", stdin=line)
    assert again.code == 2 and f"save -f {file} replaces it" in again.err
    assert (await aliecs("repl", stdin=line.replace("save", "save -f"))).code == 0
    assert (await aliecs("repl", stdin=f"env ls | save {tmp_path}/none/x\n")).code == 5


async def test_a_line_in_the_background_is_waited_for_at_the_end(core: FakeCore, start_aliecs: Start) -> None:
    core.add(state="CONFIGURED")
    core.hold.clear()
    process = await start_aliecs("repl")
    process.stdin.write(b"start 2ab1 --yes &\njobs -o id\nenv ls -o json | select transition\n")
    await asyncio.wait_for(core.held.wait(), 60)
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"1\n"
    process.stdin.write_eof()
    core.hold.set()
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    assert b"START_ACTIVITY" in out and b"state:    RUNNING" in out
    assert b"[1] start 2ab1 --yes: done" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_ends_the_waiting_and_the_core_goes_on(
    core: FakeCore, start_aliecs: Start, number: signal.Signals, code: int
) -> None:
    one = core.add(state="CONFIGURED")
    core.hold.clear()
    process = await start_aliecs("repl")
    process.stdin.write(b"start 2ab1 --yes -q\nenv ls\n")
    await asyncio.wait_for(core.held.wait(), 60)
    process.send_signal(number)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, out) == (code, b"")
    assert b"no longer waiting; the core goes on with env start" in err
    assert core.environments[one.id].transition is not None
    core.hold.set()


async def test_a_signal_while_nothing_runs_ends_it_too(core: FakeCore, start_aliecs: Start) -> None:
    process = await start_aliecs("repl")
    process.stdin.write(b"hosts -o id\n")
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"flp001\n"
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 143


async def test_without_a_core_it_ends_at_once(core: FakeCore, aliecs: Run) -> None:
    await core.stop()
    ended = await aliecs("repl", stdin="env ls\n")
    assert ended.code == 3 and "no core at" in ended.err


async def test_a_script_runs_with_its_own_grammar_and_confirmations(
    core: FakeCore, aliecs: Run, tmp_path: Path
) -> None:
    file = tmp_path / "run.aliecs"
    file.write_text(
        "id = env create $template -o id --yes\nexpect env.state == CONFIGURED\ncleanup:\n  env destroy $id --yes\n"
    )
    ended = await aliecs("repl", stdin=f"source {file} --var template=readout-demo\nenv ls | count\n")
    assert ended.code == 0, ended.err
    assert not core.environments and ended.out.endswith("0\n")
    wrong = await aliecs("repl", stdin=f"source {file}\nsource {tmp_path}/none\nexpect env.state == RUNNING\n")
    assert wrong.code == 2
    for text in ("$template is never set", "No such file", "expect is for scripts"):
        assert text in wrong.err


async def test_connect_goes_to_another_core_and_stays_where_none_answers(core: FakeCore, aliecs: Run) -> None:
    other = FakeCore()
    other.add(state="RUNNING", run_number=5)
    await other.start()
    ended = await aliecs(
        "repl", stdin=f"connect 127.0.0.1:1\nenv ls | count\nconnect {other.endpoint}\nenv ls | count\n"
    )
    await other.stop()
    assert ended.code == 3 and ended.out.split() == ["0", "core:", other.endpoint, "1"]
    refused = await aliecs("repl", stdin=f"env ls --endpoint {other.endpoint}\n")
    assert refused.code == 2 and f"connect {other.endpoint} goes to another" in refused.err


async def test_who_where_and_how_is_shown(core: FakeCore, aliecs: Run) -> None:
    ended = await aliecs("repl", stdin="whoami\narm 5m\nwhoami -o json\ndisarm\nset\nset notify all\nhistory | count\n")
    assert ended.code == 0, ended.err
    for text in (f"core:            {core.endpoint}", "armed:           no, observing", "error", "7\n"):
        assert text in ended.out
    assert re.search(r'"armed": "for 0(5:00|4:[345]\d)"', ended.out)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("set colour red", "no setting 'colour'"),
        ("set output xml", "one of table, json"),
        ("arm soon", "'soon' is no duration"),
        ("arm 0", "that is no time"),
        ("history many", "not a number"),
        ("use 2zz", "no environment 2zz"),
        ("env ls | gerp x", "did you mean grep?"),
        ("env ls | where stat=x", "there are id, template, state"),
        ("env watch | count", "only grep works"),
        ("env show 'x", "' is not closed"),
        ("x = start &", "leave out the &"),
        ("retry 3 env ls", "retry is for scripts"),
        ("tui", "tui is not for the prompt"),
        ("help strat", "there is no verb 'strat'"),
        ("theme no/such", "theme"),
    ],
)
async def test_a_mistake_is_named_with_what_to_do(core: FakeCore, aliecs: Run, line: str, message: str) -> None:
    ended = await aliecs("repl", stdin=f"{line}\n")
    assert ended.code in (2, 5) and message in ended.err, ended.err


async def test_help_is_there_for_all_verbs_a_noun_a_verb_and_a_stage(core: FakeCore, aliecs: Run) -> None:
    ended = await aliecs("repl", stdin="help\nhelp env\nhelp start\nhelp where\nenv stop --help\nenv\n")
    assert ended.code == 0, ended.err
    for text in ("  whoami", "usage: env VERB", "usage: env start", "| rows with a value", "usage: env stop"):
        assert text in ended.out
    assert "  tui" not in ended.out


async def test_events_are_shown_and_followed(core: FakeCore, start_aliecs: Start, aliecs: Run) -> None:
    one = core.add(state="CONFIGURED")
    process = await start_aliecs("repl")
    process.stdin.write(b"use 2ab1\ntail | grep RUNNING\n")
    while not (await asyncio.wait_for(process.stdout.readline(), 60)).startswith(b"detectors"):
        pass
    await asyncio.wait_for(core.watching.wait(), 60)
    for state, run in (("RUNNING", 7), ("CONFIGURED", 0)):
        core.publish(EnvironmentEvent(at_ms=1, environment_id=one.id, state=state, run_number=run))
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    assert b"RUNNING" in line and b"run 7" in line
    process.send_signal(signal.SIGINT)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, out) == (130, b"")
    shown = await aliecs("repl", stdin="events -n 5 -o json | select kind\n")
    assert shown.code == 0


def test_a_file_and_an_empty_one_can_be_the_input(tmp_path: Path) -> None:
    words = [sys.executable, "-P", "-m", "console", "--endpoint", "127.0.0.1:1", "repl"]
    file = tmp_path / "lines"
    file.write_text("hosts\n")
    for name in (str(file), "/dev/null"):
        with open(name, encoding="utf-8") as stream:
            done = subprocess.run(words, stdin=stream, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 3 and "no core at" in done.stderr


async def test_a_file_on_disk_is_read_to_its_end_and_stays_as_it_is(core: FakeCore, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("hosts -o id\r\nservices | count")
    with file.open() as stream:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "console", "--endpoint", core.endpoint, "repl", stdin=stream,
            stdout=asyncio.subprocess.PIPE, env=os.environ | PATIENT,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, out) == (0, b"flp001\nflp002\n2\n")


async def test_a_failed_transition_is_explained(core: FakeCore, aliecs: Run) -> None:
    one = core.add(state="CONFIGURED")
    core.break_on["START_ACTIVITY"] = "flp002"
    task = next(task for task in core.tasks.values() if (task.host, task.name) == ("flp002", "sink"))
    ended = await aliecs("repl", stdin=f"use {one.id}\nstart --yes\nexplain\nexplain {task.task_id}\n")
    assert ended.code == 7
    assert "state:       ✖ ERROR" in ended.out and "fault:" in ended.out and "possible:    env destroy" in ended.out
    assert "it is critical: its environment goes to ERROR" in ended.out
