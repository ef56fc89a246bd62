"""What a person is asked before an act, and when the answer does not count."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from fake_core import FakeCore

from console.exit_codes import NOT_NOW, REFUSED
from console.parse import SESSION_ARGS
from console.repl.ask import Closed
from console.repl.shell import Shell
from console.results import Context, Result
from console.session import Session, Timings
from console.settings import Settings
from server.api.client import Client, Deadlines
from server.api.model import History, TransitionProgress, TransitionRecord

PATIENT = Timings(snapshot_s=60.0, settle_s=60.0, stale_s=60.0, silence_s=120.0)


class Answers:
    """A person who answers as a test says, and may do something first."""

    def __init__(self) -> None:
        self.given: list[str | None] = []
        self.before: Callable[[], object] = lambda: None
        self.asked: list[str] = []
        """Lines and questions."""

    async def ask(self, lines: tuple[str, ...], prompt: str, broken: Callable[[], str]) -> str | None:
        self.asked += [*lines, prompt]
        self.before()
        return self.given.pop(0)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def shell(core: FakeCore, answers: Answers) -> AsyncIterator[Shell]:
    """Return a shell on the core with a person who is armed."""

    def open_session(endpoint: str) -> Session:
        return Session(Client(endpoint, deadlines=Deadlines(connect_s=60.0), user="me@here"), timings=PATIENT)

    given = argparse.Namespace(**{arg.name.strip("-").replace("-", "_"): None for arg in SESSION_ARGS})
    one = Shell(open_session(core.endpoint), Settings(), given, open_session=open_session, asker=answers)
    one.session.follow()
    await one.session.picture()
    one.arming.arm()
    yield one
    core.hold.set()
    await one.close()


async def seen(shell: Shell, count: int = 1) -> None:
    """Return when the picture shows so many environments."""
    assert await shell.session.until(lambda: len(shell.session.store.environments()) == count, 60)


async def test_nothing_is_asked_of_an_observer_who_is_told_to_arm(
    core: FakeCore, shell: Shell, answers: Answers
) -> None:
    core.add(state="CONFIGURED")
    await seen(shell)
    shell.arming.disarm()
    assert await shell.run_line("start 2ab1") == REFUSED
    assert "START_ACTIVITY of 2ab1CDEFgh: observing: arm first" in shell.last_error and not answers.asked
    assert await shell.run_line("start 2ab1 --yes") == REFUSED
    assert await shell.run_line("env ls") == 0


async def test_level_one_asks_nothing_more_of_who_is_armed(core: FakeCore, shell: Shell, answers: Answers) -> None:
    one = core.add(state="CONFIGURED")
    await seen(shell)
    assert await shell.run_line("reset 2ab1") == 0
    assert core.environments[one.id].state == "DEPLOYED" and not answers.asked


@pytest.mark.parametrize(("answer", "code", "state"), [
    ("y", 0, "RUNNING"), ("YES", 0, "RUNNING"), ("", REFUSED, "CONFIGURED"), ("n", REFUSED, "CONFIGURED"),
    (None, REFUSED, "CONFIGURED"),
])  # fmt: skip
async def test_level_two_says_what_will_happen_and_takes_no_for_nothing(
    core: FakeCore, shell: Shell, answers: Answers, answer: str | None, code: int, state: str
) -> None:
    one = core.add(state="CONFIGURED", user="other@there", run_type="PHYSICS")
    await seen(shell)
    answers.given = [answer]
    assert await shell.run_line("start 2ab1") == code
    assert core.environments[one.id].state == state
    assert answers.asked == [
        "START_ACTIVITY of 2ab1CDEFgh",
        "2ab1CDEFgh ◑ CFG  readout-demo  PHYSICS  ITS  4 tasks on 2 hosts",
        "it belongs to other@there",
        "A new run begins: all 4 tasks on 2 hosts start to take data.",
        "START_ACTIVITY of 2ab1CDEFgh? [y/N] ",
    ]


async def test_a_creation_is_asked_about_with_all_that_was_wished_for(shell: Shell, answers: Answers) -> None:
    answers.given = [""]
    assert await shell.run_line("env create readout-demo --detectors ITS,TPC --hosts flp001 -e rate=5,n=2") == REFUSED
    assert answers.asked[1:4] == ["detectors: ITS,TPC", "hosts: flp001", "variables: rate=5, n=2"]


async def test_how_long_it_usually_takes_is_told(core: FakeCore, shell: Shell, answers: Answers) -> None:
    one = core.add(state="CONFIGURED")
    records = [
        TransitionRecord(event="START_ACTIVITY", started_ms=1000, ended_ms=1000 + took) for took in (2000, 9000, 4000)
    ]
    failed = TransitionRecord(event="START_ACTIVITY", started_ms=1000, ended_ms=90000, error="it broke")
    core.publish(History(environment_id=one.id, transitions=(*records, failed)))
    await seen(shell)
    assert await shell.session.until(lambda: shell.session.store.history(one.id) is not None, 60)
    answers.given = [""]
    await shell.run_line("start 2ab1")
    assert "It usually takes 4.0 s." in answers.asked


async def test_level_three_wants_a_part_of_the_name_and_asks_again(
    core: FakeCore, shell: Shell, answers: Answers
) -> None:
    one = core.add(state="RUNNING", run_number=571204)
    await seen(shell)
    answers.given = ["y", "2ab", "204"]
    assert await shell.run_line("stop 2ab1") == 0
    assert core.environments[one.id].state == "CONFIGURED"
    assert answers.asked.count("type 204 or more of 571204") == 2
    answers.given = [""]
    assert await shell.run_line("env destroy 2ab1 --yes") == REFUSED
    assert core.environments


async def test_level_four_wants_the_whole_name_and_a_reason(core: FakeCore, shell: Shell, answers: Answers) -> None:
    core.add(state="RUNNING", run_number=7)
    await seen(shell)
    assert await shell.run_line("env destroy 2ab1") == REFUSED
    assert "is taking data in run 7" in shell.last_error and not answers.asked
    answers.given = ["2ab1", "2ab1CDEFgh", "short", "the beam was dumped"]
    assert await shell.run_line("env destroy 2ab1 --force") == 0
    assert not core.environments
    assert "type 2ab1CDEFgh" in answers.asked and "give a reason of at least 10 characters" in answers.asked
    assert any(line.startswith("KILL: nothing is stopped or reset") for line in answers.asked)


async def test_a_confirmation_that_came_with_the_line_is_enough(core: FakeCore, shell: Shell, answers: Answers) -> None:
    core.add(state="CONFIGURED")
    await seen(shell)
    assert await shell.run_line("start 2ab1 --yes; stop 2ab1 --confirm 101") == 0
    assert await shell.run_line("env destroy 2ab1 --force --confirm 2ab1CDEFgh --reason 'end of the test'") == 0
    assert not answers.asked and not core.environments


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "ERROR"}, "went from CONFIGURED to ERROR"),
        ({"transition": TransitionProgress(event="RESET")}, "RESET of 2ab1CDEFgh began"),
        ({}, "2ab1CDEFgh is gone"),
    ],
)
async def test_an_answer_to_what_is_no_longer_so_does_not_count(
    core: FakeCore, shell: Shell, answers: Answers, change: dict[str, object], why: str
) -> None:
    one = core.add(state="CONFIGURED")
    await seen(shell)
    store = shell.session.store

    async def meanwhile(lines: tuple[str, ...], prompt: str, broken: Callable[[], str]) -> str:
        if change:
            core.show(replace(one, **change))  # type: ignore[arg-type]  # fields of Environment
        else:
            core.drop(one.id)
        assert await shell.session.until(lambda: bool(broken()), 60)
        return "y"

    answers.ask = meanwhile  # type: ignore[method-assign]
    assert await shell.run_line("start 2ab1") == NOT_NOW
    assert why in shell.last_error and "nothing done" in shell.last_error
    assert "ControlEnvironment" not in core.calls and store.is_complete


async def test_a_question_that_was_withdrawn_says_why(core: FakeCore, shell: Shell, answers: Answers) -> None:
    core.add(state="CONFIGURED")
    await seen(shell)

    def withdraw() -> None:
        raise Closed("2ab1CDEFgh is gone")

    answers.before = withdraw
    assert await shell.run_line("start 2ab1") == NOT_NOW
    assert shell.last_error.startswith("nothing done: 2ab1CDEFgh is gone")


async def test_an_arming_that_ends_while_the_question_stands_ends_the_question(
    core: FakeCore, shell: Shell, answers: Answers
) -> None:
    core.add(state="CONFIGURED")
    await seen(shell)
    answers.given, answers.before = ["y"], shell.arming.disarm
    assert await shell.run_line("start 2ab1") == NOT_NOW
    assert "observing" in shell.last_error and "ControlEnvironment" not in core.calls


async def test_what_is_not_possible_is_said_before_any_question(core: FakeCore, shell: Shell, answers: Answers) -> None:
    core.add(state="CONFIGURED")
    await seen(shell)
    assert await shell.run_line("stop 2ab1") == NOT_NOW
    assert "STOP_ACTIVITY needs RUNNING, the environment is CONFIGURED" in shell.last_error
    await core.stop()
    assert await shell.session.until(lambda: bool(shell.session.refusal()), 60)
    assert await shell.run_line("start 2ab1") != 0
    assert not answers.asked


async def test_repositories_and_tasks_are_named_as_they_are_called(
    core: FakeCore, shell: Shell, answers: Answers
) -> None:
    core.add(state="CONFIGURED")
    await seen(shell)
    answers.given = ["1", "github.com/c/d", "nobody uses it any more"]
    assert await shell.run_line("repo rm 1") == 0
    assert "type github.com/c/d" in answers.asked
    assert await shell.run_line("task clean") == NOT_NOW
    assert "every task belongs to an environment" in shell.last_error


async def test_an_environment_that_was_made_is_used_if_none_was_and_a_destroyed_one_no_more(
    core: FakeCore, shell: Shell, answers: Answers
) -> None:
    answers.given = ["y", "y", "2ab1"]
    assert await shell.run_line("env create readout-demo") == 0
    assert shell.in_use == "2ab1CDEFgh"
    assert await shell.run_line("env create readout-demo") == 0
    assert shell.in_use == "2ab1CDEFgh"
    assert await shell.run_line("env destroy") == 0
    assert shell.in_use == "" and list(core.environments) == ["2ab2CDEFgh"]


async def test_an_interruption_ends_the_waiting_and_names_what_goes_on(
    core: FakeCore, shell: Shell, answers: Answers, capfd: pytest.CaptureFixture[str]
) -> None:
    core.add(state="CONFIGURED")
    await seen(shell)
    core.hold.clear()
    line = asyncio.create_task(shell.run_line("start 2ab1 --yes -q"))
    await asyncio.wait_for(core.held.wait(), 60)
    shell.interrupt()
    assert await asyncio.wait_for(line, 60) == 130
    assert "no longer waiting; the core goes on with START_ACTIVITY of 2ab1CDEFgh" in capfd.readouterr().err


async def test_a_second_interruption_does_not_even_wait_for_the_first_to_be_noticed(
    core: FakeCore, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, released = asyncio.Event(), asyncio.Event()

    async def deaf(context: Context) -> Result:
        began.set()
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()
        return Result()

    monkeypatch.setattr("console.verbs.core.services", deaf)
    line = asyncio.create_task(shell.run_line("services"))
    await asyncio.wait_for(began.wait(), 60)
    shell.interrupt()
    done, _ = await asyncio.wait({line}, timeout=0.2)
    assert not done
    shell.interrupt()
    assert await asyncio.wait_for(line, 60) == 130
    released.set()


async def test_a_script_that_changes_something_needs_somebody_armed(
    core: FakeCore, shell: Shell, answers: Answers, tmp_path: object
) -> None:
    file = f"{tmp_path}/run.aliecs"
    with open(file, "w", encoding="utf-8") as stream:  # noqa: ASYNC230  # two lines
        stream.write("env ls\nenv create readout-demo --yes\n")
    shell.arming.disarm()
    assert await shell.run_line(f"source {file}") == REFUSED
    assert f"{file}:2: observing: arm first" in shell.last_error
    shell.arming.arm()
    assert await shell.run_line(f"source {file}") == 0
    assert core.environments and not answers.asked
