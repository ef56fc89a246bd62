"""A snapshot of a store makes a store like it."""

from __future__ import annotations

import pytest
from stories import seen, story

from console.snapshot import CHANGES_PER_BATCH, rates, snapshot
from console.store import Store
from server.api.model import Batch, Change, Host, Part


def told(count: int, seed: int = 1) -> Store:
    store = Store()
    for _, batch in story(count, seed=seed):
        store.apply(batch)
    return store


def again(store: Store) -> Store:
    other = Store()
    for batch in snapshot(store):
        other.apply(batch)
    other.recall_rates(rates(store))
    return other


@pytest.mark.parametrize("seed", range(5))
def test_a_snapshot_makes_a_store_like_the_one_it_is_of(seed: int) -> None:
    store = told(60, seed)
    assert seen(again(store)) == seen(store)
    assert seen(again(again(store))) == seen(store)


def test_what_follows_a_snapshot_is_taken_in_as_it_would_have_been() -> None:
    moments = [batch for _, batch in story(60, seed=3)]
    store = Store()
    for batch in moments[:40]:
        store.apply(batch)
    other = again(store)
    for batch in moments[40:]:
        store.apply(batch)
        other.apply(batch)
    assert seen(other) == seen(store)


def test_a_store_without_a_picture_has_no_snapshot() -> None:
    store = Store()
    assert snapshot(store) == []
    store.apply(Batch("e", 1, Part.BEGIN, (), 1))
    assert snapshot(store) == []
    store.apply(Batch("e", 1, Part.END, (), 1))
    assert [one.part for one in snapshot(store)] == [Part.BEGIN, Part.END]


def test_a_large_snapshot_comes_in_parts() -> None:
    store = Store()
    hosts = tuple(Change(Host(name=f"flp{n:04}"), n + 1) for n in range(2 * CHANGES_PER_BATCH))
    store.apply(Batch("e", 1, Part.BEGIN, hosts, 1))
    store.apply(Batch("e", 1, Part.END, (), 1))
    parts = snapshot(store)
    assert [one.part for one in parts] == [Part.BEGIN, Part.MORE, Part.END]
    assert seen(again(store)) == seen(store)


def test_a_store_that_was_cleared_is_like_a_new_one() -> None:
    store = told(30)
    keys = store.clear()
    assert seen(store) == seen(Store()) and keys
    for _, batch in story(30):
        store.apply(batch)
    assert seen(store) == seen(told(30))
