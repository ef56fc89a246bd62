"""The tree of roles in the store: who is below whom, and how many tasks in which state."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from console.role_tree import RoleTree
from console.store import Store
from server.api.model import Batch, Change, Kind, Part, Removal, Role, Task


def role(order: int, parent: int | None, kind: str = "aggregator", state: str = "STANDBY", **more: str) -> Role:
    return Role(
        environment_id="2abc", path="a.same.path", kind=kind, state=state, order=order, parent_order=parent, **more
    )


ROLES = [
    role(0, None),
    role(1, 0),
    role(2, 1, "task", "RUNNING", task_id="t2"),
    role(3, 1, "call", "INVARIANT"),
    role(4, 0),
    role(5, 4, "task", "ERROR", task_id="t5"),
    role(6, 4, "task", "RUNNING", task_id="t6"),
]


def filled(roles: list[Role]) -> RoleTree:
    tree = RoleTree()
    for one in roles:
        tree.put(one)
    return tree


def test_children_are_those_right_below_in_order_whatever_their_paths() -> None:
    tree = filled(ROLES)
    assert [one.order for one in tree.children(None)] == [0]
    assert [one.order for one in tree.children(0)] == [1, 4]
    assert [one.order for one in tree.children(4)] == [5, 6]
    assert tree.children(6) == tree.children(99) == []
    assert tree.get(3) == ROLES[3] and tree.get(99) is None


def test_tasks_are_counted_by_state_at_every_level_and_calls_are_not() -> None:
    tree = filled(ROLES)
    assert tree.counts(0).states == tree.counts(None).states == {"RUNNING": 2, "ERROR": 1}
    assert (tree.counts(0).total, tree.counts(0).error, tree.counts(1).error) == (3, 1, 0)
    assert tree.counts(1).states == tree.counts(2).states == {"RUNNING": 1}
    assert tree.counts(3).states == tree.counts(99).states == {}


def test_the_tasks_below_a_role_come_in_pre_order() -> None:
    tree = filled(ROLES)
    assert [one.order for one in tree.tasks(None)] == [2, 5, 6]
    assert [one.order for one in tree.tasks(4)] == [5, 6] and tree.tasks(3) == []


def test_a_role_whose_parent_is_no_earlier_role_stands_on_top() -> None:
    tree = filled([role(3, 3, "task"), role(4, 9, "task")])
    assert [one.order for one in tree.children(None)] == [3, 4]


_ROLE = st.builds(
    role,
    st.integers(0, 9),
    st.none() | st.integers(0, 9),
    st.sampled_from(["aggregator", "task", "task", "call"]),
    st.sampled_from(["ERROR", "RUNNING", "STANDBY"]),
)


@given(st.lists(_ROLE | st.integers(0, 9), max_size=60))
def test_counts_and_children_are_those_of_looking_at_all_roles_anew(changes: list[Role | int]) -> None:
    tree, known = RoleTree(), dict[int, Role]()
    for change in changes:
        if isinstance(change, int):
            tree.remove(change)
            known.pop(change, None)
        else:
            tree.put(change)
            known[change.order] = change
        assert tree.roles() == [known[order] for order in sorted(known)]
        for order in (None, *range(10)):
            assert [one.order for one in tree.children(order)] == _children(known, order)
            assert dict(tree.counts(order).states) == _counts(known, order)


def _parent(one: Role) -> int | None:
    return one.parent_order if one.parent_order is not None and one.parent_order < one.order else None


def _children(known: dict[int, Role], order: int | None) -> list[int]:
    return sorted(one.order for one in known.values() if _parent(one) == order)


def _counts(known: dict[int, Role], order: int | None) -> Counter[str]:
    own = known.get(order) if order is not None else None
    counted = Counter([own.state] if own is not None and own.kind == "task" else [])
    return sum((_counts(known, child) for child in _children(known, order)), counted)


def test_the_store_keeps_roles_apart_that_have_the_same_path() -> None:
    store = Store()
    tasks = [Task(task_id=f"t{number}", environment_id="2abc") for number in (2, 5, 6)]
    changes = tuple(Change(one, 1) for one in (*ROLES, *tasks))
    shown = store.apply(Batch("e", 1, Part.NONE, changes, 1000))
    assert {(Kind.ROLE, f"2abc/{number}") for number in range(7)} < shown
    assert store.roles("2abc") == ROLES and store.role("2abc", 5) == ROLES[5]
    assert store.children("2abc") == [ROLES[0]] and store.children("2abc", 0) == [ROLES[1], ROLES[4]]
    assert [task.task_id for task in store.tasks_below("2abc", 4)] == ["t5", "t6"]
    failing = replace(ROLES[6], state="ERROR")
    store.apply(Batch("e", 2, Part.NONE, (Change(failing, 2), Change(Removal(Kind.ROLE, "2abc/5"), 3)), 2000))
    assert store.counts("2abc").states == {"RUNNING": 1, "ERROR": 1}
    assert store.counts("2abc", 4).error == store.counts("2abc", 6).total == 1
    store.apply(Batch("e", 3, Part.NONE, (Change(Removal(Kind.ENVIRONMENT, "2abc"), 4),), 3000))
    assert store.roles("2abc") == [] and store.counts("2abc").total == 0
