"""What the operator asks for is done, refused with a reason, or fails in words; nothing of it is written to the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_core import FakeCore
from screen import app_on, arm, screen_of, shows, told, types, until
from textual.pilot import Pilot

from console.session import Session, Timings
from console.settings import Settings
from console.tui.app import ConsoleApp
from console.tui.dialogs.base import Dialog, Question
from console.tui.dialogs.confirm import Answer, Confirm
from console.tui.dialogs.reading import Reading
from server.api.client import Client, Deadlines
from server.api.errors import CoreError, Reason
from server.api.model import TransitionProgress
from server.api.states import EnvironmentEvent

SIZE = (100, 30)
QUICK_LINK = Timings(retry_first_s=0.01, retry_last_s=0.05, heartbeat_s=0.1, stale_s=0.6, silence_s=30)


def app_of(pilot: Pilot[int]) -> ConsoleApp:
    assert isinstance(pilot.app, ConsoleApp)
    return pilot.app


async def closed(pilot: Pilot[int]) -> None:
    await until(pilot, lambda _: not isinstance(pilot.app.screen, Dialog))


# ---- observing and armed -------------------------------------------------------------------------


async def test_the_console_observes_until_it_is_armed_and_again_when_told(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG", "OBSERVE")
        await pilot.press("A")
        await shows(pilot, "Arm this console", "after 15 min without a key", f"fake · {core.endpoint}")
        await pilot.press("escape")
        await closed(pilot)
        assert "OBSERVE" in screen_of(pilot.app)[0]
        await arm(pilot)
        assert "ARMED 15m" in screen_of(pilot.app)[0]
        await pilot.press("A")
        await told(pilot, "observing: changes are not possible any more")
        await until(pilot, lambda lines: "OBSERVE" in lines[0])


async def test_arming_runs_out_without_a_key_and_every_key_starts_it_anew(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    now = [0.0]
    app.arming._clock = lambda: now[0]
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        now[0] = 800
        await pilot.press("j")
        now[0] = 1600
        await until(pilot, lambda lines: "ARMED 2m" in lines[0])
        now[0] = 1655
        await until(pilot, lambda lines: "ARMED 45s" in lines[0])
        now[0] = 1701
        await told(pilot, "observing: no key for a while")
        await until(pilot, lambda lines: "OBSERVE" in lines[0])


async def test_arm_and_disarm_are_verbs_too(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        app_of(pilot).operator.submit(["arm", "5m"])
        await until(pilot, lambda lines: "ARMED 5m" in lines[0])
        app_of(pilot).operator.submit(["disarm"])
        await until(pilot, lambda lines: "OBSERVE" in lines[0])
        app_of(pilot).operator.submit(["arm", "soon"])
        await shows(pilot, "'soon' is no duration", "2 usage")


# ---- refused -------------------------------------------------------------------------------------


async def test_an_illegal_move_says_why_and_sends_nothing(core: FakeCore) -> None:
    one = core.add(state="RUNNING")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "● RUN")
        await pilot.press("c")
        await told(pilot, "env configure: not possible now", "CONFIGURE needs DEPLOYED, the environment is RUNNING")
        core.show(replace(one, transition=TransitionProgress(event="STOP_ACTIVITY")))
        await until(pilot, lambda lines: "RUN»" in lines[3])
        await pilot.press("s")
        await told(pilot, "STOP_ACTIVITY is in progress")
        assert "ControlEnvironment" not in core.calls


async def test_without_an_environment_keys_say_so(core: FakeCore) -> None:
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "no environments")
        await pilot.press("s")
        await told(pilot, "no environment selected")


async def test_old_data_and_a_lost_link_refuse_every_change(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint, timings=QUICK_LINK).run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        core.is_mute = True
        await until(pilot, lambda lines: "STALE" in lines[0])
        await pilot.press("s")
        await told(pilot, "env start: not possible now: data is")
        core.is_mute = False
        await until(pilot, lambda lines: "STALE" not in lines[0])
        await core.stop()
        await until(pilot, lambda lines: "LINK LOST" in lines[0])
        await pilot.press("s")
        await told(pilot, "env start: not possible now: the link is lost")
        assert "ControlEnvironment" not in core.calls


async def test_a_console_that_only_reads_cannot_be_armed(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    client = Client(core.endpoint, deadlines=Deadlines(connect_s=5.0), read_only=True)
    app = ConsoleApp(Session(client), Settings())
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await pilot.press("A")
        await told(pilot, "cannot be armed: this console only reads")
        await pilot.press("s")
        await told(pilot, "env start: not possible now: this console only reads")


async def test_words_that_mean_nothing_are_told_with_the_nearest_verb(core: FakeCore) -> None:
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "no environments")
        app_of(pilot).operator.submit(["env", "strat"])
        await told(pilot, "not understood", "did you mean env start")
        app_of(pilot).operator.submit(["env", "ls", "--endpoint", "elsewhere:1"])
        await told(pilot, f"this screen is on {core.endpoint}")


async def test_an_environment_with_a_run_is_not_destroyed_without_saying_so(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    core.show(replace(one, state="RUNNING", run_number=7))
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "● RUN")
        app_of(pilot).operator.submit(["env", "destroy", one.id])
        await told(pilot, f"{one.id} is taking data in run 7: stop it first, or destroy it with -a")


# ---- done and failed -----------------------------------------------------------------------------


async def test_a_failed_transition_says_what_where_and_what_next(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    core.break_on["START_ACTIVITY"] = "flp002"
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        await pilot.press("s")
        await shows(pilot, "A new run begins")
        await pilot.press("tab", "enter")
        lines = await shows(
            pilot, f"START_ACTIVITY of {one.id}: failed", "the environment is in ERROR", "First", "sink", "flp002", "Next",
            "aliecs task show", "7 failed, in ERROR", f"env start {one.id}", f"fake · {core.endpoint}",
        )  # fmt: skip
        assert isinstance(app.screen, Question), lines
        await pilot.press("enter")
        await closed(pilot)


async def test_what_the_core_refuses_is_told_with_its_reason(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    core.fail["ControlEnvironment"] = CoreError(
        Reason.DETECTOR_IN_USE, "ITS is in use", hint="wait for 2xyz", environment="2xyz", host="flp009"
    )
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        await pilot.press("r")
        await shows(pilot, "RESET of")
        await pilot.press("enter")
        await shows(pilot, "ITS is in use", "Where", "flp009", "Next", "wait for 2xyz", "6 not in this state")


async def test_the_same_act_is_not_given_twice_and_others_go_on_beside_it(core: FakeCore) -> None:
    first = core.add("first", state="CONFIGURED")
    second = core.add("second", state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, first.id, second.id)
        await arm(pilot)
        core.hold.clear()
        app.operator.submit(["env", "reset", first.id], answer=Answer())
        await until(pilot, lambda lines: "CFG»DEP" in lines[3])
        app.operator.submit(["env", "reset", "@last"], answer=Answer())
        await until(pilot, lambda lines: "CFG»DEP" in lines[4])
        assert [order.environment_id for order in app.operator.acts] == [first.id, second.id]
        core.environments[first.id] = replace(core.environments[first.id], transition=None)
        core.show(core.environments[first.id])  # as if the core had not told yet that it began
        await until(pilot, lambda lines: "»" not in lines[3])
        app.operator.submit(["env", "reset", first.id], answer=Answer())
        await told(pilot, "not given twice", f"env reset {first.id} is under way")
        core.hold.set()
        await told(pilot, f"RESET of {first.id}: DEPLOYED")
        await told(pilot, f"RESET of {second.id}: DEPLOYED")
        assert core.calls.count("ControlEnvironment") == 2 and app.operator.acts == []


async def test_a_failure_waits_while_another_question_is_open(core: FakeCore) -> None:
    first = core.add("first", state="CONFIGURED")
    second = core.add("second", state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, first.id, second.id)
        await arm(pilot)
        core.hold.clear()
        core.break_on["RESET"] = "flp001"
        app.operator.submit(["env", "reset", first.id], answer=Answer())
        await until(pilot, lambda lines: "CFG»DEP" in lines[3])
        await pilot.press("j", "s")
        await shows(pilot, f"START_ACTIVITY of {second.id}")
        core.hold.set()
        await told(pilot, "failed: RESET of", first.id)
        assert isinstance(app.screen, Confirm) and app.screen.order.environment_id == second.id
        await pilot.press("escape")
        await shows(pilot, f"RESET of {first.id}: failed", "7 failed, in ERROR")


async def test_the_result_of_a_question_is_scrolled_filtered_and_copied(core: FakeCore) -> None:
    core.hosts = 30
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "Selected  2ab1")
        app.operator.submit(["task", "ls"])
        await shows(pilot, "─ task ls", "TASK ID", "flp001", f"fake · {core.endpoint}")
        assert isinstance(app.screen, Reading)
        await pilot.press("G")
        await shows(pilot, "flp030")
        await pilot.press("slash")
        await types(pilot, "flp017 sink")
        lines = await until(pilot, lambda lines: sum("sink" in line for line in lines) == 2)
        assert any("task10171" in line for line in lines)
        await pilot.press("enter", "y")
        await told(pilot, "copied: 2 lines")
        assert "task10171" in app.clipboard and "flp030" not in app.clipboard
        await pilot.press("escape")
        await shows(pilot, "flp001")
        await pilot.press("escape")
        await closed(pilot)


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["env", "show", "-t"], ("state:", "CONFIGURED", "TASK ID")),
        (["env", "show", "-o", "json"], ('"id": "2ab1CDEFgh"',)),
        (["role", "tree"], ("└─", "sink")),
        (["repo", "ls"], ("global default revision", "github.com/c/d")),
        (["services"], ("DCS", "READY")),
        (["env", "start", "--help"], ("usage: env start", "options of every verb")),
        (["env"], ("env start", "start a run")),
        (["whoami"], ("shifter@control", "no, observing")),
        (["explain", "9"], ("it was not confirmed",)),
    ],
)
async def test_what_a_question_returns_is_shown_to_read(
    core: FakeCore, words: list[str], texts: tuple[str, ...]
) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=(120, 60)) as pilot:
        await shows(pilot, "Selected  2ab1")
        app_of(pilot).operator.submit(words)
        await shows(pilot, *texts)
        assert isinstance(pilot.app.screen, Reading)


async def test_a_question_without_an_answer_says_so(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        app_of(pilot).operator.submit(["task", "ls", "--state", "ERROR"])
        await told(pilot, "task ls: no such tasks")
        app_of(pilot).operator.submit(["task", "show", "nosuch"])
        await shows(pilot, "task not found", "5 not found")


async def test_watching_opens_the_events(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        app.operator.submit(["env", "watch", one.id])
        await until(pilot, lambda _: app.shown_tab == "events" and app.environment_id == one.id)


async def test_waiting_ends_with_a_word(core: FakeCore) -> None:
    one = core.add(state="DEPLOYED")
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "Selected  2ab1")
        app_of(pilot).operator.submit(["env", "wait", "-s", "CONFIGURED"])
        await pilot.pause()
        await core.move(one.id, EnvironmentEvent.CONFIGURE, "somebody")
        await told(pilot, f"env wait: {one.id} is CONFIGURED")


async def test_a_repository_is_named_in_full_before_it_is_removed(core: FakeCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "no environments")
        await arm(pilot)
        app.operator.submit(["repo", "rm", "1"])
        await shows(pilot, "Removing repository github.com/c/d", "Type github.com/c/d in full", "can be used no more")
        await types(pilot, "github.com/c/d")
        await pilot.press("enter")
        await types(pilot, "it was a mistake")
        await pilot.press("enter")
        await told(pilot, "repo rm: removed: github.com/c/d")
        assert core.calls.count("RemoveRepo") == 1


async def test_a_fault_of_the_console_is_shown_and_does_not_end_it(
    core: FakeCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    core.add(state="CONFIGURED")

    async def broken(context: object) -> None:
        raise ZeroDivisionError("nobody thought of that")

    monkeypatch.setattr("console.verbs.environments.ls", broken)
    async with app_on(core.endpoint).run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        app_of(pilot).operator.submit(["env", "ls"])
        await shows(
            pilot, "ZeroDivisionError: nobody thought of that", "this is a fault of the console", "1 unclassified"
        )
        await pilot.press("escape")
        await closed(pilot)
        assert app_of(pilot).operator._under_way == {}


async def test_nothing_is_written_to_the_terminal(core: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        core.hold.clear()
        app.operator.submit(["env", "reset"], answer=Answer())
        await until(pilot, lambda lines: "CFG»DEP" in lines[3])
        await pilot.pause(0.7)  # when progress would begin to be written
        core.hold.set()
        await told(pilot, "RESET of")
        app.operator.submit(["repo", "ls"])
        await shows(pilot, "global default revision")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


# ---- copying and the end -------------------------------------------------------------------------


async def test_ids_are_copied_of_what_is_selected(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await pilot.press("Y")
        await told(pilot, "nothing to copy yet")
        await pilot.press("y")
        await told(pilot, f"copied: {one.id}")
        assert app.clipboard == one.id
        await pilot.press("3")
        await shows(pilot, "flp002")
        await pilot.press("y")
        await until(pilot, lambda _: app.clipboard.startswith("task1"))


async def test_leaving_while_something_is_under_way_asks_and_says_that_the_core_goes_on(core: FakeCore) -> None:
    one = core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        core.hold.clear()
        app.operator.submit(["env", "reset", one.id], answer=Answer())
        await until(pilot, lambda lines: "CFG»DEP" in lines[3])
        await pilot.press("ctrl+q")
        await shows(pilot, "Quit while this is under way", f"env reset {one.id}", "The core goes on")
        await pilot.press("enter")
        await closed(pilot)
        assert app.is_running
        await pilot.press("ctrl+q")
        await shows(pilot, "The core goes on")
        await pilot.press("tab", "enter")
        await until(pilot, lambda _: app.return_code is not None)
    core.hold.set()
    assert app.return_code == 0


async def test_leaving_while_armed_asks_once(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        await pilot.press("q")
        await shows(pilot, "This console is armed.")
        await pilot.press("enter")
        await until(pilot, lambda _: app.return_code is not None)
    assert app.return_code == 0
