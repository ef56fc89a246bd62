"""Why something is not possible now is said in words, and an answer holds only for what was asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.command import Command
from console.commands import COMMANDS, find
from console.legality import Pin, reason
from console.safety import Arming
from console.store import Store
from server.api.model import Batch, Change, Environment, Move, Part, Task, Thing, TransitionProgress

ENV = Environment(id="2ab1CDEFgh", state="CONFIGURED")
BUSY = replace(ENV, transition=TransitionProgress(event="START_ACTIVITY"))


class Place:
    """A link that is as a test wants it."""

    def __init__(self, *things: Thing, refusal: str = "") -> None:
        self.store = Store()
        self.store.apply(Batch("e", 1, Part.BEGIN, tuple(Change(thing, 1) for thing in things), 1))
        self.store.apply(Batch("e", 1, Part.END, (), 1))
        self._refusal = refusal

    def refusal(self) -> str:
        return self._refusal


def command(words: str) -> Command:
    found = find(words.split())
    assert found is not None
    return found[0]


def armed() -> Arming:
    arming = Arming(60)
    arming.arm()
    return arming


@pytest.mark.parametrize(
    ("words", "environment", "why"),
    [
        ("env start", ENV, ""),
        ("env stop", ENV, "STOP_ACTIVITY needs RUNNING, the environment is CONFIGURED"),
        ("env reset", BUSY, "START_ACTIVITY is in progress"),
        ("env destroy", ENV, ""),
        ("env destroy", BUSY, "START_ACTIVITY is in progress"),
        ("env show", BUSY, ""),
        ("env start", replace(ENV, moves=(Move("START_ACTIVITY", "the core said no"),)), "the core said no"),
        ("env stop", replace(ENV, moves=(Move("STOP_ACTIVITY"),)), ""),
        ("env start", replace(ENV, state="NOVEL"), "the environment is NOVEL"),
    ],
)
def test_moves_are_judged_by_the_core_or_else_by_the_table(words: str, environment: Environment, why: str) -> None:
    assert reason(command(words), Place(environment), environment.id, armed()) == why


def test_a_forced_destroy_interrupts_any_transition_but_a_destroy() -> None:
    destroy = command("env destroy")
    assert reason(destroy, Place(BUSY), ENV.id, armed(), is_forced=True) == ""
    going = replace(ENV, transition=TransitionProgress(event="DESTROY"))
    assert reason(destroy, Place(going), ENV.id, armed(), is_forced=True) == "DESTROY is in progress"


def test_any_event_that_is_asked_for_by_name_is_judged_too() -> None:
    control = command("env control")
    assert reason(control, Place(ENV), ENV.id, armed()) == ""
    assert reason(control, Place(ENV), ENV.id, armed(), event="start") == ""
    assert "needs RUNNING" in reason(control, Place(ENV), ENV.id, armed(), event="stop")


def test_without_an_environment_its_verbs_say_so() -> None:
    assert reason(command("env start"), Place(ENV), "", armed()) == "no environment selected"
    assert reason(command("env show"), Place(ENV), "", armed()) == "no environment selected"
    assert reason(command("env start"), Place(ENV), "2zzz", armed()) == "2zzz is gone"
    assert reason(command("env ls"), Place(), "", armed()) == ""


def test_old_data_blocks_what_changes_something_and_nothing_else() -> None:
    place = Place(ENV, refusal="the data is 7 s old")
    for one in COMMANDS:
        why = reason(one, place, ENV.id, armed())
        assert (why == "the data is 7 s old") == bool(one.rpc), one.name


def test_an_observer_is_told_to_arm_and_only_when_the_act_were_possible_otherwise() -> None:
    observing = Arming(60)
    assert reason(command("env start"), Place(ENV), ENV.id, observing) == "observing: arm first"
    assert "needs RUNNING" in reason(command("env stop"), Place(ENV), ENV.id, observing)
    assert reason(command("env show"), Place(ENV), ENV.id, observing) == ""
    assert reason(command("env start"), Place(ENV), ENV.id) == ""


def test_there_must_be_tasks_to_clean() -> None:
    clean = command("task clean")
    assert reason(clean, Place(Task(task_id="t1", locked=True))) == "every task belongs to an environment"
    assert reason(clean, Place(Task(task_id="t1", locked=True), Task(task_id="t2"))) == ""


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (ENV, ENV, ""),
        (ENV, replace(ENV, tasks_ok=7, bytes_per_s=1.0), ""),
        (ENV, None, "2ab1CDEFgh is gone"),
        (None, ENV, "2ab1CDEFgh came to be"),
        (ENV, replace(ENV, state="ERROR"), "2ab1CDEFgh went from CONFIGURED to ERROR"),
        (ENV, BUSY, "START_ACTIVITY of 2ab1CDEFgh began"),
        (BUSY, ENV, "START_ACTIVITY of 2ab1CDEFgh ended"),
        (replace(ENV, run_number=7), replace(ENV, run_number=8), "2ab1CDEFgh is in run 8, no longer 7"),
    ],
)
def test_a_pin_breaks_when_what_was_decided_on_changes(
    before: Environment | None, after: Environment | None, what: str
) -> None:
    assert Pin.of(ENV.id, before).broken_by(after) == what


def test_nothing_breaks_an_act_that_is_about_no_environment() -> None:
    assert Pin().broken_by(None) == ""
