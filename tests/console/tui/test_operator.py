"""What the operator asks for is done, refused with a reason, or fails in words; nothing of it is written to the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_core import FakeCore
from screen import QUICK, app_of, app_on, arm, closed, shows, silence, told, types, until

from console.tui.dialogs.base import Question
from console.tui.dialogs.confirm import Answer, Confirm
from server.api.errors import CoreError, Reason
from server.api.model import TransitionProgress

SIZE = (100, 30)


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
    async with app_on(core.endpoint, timings=replace(QUICK, heartbeat_s=0.1)).run_test(size=SIZE) as pilot:
        await shows(pilot, "CFG")
        await arm(pilot)
        async with silence(pilot, core):
            await until(pilot, lambda lines: "STALE" in lines[0])
            await pilot.press("s")
            await told(pilot, "env start: not possible now: data is")
        await core.stop()
        await until(pilot, lambda lines: "LINK LOST" in lines[0])
        await pilot.press("s")
        await told(pilot, "env start: not possible now: the link is lost")
        assert "ControlEnvironment" not in core.calls


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
        await until(pilot, lambda _: app.operator.acts == [])
        assert core.calls.count("ControlEnvironment") == 2


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
        await pilot.press("j")
        await until(pilot, lambda _: app.environment_id == second.id)
        await pilot.press("s")
        await shows(pilot, f"START_ACTIVITY of {second.id}")
        core.hold.set()
        await told(pilot, "failed: RESET of", first.id)
        assert isinstance(app.screen, Confirm) and app.screen.order.environment_id == second.id
        await pilot.press("escape")
        await shows(pilot, f"RESET of {first.id}: failed", "7 failed, in ERROR")


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
        await until(pilot, lambda _: app_of(pilot).operator._under_way == {})


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
