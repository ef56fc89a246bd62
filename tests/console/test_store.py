"""The store shows what the batches say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from console.store import Link, Store
from console.tui.widgets.task_order import TaskOrder, key_of
from server.api.model import (
    Batch,
    Change,
    Core,
    Environment,
    EnvironmentEvent,
    Fault,
    Host,
    Kind,
    Part,
    Removal,
    Role,
    Task,
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


def test_the_link_is_part_of_the_store() -> None:
    store = filled()
    version = store.version
    store.set_link(Link.LOST, "gone")
    assert (store.link, store.problem) == (Link.LOST, "gone") and store.version > version


_TASKS = st.builds(
    Task,
    task_id=st.sampled_from([f"t{n}" for n in range(12)]),
    state=st.sampled_from(["ERROR", "RUNNING", "STANDBY", "odd"]),
    host=st.sampled_from(["a", "b"]),
    critical=st.booleans(),
)


def ids(order: TaskOrder) -> list[str]:
    return [order[at] for at in range(len(order))]


@given(st.lists(_TASKS, max_size=20), st.lists(st.one_of(_TASKS, st.sampled_from(["t1", "t2", "t99"])), max_size=20))
def test_the_order_of_tasks_is_that_of_sorting_all_of_them(first: list[Task], then: list[Task | str]) -> None:
    known = {task.task_id: task for task in first}
    order = TaskOrder()
    order.reset(known.values())
    for one in then:
        if isinstance(one, str):
            known.pop(one, None)
            order.change((), [one])
        else:
            known[one.task_id] = one
            order.change([one], ())
        assert ids(order) == _sorted(known.values())
        assert all(order.index(task_id) == at for at, task_id in enumerate(ids(order)))
    assert order.index("no such task") is None


def _sorted(tasks: Iterable[Task]) -> list[str]:
    return [key[4] for key in sorted(map(key_of, tasks))]
