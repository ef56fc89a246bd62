"""The prompt on a terminal, as a person sees it: state, completion, questions, what happens meanwhile, a core that goes."""

from __future__ import annotations

import asyncio
import re
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake_core import FakeCore
from patience import PATIENT
from pseudo_terminal import PseudoTerminal

from server.api.model import EnvironmentEvent, TaskEvent

SIZE = (100, 24)


@pytest.fixture
async def terminal(core: FakeCore, tmp_path: Path) -> AsyncIterator[PseudoTerminal]:
    """Return a terminal in which the prompt waits for the first line."""
    core.add(state="CONFIGURED")
    async with prompt_of(core, tmp_path) as one:
        await one.shows("help lists the verbs")
        await waits(one, "fake ❯")  # with the picture: until then the prompt knows no instance
        yield one
        core.hold.set()


def prompt_of(core: FakeCore, folder: Path, *options: str, **environment: str) -> PseudoTerminal:
    places = {name: str(folder) for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME")}
    words = [sys.executable, "-P", "-m", "console", "--endpoint", core.endpoint, *options, "repl"]
    return PseudoTerminal(words, size=SIZE, environment=places | PATIENT | {"NO_COLOR": ""} | environment)


async def waits(terminal: PseudoTerminal, *texts: str) -> str:
    """Return the line of the prompt once an empty one stands there and holds the texts."""
    await terminal.until(lambda it: it.last.endswith("❯") and all(text in it.last for text in texts))
    return terminal.last


async def test_the_prompt_says_instance_state_run_arming_and_environment(
    core: FakeCore, terminal: PseudoTerminal
) -> None:
    assert terminal.last == "fake ❯"
    terminal.press("use 2ab1\r")
    assert await waits(terminal, "2ab1CDEFgh") == "fake ◑CFG 2ab1CDEFgh ❯"
    terminal.press("arm 5m\r")
    await waits(terminal, "fake ◑CFG [armed 5m] 2ab1CDEFgh ❯")
    core.show(replace(core.environments["2ab1CDEFgh"], state="RUNNING", run_number=571204))
    await waits(terminal, "fake ●RUN 571204 [armed 5m] 2ab1CDEFgh ❯")
    core.drop("2ab1CDEFgh")
    await waits(terminal, "2ab1CDEFgh (gone) ❯")
    terminal.press("disarm\r")
    await terminal.until(lambda it: bool(re.search(r"● \d+\.\d s .*observing", it.lines[-1])))
    await terminal.until(lambda it: core.endpoint in it.lines[-1] and it.last.endswith("❯"))
    terminal.press("\x04")
    assert await terminal.ended() == 0


async def test_every_kind_of_word_is_completed(core: FakeCore, terminal: PseudoTerminal) -> None:
    core.fault("2ab1CDEFgh", "flp001", "CONFIGURE")
    core.show(replace(core.environments["2ab1CDEFgh"], state="CONFIGURED"))
    await terminal.shows("ended with exit code 3")
    for typed, shown in COMPLETIONS.items():
        terminal.press(f"\x0c\x15{typed}\t")
        try:
            await terminal.shows(shown, within_s=20)
        except AssertionError:  # nothing is offered that takes more than 2 s to fetch; it is kept for the next time
            terminal.press(f"\x0c\x15{typed}\t")
            await terminal.shows(shown)


COMPLETIONS = {
    "env cr": "env create",
    "use 2a": "use 2ab1CDEFgh",
    "use @i": "use @its",
    "task show sink": "✖! ER!",
    "task ls --state E": "task ls --state ERROR",
    "env create --hosts flp001,": "attached",
    "env create --detectors ": "free",
    "env create rea": "env create readout-demo",
    "env create readout-demo@": "env create readout-demo@main",
    "env create readout-demo -e ": "env create readout-demo -e rate=",
    "env create readout-demo -e rate=": "default",
    "env control 2ab1 -e ": "STOP_ACTIVITY needs RUNNING, the environment is CONFIGURED",
    "role query 2ab1 readout-demo.host-flp002.s": "readout-demo.host-flp002.sink",
    "repo rm github.com/c": "repo rm github.com/c/d",
    "env ls | whe": "env ls | where",
    "env ls | where sta": "env ls | where state=",
    "set editing v": "set editing vi",
    "theme mo": "theme mono",
    "help env cre": "help env create",
    "env sta": "env start",
    "st": "start a run",
}


async def test_files_are_completed(core: FakeCore, terminal: PseudoTerminal, tmp_path: Path) -> None:
    (tmp_path / "my-script.aliecs").write_text("env ls\n")
    terminal.press(f"source {tmp_path}/my-s\t")
    await terminal.until(lambda it: "my-script.aliecs" in "".join(it.lines))
    terminal.press("\r")
    await terminal.shows("CONFIGURED", "CREATED")


async def test_an_act_is_asked_about_and_done(core: FakeCore, terminal: PseudoTerminal) -> None:
    terminal.press("use 2ab1; start\r")
    await terminal.shows("observing: arm first", "next:  arm")
    await waits(terminal)
    terminal.press("arm; start\r")
    await terminal.shows("A new run begins: all 4 tasks on 2 hosts start to take data.", "[y/N]")
    terminal.press("y\r")
    await waits(terminal, "●RUN 101 [armed 15m]")
    terminal.press("stop\r")
    await terminal.shows("type 101, or nothing to leave it:")
    terminal.press("100\r")
    await terminal.shows("type 101")
    terminal.press("101\r")
    await waits(terminal, "◑CFG [armed 15m]")


async def test_a_question_closes_by_itself_when_its_ground_is_gone(core: FakeCore, terminal: PseudoTerminal) -> None:
    terminal.press("arm; start 2ab1\r")
    await terminal.shows("[y/N]")
    core.show(replace(core.environments["2ab1CDEFgh"], state="ERROR"))
    await terminal.shows("nothing done: 2ab1CDEFgh went from CONFIGURED to ERROR")
    await waits(terminal)
    assert "ControlEnvironment" not in core.calls


async def test_a_question_is_left_by_the_keys_that_leave(core: FakeCore, terminal: PseudoTerminal) -> None:
    for key in ("\x03", "\x04", "\r"):
        terminal.press("arm; start 2ab1\r")
        await terminal.until(lambda it: "[y/N]" in it.last)
        terminal.press(key)
        await waits(terminal)
    assert "ControlEnvironment" not in core.calls


async def test_interrupting_a_transition_leaves_it_to_the_core(core: FakeCore, terminal: PseudoTerminal) -> None:
    core.hold.clear()
    terminal.press("arm; start 2ab1 --yes\r")
    await terminal.shows("START_ACTIVITY tasks_START_ACTIVITY 0/4 tasks")
    terminal.press("\x03")
    await terminal.shows("no longer waiting; the core goes on with START_ACTIVITY of 2ab1CDEFgh")
    await waits(terminal)
    await terminal.until(lambda it: "START_ACTIVITY tasks_START_ACTIVITY 0/4 tasks" in it.lines[-1])
    terminal.press("env ls -o id\r")
    await terminal.shows("2ab1CDEFgh")
    await waits(terminal)


async def test_interrupting_at_the_prompt_gives_up_the_line(core: FakeCore, terminal: PseudoTerminal) -> None:
    terminal.press("env destr")
    await terminal.until(lambda it: it.last.endswith("destr"))
    terminal.press("\x03")
    await waits(terminal)
    terminal.press("whoami | select user\r")
    await terminal.shows("user: ")


async def test_a_thousand_events_a_second_leave_the_typed_line_as_it_is(
    core: FakeCore, terminal: PseudoTerminal
) -> None:
    terminal.press("set notify all\r")
    await terminal.shows("which events are told unasked")
    await waits(terminal)
    terminal.press("env show 2ab1 | select")
    await terminal.until(lambda it: it.last.endswith("| select"))
    loop = asyncio.get_running_loop()
    began = loop.time()
    for burst in range(20):
        core.publish(*(TaskEvent(at_ms=1, name=f"sink-{burst}-{n}", task_id="t", state="RUNNING") for n in range(100)))
        await _until(began + (burst + 1) / 10)
    terminal.press(" state\x01\x05")
    await terminal.shows("sink-19-99")
    assert b"more; events shows the last ones" in terminal.raw
    await terminal.until(lambda it: it.last == "fake ❯ env show 2ab1 | select state")
    terminal.press("\r")
    await terminal.shows("state: CONFIGURED")


async def _until(moment: float) -> None:
    """Return at that time of the loop's clock."""
    loop = asyncio.get_running_loop()
    reached = loop.create_future()
    loop.call_at(moment, reached.set_result, None)
    await asyncio.wait_for(reached, 60)


async def test_only_trouble_is_told_unasked(core: FakeCore, terminal: PseudoTerminal) -> None:
    terminal.press("env sh")
    core.publish(EnvironmentEvent(at_ms=1, environment_id="2ab1CDEFgh", state="RUNNING", message="all is well"))
    core.fault("2ab1CDEFgh", "flp002", "CONFIGURE")
    await terminal.shows("critical task sink ended with exit code 3 on flp002", "fake ❯ env sh")
    assert not any("all is well" in line for line in terminal.lines)
    terminal.press("\x03")
    await waits(terminal)
    terminal.press("set notify none\r")
    await terminal.shows("which events are told unasked")
    terminal.press("use 2ab1\r")
    await waits(terminal, "ERR")
    trouble = EnvironmentEvent(at_ms=1, environment_id="2ab1CDEFgh", error="a new trouble")
    core.publish(replace(core.environments["2ab1CDEFgh"], state="CONFIGURED"), trouble)
    await waits(terminal, "CFG")
    terminal.press("events -n 1\r")
    await terminal.shows("a new trouble")
    assert sum("a new trouble" in line for line in terminal.lines) == 1


async def test_a_line_in_the_background_is_counted_and_reported(core: FakeCore, terminal: PseudoTerminal) -> None:
    core.hold.clear()
    terminal.press("arm; start 2ab1 --yes &\r")
    await terminal.shows("[1] start 2ab1 --yes", "1 job")
    terminal.press("jobs\r")
    await terminal.shows("LINE")
    await waits(terminal)
    terminal.press("env ")
    core.hold.set()
    await terminal.shows("[1] start 2ab1 --yes: done")
    await terminal.until(lambda it: it.last.endswith("❯ env") and "job" not in it.lines[-1])


async def test_the_core_may_go_and_come_back_under_the_prompt(core: FakeCore, terminal: PseudoTerminal) -> None:
    port = core.port
    terminal.press("use 2ab1; arm\r")
    await waits(terminal, "[armed 15m]")
    await core.stop()
    await terminal.shows("link lost", "link to 127.0.0.1")
    assert "2ab1CDEFgh" in await waits(terminal, "✖ link lost")
    terminal.press("reset\r")
    await terminal.shows("env reset: the link is lost")
    await core.start(port)
    line = await waits(terminal, "fake ◑CFG [armed 15m] 2ab1CDEFgh ❯")
    assert "lost" not in line
    terminal.press("reset\r")
    await waits(terminal, "◔DEP")


async def test_a_core_that_falls_silent_makes_the_data_stale_and_acts_refused(core: FakeCore, tmp_path: Path) -> None:
    core.add(state="CONFIGURED")
    async with prompt_of(core, tmp_path, ALIECS_CONSOLE_STALE_S="6") as terminal:
        await waits(terminal, "fake ❯")
        terminal.press("use 2ab1; arm\r")
        await waits(terminal, "[armed 15m]")
        await asyncio.wait_for(core.beaten.wait(), 60)
        core.is_mute = True
        await waits(terminal, "✖ stale")
        terminal.press("reset\r")
        await terminal.shows("env reset: data is")
        await terminal.until(lambda it: bool(re.search(r"data is ([7-9]\.\d|\d\d+) s old", it.lines[-1])))
        core.is_mute = False
        await waits(terminal, "fake ◑CFG [armed 15m]")
        terminal.press("reset\r")
        await waits(terminal, "◔DEP")
    assert core.calls.count("ControlEnvironment") == 1


async def test_connecting_goes_to_another_core_and_hears_that_one(core: FakeCore, terminal: PseudoTerminal) -> None:
    other = FakeCore()
    other.add("other-demo", state="RUNNING", run_number=9)
    await other.start()
    terminal.press(f"arm; connect {other.endpoint}\r")
    await waits(terminal, "fake ❯")
    # What happened before the picture of the other core is there is no news.
    await terminal.until(lambda it: bool(re.search(rf"● .* observing .*{other.endpoint}", it.lines[-1])))
    other.fault("2ab1CDEFgh", "flp001", "RUNNING")
    await terminal.shows("critical task sink ended with exit code 3")
    terminal.press("quit\r")
    assert await terminal.ended() == 0
    await other.stop()


async def test_interrupting_a_script_runs_its_cleanup(core: FakeCore, terminal: PseudoTerminal, tmp_path: Path) -> None:
    file = tmp_path / "long.aliecs"
    file.write_text("env show 2ab1\nsleep 60s\ncleanup:\n  env ls\n")
    terminal.press(f"source {file}\r")
    await terminal.shows("description:")
    terminal.press("\x03")
    await terminal.shows("stopping; the cleanup block runs", "DETECTORS")
    await waits(terminal)
    terminal.press("hosts | count\r")
    await terminal.until(lambda it: "2" in it.lines)


async def test_it_starts_without_a_core_and_sees_it_come(core: FakeCore, tmp_path: Path) -> None:
    port = core.port
    await core.stop()
    async with prompt_of(core, tmp_path, ALIECS_CONSOLE_CONNECT_S="5") as terminal:
        await terminal.shows("AliECS ✖ link lost ❯")
        terminal.press("env ls\r")
        await terminal.shows("no core at")
        await core.start(port)
        await waits(terminal, "fake ❯")
        terminal.press("quit\r")
        assert await terminal.ended() == 0


async def test_another_size_of_the_terminal_is_followed(core: FakeCore, terminal: PseudoTerminal) -> None:
    terminal.press("env show 2ab1")
    for columns in (60, 140):
        terminal.resize(columns, 30)
        bar = f"observing  {core.endpoint}"
        await terminal.until(lambda it, bar=bar: it.last == "fake ❯ env show 2ab1" and bar in it.lines[-1])


async def test_lines_are_remembered_for_their_writer_alone(
    core: FakeCore, terminal: PseudoTerminal, tmp_path: Path
) -> None:
    terminal.press("whoami\r")
    await terminal.shows("console version")
    await waits(terminal)
    terminal.press(" use none\r")
    await terminal.shows("in use: -")
    terminal.press("quit\r")
    assert await terminal.ended() == 0
    file = tmp_path / "aliecs" / "history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [line for line in file.read_text().splitlines() if line.startswith("+")] == ["+whoami", "+quit"]
    async with prompt_of(core, tmp_path) as again:
        await waits(again, "fake ❯")
        again.press("who")
        await again.shows("fake ❯ whoami")  # what may follow stands there, pale
        again.press("\x15\x12whoam")
        await again.shows("(reverse-i-search)`whoam': whoami")
        again.press("\r\r")
        await again.shows("console version")


async def test_a_history_that_cannot_be_kept_is_named_and_nothing_more(core: FakeCore, tmp_path: Path) -> None:
    (tmp_path / "aliecs").write_text("not a folder")
    async with prompt_of(core, tmp_path) as terminal:
        await terminal.until(lambda it: "File exists" in "".join(it.lines))  # the name of the file may fill a line
        terminal.press("quit\r")
        assert await terminal.ended() == 0


async def test_wrong_settings_are_named_and_it_starts_all_the_same(core: FakeCore, tmp_path: Path) -> None:
    wrong = {"ALIECS_CONSOLE_EDITING": "ed", "ALIECS_CONSOLE_NOTIFY": "loud", "ALIECS_CONSOLE_THEME": "none-such"}
    async with prompt_of(core, tmp_path, **wrong) as terminal:
        await terminal.shows("editing is 'ed', not one of emacs, vi", "notify is 'loud'", "theme none-such")
        await waits(terminal, "fake ❯")


async def test_editing_as_in_vi(core: FakeCore, terminal: PseudoTerminal) -> None:
    terminal.press("set editing vi\r")
    await terminal.shows("how lines are edited")
    await waits(terminal)
    terminal.press("xwhoami\x1b")
    await terminal.until(lambda it: it.last.endswith("xwhoami"))
    terminal.press("0x")
    await terminal.until(lambda it: it.last.endswith("❯ whoami"))


async def test_only_ascii_where_that_is_asked_for(core: FakeCore, tmp_path: Path) -> None:
    core.add(state="RUNNING", run_number=5)
    async with prompt_of(core, tmp_path, "--ascii", ALIECS_CONSOLE_NOTIFY="none") as terminal:
        await terminal.until(lambda it: it.last.startswith("fake >"))
        terminal.press("use 2ab1\r")
        await terminal.until(lambda it: it.last == "fake RRUN 5 2ab1CDEFgh >")
        terminal.press("env show \t")
        await terminal.shows("R RUN")
        terminal.press("\x15quit\r")
        assert await terminal.ended() == 0
        assert terminal.raw.decode().isascii()


async def test_without_colours_none_is_sent(core: FakeCore, tmp_path: Path) -> None:
    core.add(state="RUNNING", run_number=5)
    async with prompt_of(core, tmp_path, NO_COLOR="1") as terminal:
        await waits(terminal, "fake ❯")
        terminal.press("use 2ab1; env ls\r")
        await waits(terminal, "●RUN 5")
        terminal.press("quit\r")
        assert await terminal.ended() == 0
        assert b"\x1b[38" not in terminal.raw and b"\x1b[3" not in terminal.raw.replace(b"\x1b[39", b"")


async def test_foreign_text_cannot_drive_the_terminal(core: FakeCore, terminal: PseudoTerminal) -> None:
    core.add("evil\x1b[2Jname\x07", state="CONFIGURED")
    core.publish(EnvironmentEvent(at_ms=1, environment_id="2ab2CDEFgh", error="bad\x1b[2J\x1b[H news"))
    await terminal.shows("bad [2J [H news")
    terminal.press("env show \t")
    await terminal.shows("2ab2CDEFgh")
    assert b"\x1b[2Jname" not in terminal.raw and b"\x1b[H news" not in terminal.raw


async def test_ended_from_outside_it_leaves_the_terminal_in_order(core: FakeCore, terminal: PseudoTerminal) -> None:
    terminal.press("env sh")
    await terminal.until(lambda it: it.last.endswith("env sh"))
    terminal.terminate()
    assert await terminal.ended() == 143
