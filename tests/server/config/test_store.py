"""What every configuration store must do; a new kind of store joins by a new parameter of the fixture."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from consul_agent import ConsulAgent

from occ.errors import ConfigError
from server.config.memory import MemoryStore
from server.config.open import open_store
from server.config.runs import new_run_number
from server.config.store import Store, TextChange

Open = Callable[[], Store]


@pytest.fixture(params=["yaml", "json", "memory", "consul"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens the same, at first empty, store once more."""
    memory = MemoryStore()
    opened: list[Store] = []
    uri = f"file://{tmp_path}/store.{request.param}"
    if request.param == "consul":
        agent: ConsulAgent = request.getfixturevalue("consul_agent")
        uri = agent.uri

    def reopen() -> Store:
        opened.append(memory if request.param == "memory" else open_store(uri))
        return opened[-1]

    yield reopen
    for store in opened:
        store.close()


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
        "\x00\x01\x1f\x7f",
        "not UTF-8: \udc80\udcff",
        "x" * 500_000,
    ],
)
def test_every_text_comes_back_as_it_was(store: Store, reopen: Open, value: str) -> None:
    store.put("folder/key", value)
    assert reopen().get("folder/key") == value


def test_half_a_character_is_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="folder/key cannot be set: the text has half a character at position 1"):
        store.put("folder/key", "x\ud800")
    assert not store.exists("folder/key")


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


def test_many_texts_are_set_where_they_are_as_expected(store: Store) -> None:
    store.put("o2/a", "1")
    store.put("o2/b", "1")
    changes = [
        TextChange("o2/a", "2", "1"),
        TextChange("o2/b", "2", "other"),
        TextChange("o2/new", "2", None),
        TextChange("o2/deep/er/new", "2", None),
        TextChange("o2/gone", "2", "was here"),
        TextChange("o2/empty/", "", None),
        TextChange("o2/deep/", "", None),
    ]
    assert store.put_all(changes) == ["o2/b", "o2/gone"]
    assert store.get_tree("o2") == {"a": "2", "b": "1", "new": "2", "deep/er/new": "2"}
    assert store.exists("o2/empty")
    assert store.names("o2/empty") == []
    assert sorted(store.snapshot("o2").names("o2")) == ["a", "b", "deep", "empty", "new"]
    assert store.put_all([]) == []


@pytest.mark.parametrize("key", ["o2/text/below", "o2/text/below/", "o2/folder", "new/text/x"])
def test_of_many_texts_none_is_set_where_one_does_not_fit(store: Store, key: str) -> None:
    store.put("o2/text", "1")
    store.put("o2/folder/x", "1")
    changes = [TextChange("o2/fine", "1", None), TextChange("new/text", "1", None), TextChange(key, "1", None)]
    with pytest.raises(ConfigError, match="cannot be set"):
        store.put_all(changes)
    assert not store.exists("o2/fine")


def test_a_snapshot_shows_the_folder_as_it_was(store: Store) -> None:
    store.put("o2/hardware/detectors/ITS/flps/flp1/cards", "{}")
    store.put("o2/hardware/flps/flp1/cards", "[]")
    store.put("o2/runtime/x", "1")
    snapshot = store.snapshot("o2/hardware")
    store.put("o2/hardware/detectors/TPC/flps/flp2/cards", "{}")
    store.delete("o2/hardware/flps")
    assert snapshot.uri == store.uri
    assert snapshot.names("o2/hardware/detectors") == ["ITS"]
    assert snapshot.get("o2/hardware/flps/flp1/cards") == "[]"
    assert snapshot.exists("o2/hardware/flps/flp1")
    assert snapshot.keys("o2/hardware/detectors") == ["o2/hardware/detectors/ITS/flps/flp1/cards"]
    with pytest.raises(ConfigError, match="cannot be changed"):
        snapshot.put("o2/hardware/x", "1")


def test_a_watch_tells_of_changes_in_its_folder_until_it_is_closed(store: Store, reopen: Open) -> None:
    store.put("o2/components/qc/ANY/any/a", "1")
    told = threading.Semaphore(0)
    watch = store.watch("o2/components", told.release)

    def is_told(within_s: float) -> bool:
        watch.check()
        return told.acquire(timeout=within_s)

    is_told(60 if store.uri.startswith("consul") else 0)  # Consul's call back once at the start
    reopen().put("o2/components/qc/ANY/any/a", "2")
    assert is_told(60)
    reopen().put("o2/components/qc/ANY/any/new/b", "3")
    assert is_told(60)
    reopen().delete("o2/components/qc/ANY/any/new")
    assert is_told(60)
    started = time.monotonic()
    watch.close()
    assert time.monotonic() - started < 20
    while told.acquire(blocking=False):
        pass
    reopen().put("o2/components/qc/ANY/any/a", "4")
    assert not is_told(0.2)


def test_a_watch_is_not_told_of_other_folders(store: Store) -> None:
    store.put("o2/components/qc/ANY/any/a", "1")
    told = threading.Semaphore(0)
    watch = store.watch("o2/components", told.release)
    watch.check()
    told.acquire(timeout=60 if store.uri.startswith("consul") else 0)
    store.put("o2/runtime/run_number", "1")
    store.put("o2/components2/x", "1")
    watch.check()
    assert not told.acquire(timeout=0.3)
    watch.close()


@pytest.mark.parametrize("key", ["", "/", "//"])
def test_the_root_is_no_text(store: Store, key: str) -> None:
    assert store.get(key) is None
    with pytest.raises(ConfigError, match="folder"):
        store.put(key, "x")
    with pytest.raises(ConfigError, match="folder"):
        store.put_if(key, "x", None)
    assert not store.delete(key)


def test_run_numbers_taken_at_once_by_many_are_all_different(store: Store, reopen: Open) -> None:
    taken: list[int] = []

    def take() -> None:
        mine = reopen()
        taken.extend(new_run_number(mine, attempts=1000) for _ in range(10))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    assert sorted(taken) == list(range(1, 41))


def test_run_numbers_taken_by_several_processes_are_all_different_and_none_is_lost(store: Store) -> None:
    if store.uri.startswith("mock"):
        pytest.skip("memory is of one process")
    program = (
        "import sys; from server.config.open import open_store; from server.config.runs import new_run_number\n"
        "store = open_store(sys.argv[1], request_s=60)\nfor _ in range(10): print(new_run_number(store, attempts=1000))"
    )
    takers = [
        subprocess.Popen([sys.executable, "-c", program, store.uri], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    taken = [int(line) for taker in takers for line in taker.communicate(timeout=240)[0].split()]
    assert sorted(taken) == list(range(1, 31))
    assert store.get("o2/runtime/run_number") == "30"


def test_writes_of_many_users_to_different_keys_are_all_kept(store: Store, reopen: Open) -> None:
    def write(user: int) -> None:
        mine = reopen()
        for number in range(10):
            mine.put(f"u/{user}/{number}", "x")

    threads = [threading.Thread(target=write, args=(user,)) for user in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    assert len(store.keys("u")) == 40
