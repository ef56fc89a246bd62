"""What every configuration store must do; a new kind of store joins by a new parameter of the fixture."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from occ.errors import ConfigError
from server.config.file import FileStore
from server.config.memory import MemoryStore
from server.config.runs import new_run_number
from server.config.store import Store

Open = Callable[[], Store]


@pytest.fixture(params=["file", "memory"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Return a function that opens the same, at first empty, store once more."""
    if request.param == "file":
        return lambda: FileStore(tmp_path / "store.yaml")
    memory = MemoryStore()
    return lambda: memory


@pytest.fixture
def store(reopen: Open) -> Store:
    return reopen()


def test_an_empty_store_has_nothing(store: Store) -> None:
    assert store.get("o2/runtime/x") is None
    assert not store.exists("o2")
    assert store.keys("o2") == []
    assert store.names("o2") == []
    assert store.get_tree("o2") == {}
    assert not store.delete("o2/x")


def test_what_is_put_is_seen_by_every_user_of_the_store(store: Store, reopen: Open) -> None:
    other = reopen()
    store.put("/o2/runtime/aliecs/vars/a/", "1")
    assert other.get("o2/runtime/aliecs/vars/a") == "1"
    other.put("o2/runtime/aliecs/vars/a", "2")
    assert store.get("o2/runtime/aliecs/vars/a") == "2"


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "1.50",
        "0x10",
        "yes",
        "null",
        "~",
        "true",
        "2001-01-01",
        '{"a": [1, 2]}',
        "a: b",
        "- x",
        "# no comment",
        "two\nlines\n",
        "\n\nlead",
        "trail  \n x\n\n",
        "tab\there",
        "é ☃ 𝄞",
        "'",
        '"',
        "a\\b",
        "\r\n",
        "\x85",
        "\u2028",
        "%",
        "{{ x }}",
        "!tag",
        "&a",
        "*a",
        "<<",
    ],
)
def test_every_text_comes_back_as_it_was(store: Store, reopen: Open, value: str) -> None:
    store.put("folder/key", value)
    assert reopen().get("folder/key") == value


@pytest.mark.parametrize("name", ["1", "true", "null", "yes", "0x10", "a b", "é", ":", "#", "<<", "=", "-", "?"])
def test_names_come_back_as_they_were(store: Store, reopen: Open, name: str) -> None:
    store.put(f"folder/{name}", "v")
    assert reopen().names("folder") == [name]


def test_folders_have_no_text_but_exist(store: Store) -> None:
    store.put("a/b/c", "1")
    assert store.get("a/b") is None
    assert store.exists("a/b")
    assert store.exists("a/b/c")
    assert not store.exists("a/b/c/d")


def test_listing_has_full_keys_names_and_relative_trees_in_order(store: Store) -> None:
    for key in ("o2/z/1", "o2/a/2", "o2/z/deep/3"):
        store.put(key, key)
    assert sorted(store.keys("o2/z")) == ["o2/z/1", "o2/z/deep/3"]
    assert sorted(store.names("o2")) == ["a", "z"]
    assert store.get_tree("o2/z") == {"1": "o2/z/1", "deep/3": "o2/z/deep/3"}


def test_a_prefix_is_a_folder_not_a_start_of_a_name(store: Store) -> None:
    store.put("o2/flp1", "x")
    store.put("o2/flp10/a", "y")
    assert store.keys("o2/flp1") == []


def test_deleting_takes_a_text_or_a_whole_folder(store: Store) -> None:
    store.put("a/b", "1")
    store.put("a/c/d", "2")
    assert store.delete("a/b")
    assert store.delete("a/c")
    assert store.keys("a") == []


def test_a_text_is_not_replaced_by_a_folder_nor_a_folder_by_a_text(store: Store) -> None:
    store.put("a/b", "1")
    with pytest.raises(ConfigError, match="b"):
        store.put("a/b/c", "2")
    with pytest.raises(ConfigError, match="folder"):
        store.put("a", "3")
    assert store.get("a/b") == "1"


def test_compare_and_set_writes_only_over_what_is_expected(store: Store) -> None:
    assert not store.put_if("k", "x", "old")
    assert store.put_if("k", "1", None)
    assert not store.put_if("k", "2", None)
    assert not store.put_if("k", "2", "0")
    assert store.put_if("k", "2", "1")
    assert store.get("k") == "2"


def test_run_numbers_taken_at_once_by_many_are_all_different(store: Store, reopen: Open) -> None:
    taken: list[int] = []

    def take() -> None:
        mine = reopen()
        taken.extend(new_run_number(mine, attempts=1000) for _ in range(10))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(taken) == list(range(1, 41))


def test_writes_of_many_users_to_different_keys_are_all_kept(store: Store, reopen: Open) -> None:
    def write(user: int) -> None:
        mine = reopen()
        for number in range(10):
            mine.put(f"u/{user}/{number}", "x")

    threads = [threading.Thread(target=write, args=(user,)) for user in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(store.keys("u")) == 40
