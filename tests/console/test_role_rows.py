"""Rows of a role tree: worst first, healthy branches folded, the kept row always there, changes as good as anew."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.role_rows import HEALTHY_SHOWN, RoleRows, is_healthy, rank_of, summary
from console.role_tree import RoleTree
from server.api.model import Role

ENV = "2abc"
STATES = ("STANDBY", "CONFIGURED", "RUNNING", "ERROR", "MIXED", "UNKNOWN", "DONE", "INVARIANT")


def role(order: int, parent: int | None, kind: str, state: str = "RUNNING", *, critical: bool = True) -> Role:
    return Role(
        environment_id=ENV, path=f"r.{order}", name=f"n{order}", kind=kind, state=state, critical=critical,
        order=order, parent_order=parent, task_id=f"t{order}" if kind == "task" else "",
    )  # fmt: skip


def facility(hosts: int, tasks: int = 2) -> RoleTree:
    """Return a root with hosts below it and tasks below those."""
    tree = RoleTree()
    tree.put(role(0, None, "aggregator"))
    for host in range(hosts):
        at = 1 + host * (tasks + 1)
        tree.put(role(at, 0, "aggregator"))
        for task in range(tasks):
            tree.put(role(at + 1 + task, at, "task"))
    return tree


def change(tree: RoleTree, order: int, state: str) -> list[int]:
    """Change the state of a task and, as the core does, that of the roles above it; return what changed."""
    known = tree.get(order)
    assert known
    tree.put(role(order, known.parent_order, known.kind, state, critical=known.critical))
    changed, at = [order], known.parent_order
    while at is not None:
        above = tree.get(at)
        assert above
        states = set(tree.counts(at).states)
        merged = "ERROR" if "ERROR" in states else states.pop() if len(states) == 1 else "MIXED"
        tree.put(role(at, above.parent_order, above.kind, merged, critical=above.critical))
        changed.append(at)
        at = above.parent_order
    return changed


def test_a_healthy_tree_shows_its_branches_folded() -> None:
    rows = RoleRows(facility(3))
    assert list(rows.rows) == [0, 1, 4, 7]
    assert [rows.is_folded(row) for row in rows.rows] == [False, True, True, True]


def test_what_is_wrong_comes_first_and_is_unfolded() -> None:
    tree = facility(3)
    rows = RoleRows(tree)
    assert rows.rows
    rows.update(change(tree, 9, "ERROR"))
    assert list(rows.rows) == [0, 7, 9, 8, 1, 4]
    rows.update(change(tree, 9, "RUNNING"))
    assert list(rows.rows) == [0, 1, 4, 7]


def test_an_error_that_is_not_critical_comes_after_one_that_is_but_before_all_else() -> None:
    tree = facility(3)
    tree.put(role(4, 0, "aggregator", "INVARIANT", critical=False))
    tree.put(role(5, 4, "task", "ERROR", critical=False))
    change(tree, 9, "ERROR")
    assert list(RoleRows(tree).rows)[:5] == [0, 7, 9, 8, 4]


def test_the_order_of_the_template_can_be_had() -> None:
    tree = facility(3)
    change(tree, 9, "ERROR")
    rows = RoleRows(tree)
    rows.order_by(worst_first=False)
    assert list(rows.rows) == [0, 1, 4, 7, 8, 9]


def test_many_healthy_branches_are_one_line() -> None:
    tree = facility(HEALTHY_SHOWN + 2)
    change(tree, 3, "ERROR")
    rows = RoleRows(tree)
    line = summary(0)
    assert list(rows.rows) == [0, 1, 3, 2, line]
    assert len(rows.healthy(line)) == HEALTHY_SHOWN + 1 and rows.healthy_states(line) == {"RUNNING": HEALTHY_SHOWN + 1}
    assert rows.is_folded(line) and rows.depth(line) == 1 and rows.parent(line) == 0
    rows.fold(line, is_folded=False)
    assert list(rows.rows)[:7] == [0, 1, 3, 2, line, 4, 7] and len(rows.rows) == 5 + HEALTHY_SHOWN + 1
    rows.fold(line)
    assert list(rows.rows) == [0, 1, 3, 2, line]


def test_the_kept_row_is_neither_folded_away_nor_unfolded() -> None:
    tree = facility(HEALTHY_SHOWN + 2)
    rows = RoleRows(tree)
    rows.keep(4)
    assert list(rows.rows) == [0, summary(0), 4]
    change(tree, 6, "ERROR")
    rows.update([6, 4, 0])
    rows.keep(6)
    rows.update(change(tree, 6, "RUNNING"))
    assert list(rows.rows) == [0, summary(0), 4, 5, 6]
    rows.keep(0)
    assert list(rows.rows) == [0, summary(0)]


def test_what_the_user_folds_stays_folded_also_when_it_fails() -> None:
    tree = facility(2)
    rows = RoleRows(tree)
    rows.fold(1)
    rows.fold(4, is_folded=False)
    rows.update(change(tree, 2, "ERROR"))
    assert list(rows.rows) == [0, 1, 4, 5, 6] and rows.is_folded(1)
    rows.reveal(2)
    assert list(rows.rows) == [0, 1, 2, 3, 4, 5, 6]


def test_the_worst_leaf_is_found_where_nothing_is_unfolded() -> None:
    tree = facility(40)
    rows = RoleRows(tree)
    assert rows.worst() == 2
    change(tree, 66, "ERROR")
    assert rows.worst() == 66
    assert RoleRows(RoleTree()).worst() is None and list(RoleRows(RoleTree()).rows) == []


def test_a_filter_shows_what_it_lets_through_and_the_way_to_it() -> None:
    tree = facility(30)
    rows = RoleRows(tree)
    rows.show_only(lambda it: it.state == "ERROR" and it.kind == "task")
    assert list(rows.rows) == []
    rows.update(change(tree, 30, "ERROR"))
    assert list(rows.rows) == [0, 28, 30]
    rows.update(change(tree, 30, "RUNNING"))
    assert list(rows.rows) == []
    rows.show_only(None)
    assert list(rows.rows) == [0, summary(0)]


def test_roles_that_come_later_have_rows() -> None:
    tree = facility(1)
    rows = RoleRows(tree)
    assert len(rows.rows) == 2
    tree.put(role(4, 0, "aggregator"))
    rows.update([4])
    assert list(rows.rows) == [0, 1, 4]
    tree.remove(4)
    rows.update([4])
    assert list(rows.rows) == [0, 1]


@dataclass(frozen=True)
class Case:
    """A tree as (parent, kind, state, critical) by order, and what happens to it."""

    roles: list[Role]
    changes: list[tuple[int, str]]
    folds: list[tuple[int, bool]]
    kept: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.integers(1, 60))
    roles: list[Role] = []
    for order in range(count):
        inner = [it.order for it in roles if it.kind == "aggregator"]
        kind = "aggregator" if order == 0 else draw(st.sampled_from(["aggregator", "task", "task", "call"]))
        state = draw(st.sampled_from(STATES)) if kind == "task" else "INVARIANT"
        parent = draw(st.sampled_from(inner)) if order else None
        roles.append(role(order, parent, kind, state, critical=draw(st.booleans())))
    orders = st.integers(0, count - 1)
    return Case(
        roles,
        draw(st.lists(st.tuples(orders, st.sampled_from(STATES)), max_size=12)),
        draw(st.lists(st.tuples(orders, st.booleans()), max_size=8)),
        draw(orders),
    )


def tree_of(case: Case) -> RoleTree:
    tree = RoleTree()
    for one in case.roles:
        tree.put(one)
    return tree


@settings(max_examples=150, deadline=None)
@given(cases(), st.booleans())
def test_unfolded_every_role_has_one_row_below_its_parent_and_the_worst_comes_first(
    case: Case, worst_first: bool
) -> None:
    tree = tree_of(case)
    rows = RoleRows(tree)
    rows.order_by(worst_first=worst_first)
    for one in case.roles:
        rows.fold(one.order, is_folded=False)
    shown = [row for row in rows.rows if row >= 0]
    assert sorted(shown) == [one.order for one in case.roles]
    at = {order: place for place, order in enumerate(shown)}
    for one in case.roles:
        assert one.parent_order is None or at[one.parent_order] < at[one.order]
        siblings = sorted((it for it in case.roles if it.parent_order == one.order), key=lambda it: at[it.order])
        keys = [(rank_of(tree, it), it.order) if worst_first else (0, it.order) for it in siblings]
        assert keys == sorted(keys)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_after_any_changes_the_rows_are_those_of_a_tree_read_anew(case: Case) -> None:
    tree = tree_of(case)
    rows = RoleRows(tree)
    anew = RoleRows(tree)
    for one in (rows, anew):
        one.keep(case.kept)
        for order, is_folded in case.folds:
            one.fold(order, is_folded=is_folded)
        assert one.rows
    for order, state in case.changes:
        assert rows.rows is not None
        known = tree.get(order)
        assert known
        if known.kind == "task":
            rows.update(change(tree, order, state))
    anew.rank_all()
    assert list(rows.rows) == list(anew.rows)
    anew.reset(tree)
    assert list(rows.rows) == list(anew.rows)
    assert [rows.depth(row) for row in rows.rows] == [anew.depth(row) for row in anew.rows]


@settings(max_examples=200, deadline=None)
@given(cases())
def test_the_kept_row_stays_and_no_error_is_out_of_sight_unless_the_user_folded_it(case: Case) -> None:
    tree = tree_of(case)
    rows = RoleRows(tree)
    rows.keep(case.kept)
    for order, state in case.changes:
        known = tree.get(order)
        assert known
        if known.kind == "task":
            rows.update(change(tree, order, state))
        assert case.kept in rows.rows
        for one in tree.roles():
            has_row = one.order in rows.rows
            assert has_row or is_healthy(rank_of(tree, one))


@pytest.mark.parametrize("hosts", [0, 1, 3, HEALTHY_SHOWN + 5])
def test_each_row_is_found_where_it_stands(hosts: int) -> None:
    rows = RoleRows(facility(hosts))
    assert [rows.index(row) for row in rows.rows] == list(range(len(rows.rows)))
    assert rows.index(10**6) is None
