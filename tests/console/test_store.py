"""The store shows what the batches say."""

from __future__ import annotations

from dataclasses import replace

from console.store import Link, Store
from server.api.model import (
    Batch,
    Change,
    Core,
    Environment,
    EnvironmentEvent,
    Fault,
    History,
    Host,
    Kind,
    Part,
    Removal,
    Role,
    Task,
    TransitionRecord,
    Variables,
)

ENVIRONMENT = Environment(id="2abc", state="CONFIGURED", created_ms=5)
TASK = Task(task_id="t1", environment_id="2abc", state="CONFIGURED", host="flp001")


def batch(seq: int, *values: object, part: Part = Part.NONE, epoch: str = "e", revision: int | None = None) -> Batch:
    changes = tuple(Change(value, seq if revision is None else revision) for value in values)  # type: ignore[arg-type]
    return Batch(epoch, seq, part, changes, seq * 1000)


def filled() -> Store:
    store = Store()
    fault = Fault(environment_id="2abc", what="sink died")
    role = Role(environment_id="2abc", path="a.b", order=1)
    store.apply(batch(1, Core(instance="x"), ENVIRONMENT, TASK, fault, role, Host(name="flp001"), part=Part.BEGIN))
    store.apply(batch(1, part=Part.END))
    return store


def test_a_snapshot_is_shown_when_it_is_complete_and_not_before() -> None:
    store = Store()
    assert store.apply(batch(1, ENVIRONMENT, part=Part.BEGIN)) == set()
    assert store.apply(batch(1, TASK, part=Part.MORE)) == set()
    assert not store.is_complete and not store.environments()
    assert store.apply(batch(1, part=Part.END)) == {(Kind.ENVIRONMENT, "2abc"), (Kind.TASK, "t1")}
    assert store.is_complete and store.environments() == [ENVIRONMENT] and store.tasks("2abc") == [TASK]


def test_a_second_snapshot_replaces_the_first_and_names_what_went() -> None:
    store = filled()
    store.apply(batch(9, part=Part.BEGIN, epoch="f"))
    assert store.environment("2abc") == ENVIRONMENT
    assert (Kind.ENVIRONMENT, "2abc") in store.apply(batch(9, part=Part.END, epoch="f"))
    assert not store.environments() and not store.tasks() and store.epoch == "f"


def test_a_snapshot_cut_short_is_asked_for_again() -> None:
    store = filled()
    assert store.resume_point == ("e", 1)
    store.apply(batch(5, part=Part.BEGIN, epoch="f"))
    assert store.resume_point == ("", 0)


def test_a_change_that_is_not_newer_is_passed_over() -> None:
    store = filled()
    newer = replace(ENVIRONMENT, state="RUNNING")
    assert store.apply(batch(4, newer)) == {(Kind.ENVIRONMENT, "2abc")}
    assert store.apply(batch(5, ENVIRONMENT, revision=4)) == set()
    assert store.environment("2abc") == newer


def test_with_an_environment_go_its_roles_and_its_fault_but_how_it_ended_is_remembered() -> None:
    store = filled()
    store.apply(batch(2, Removal(Kind.ENVIRONMENT, "2abc")))
    assert store.environment("2abc") is None and store.roles("2abc") == []
    assert store.last_seen("2abc") == ENVIRONMENT
    fault = store.fault("2abc")
    assert fault is not None and fault.what == "sink died"


def test_a_thing_that_was_removed_may_come_again() -> None:
    store = filled()
    store.apply(batch(2, Removal(Kind.TASK, "t1"), Removal(Kind.HOST, "flp001")))
    assert store.tasks("2abc") == [] and not store.hosts
    store.apply(batch(3, TASK))
    assert store.tasks("2abc") == [TASK]


def test_a_task_that_changes_its_environment_is_in_one_only() -> None:
    store = filled()
    store.apply(batch(2, replace(TASK, environment_id="")))
    assert store.tasks("2abc") == [] and [task.task_id for task in store.tasks("")] == ["t1"]


def test_events_are_logged_and_change_nothing_that_is_shown() -> None:
    store = filled()
    assert store.apply(batch(2, EnvironmentEvent(at_ms=1, environment_id="2abc", state="ERROR"))) == set()
    assert [event.at_ms for event in store.events] == [1]
    assert store.environment("2abc") == ENVIRONMENT


def test_a_snapshot_brings_the_last_events_and_a_second_one_repeats_none() -> None:
    events = [EnvironmentEvent(at_ms=number, environment_id="2abc") for number in range(5)]
    store = Store()
    store.apply(batch(1, events[0], part=Part.BEGIN, revision=7))
    store.apply(batch(1, events[1], part=Part.END, revision=8))
    store.apply(batch(2, events[2], revision=9))
    store.apply(batch(3, events[1], part=Part.BEGIN, revision=8))
    store.apply(batch(3, events[2], part=Part.MORE, revision=9))
    store.apply(batch(3, events[3], part=Part.END, revision=10))
    assert [event.at_ms for event in store.events] == [0, 1, 2, 3] and store.events_total == 4
    store.apply(batch(1, events[4], part=Part.BEGIN, epoch="f", revision=1))
    assert [event.at_ms for event in store.events] == [0, 1, 2, 3, 4]


def test_events_of_a_source_that_does_not_number_them_are_all_logged() -> None:
    store = filled()
    for _ in range(2):
        store.apply(batch(2, EnvironmentEvent(at_ms=1, environment_id="2abc"), revision=0))
    assert len(store.events) == 2


def test_variables_and_history_are_those_of_an_environment_and_go_with_it() -> None:
    store = filled()
    variables = Variables(environment_id="2abc", vars={"rate": "5"})
    history = History(environment_id="2abc", transitions=(TransitionRecord(event="CONFIGURE"),))
    assert store.apply(batch(2, variables, history)) == {(Kind.VARIABLES, "2abc"), (Kind.HISTORY, "2abc")}
    assert (store.variables("2abc"), store.history("2abc")) == (variables, history)
    store.apply(batch(3, Removal(Kind.ENVIRONMENT, "2abc")))
    assert (store.variables("2abc"), store.history("2abc")) == (None, None)


def test_environments_that_ended_are_remembered_newest_first_until_they_are_there_again() -> None:
    store = filled()
    second = Environment(id="2abd", created_ms=6)
    store.apply(batch(2, second))
    store.apply(batch(3, Removal(Kind.ENVIRONMENT, "2abc")))
    store.apply(batch(4, part=Part.BEGIN, epoch="f"))
    store.apply(batch(4, part=Part.END, epoch="f"))
    fault = store.fault("2abc")
    assert store.ended() == [(second, None), (ENVIRONMENT, fault)] and fault is not None
    store.apply(batch(5, ENVIRONMENT, epoch="f"))
    assert store.ended() == [(second, None)]


def test_only_the_last_fifty_that_ended_are_remembered() -> None:
    store = Store()
    for number in range(60):
        one = Environment(id=f"2ab{number}")
        store.apply(batch(2 * number, one))
        store.apply(batch(2 * number + 1, Removal(Kind.ENVIRONMENT, one.id)))
    assert [one.id for one, _ in store.ended()] == [f"2ab{number}" for number in range(59, 9, -1)]


def at(ms: int, rate: float, seq: int, part: Part = Part.NONE) -> Batch:
    return Batch("e", seq, part, (Change(replace(ENVIRONMENT, bytes_per_s=rate), seq),), ms)


def test_rates_are_one_point_a_second_from_when_data_first_flows() -> None:
    store = Store()
    for seq, (ms, value) in enumerate([(1000, 0.0), (2000, 5.0), (2500, 6.0), (2900, 7.0), (4100, 0.0)], start=1):
        store.apply(at(ms, value, seq))
    assert store.rates("2abc") == ((2.9, 7.0), (4.1, 0.0))
    assert store.rates("other") == ()


def test_rates_survive_a_snapshot_and_go_with_their_environment() -> None:
    store = Store()
    store.apply(at(1000, 5.0, 1))
    store.apply(at(2000, 6.0, 2, Part.BEGIN))
    assert store.rates("2abc") == ((1.0, 5.0),)
    store.apply(batch(2, part=Part.END))
    assert store.rates("2abc") == ((1.0, 5.0), (2.0, 6.0))
    store.apply(batch(3, Removal(Kind.ENVIRONMENT, "2abc")))
    assert store.rates("2abc") == ()


def test_rates_are_kept_for_ten_minutes() -> None:
    store = Store()
    for second in range(1, 701):
        store.apply(at(1000 * second, 5.0, second))
    points = store.rates("2abc")
    assert (len(points), points[0][0], points[-1][0]) == (600, 101.0, 700.0)


def test_rates_stay_in_order_when_the_clock_is_set_back() -> None:
    store = Store()
    for seq, ms in enumerate((1000, 2000, 9000, 2500, 3000), start=1):
        store.apply(at(ms, float(seq), seq))
    assert store.rates("2abc") == ((1.0, 1.0), (2.5, 4.0), (3.0, 5.0))


def test_the_link_is_part_of_the_store() -> None:
    store = filled()
    version = store.version
    store.set_link(Link.LOST, "gone")
    assert (store.link, store.problem) == (Link.LOST, "gone") and store.version > version
