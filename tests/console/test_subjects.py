"""Why a single task or a host cannot be acted on now, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.commands import find
from console.store import Store
from console.subjects import Subject, refusal
from server.api.model import Batch, Change, Drain, Environment, Host, Part, Task, Thing, TransitionProgress

ENV = Environment(id="2ab1CDEFgh", state="CONFIGURED")
RUN = replace(ENV, state="RUNNING", run_number=7)
BUSY = replace(ENV, transition=TransitionProgress(event="RESET"))
TASK = Task(
    task_id="t1",
    state="CONFIGURED",
    status="ACTIVE",
    environment_id=ENV.id,
    host="flp001",
    critical=True,
    mode="direct",
)


def store_of(*things: Thing) -> Store:
    store = Store()
    store.apply(Batch("e", 1, Part.BEGIN, tuple(Change(thing, 1) for thing in things), 1))
    store.apply(Batch("e", 1, Part.END, (), 1))
    return store


@pytest.mark.parametrize(
    ("words", "task", "environment", "event", "is_forced", "why"),
    [
        ("task transition", TASK, ENV, "reset", False, ""),
        ("task transition", TASK, ENV, "", False, ""),
        ("task transition", TASK, ENV, "START", False, ""),
        ("task transition", TASK, ENV, "STOP", False, "STOP leads from RUNNING or PAUSED, the task is CONFIGURED"),
        ("task transition", TASK, BUSY, "RESET", False, "RESET of 2ab1CDEFgh is in progress"),
        ("task transition", replace(TASK, mode="hook"), ENV, "RESET", False, "hook tasks know no transitions"),
        ("task transition", replace(TASK, mode="fairmq"), ENV, "RESET", False, ""),
        ("task kill", TASK, ENV, "", False, ""),
        ("task kill", TASK, RUN, "", False, "it is critical for 2ab1CDEFgh, which is in run 7"),
        ("task kill", TASK, RUN, "", True, ""),
        ("task kill", replace(TASK, critical=False), RUN, "", False, ""),
        ("task kill", replace(TASK, state="ERROR", status="INACTIVE"), ENV, "", True, "task t1 has ended"),
        ("task show", replace(TASK, state="ERROR", status="INACTIVE"), ENV, "", False, ""),
    ],
)
def test_what_the_core_would_refuse_of_a_task_is_told_before(
    words: str, task: Task, environment: Environment, event: str, is_forced: bool, why: str
) -> None:
    command = find(words.split())
    assert command
    found = refusal(command[0], store_of(environment, task), Subject(task_id="t1"), event=event, is_forced=is_forced)
    assert found == why


@pytest.mark.parametrize(
    ("words", "host", "is_forced", "why"),
    [
        ("host undrain", Host(name="flp001"), False, "flp001 is not drained"),
        ("host undrain", Host(name="flp001", drain=Drain()), False, ""),
        ("host drain", Host(name="flp001", drain=Drain()), False, ""),
        ("host restart", Host(name="flp001"), False, "environments have tasks there: 2ab1CDEFgh"),
        ("host restart", Host(name="flp001"), True, ""),
        ("host restart", Host(name="flp002"), False, ""),
    ],
)
def test_what_the_core_would_refuse_of_a_host_is_told_before(words: str, host: Host, is_forced: bool, why: str) -> None:
    command = find(words.split())
    assert command
    store = store_of(ENV, TASK, host)
    assert refusal(command[0], store, Subject(host=host.name), is_forced=is_forced) == why
    assert refusal(command[0], store, Subject(host="flp999"), is_forced=is_forced) == ""
