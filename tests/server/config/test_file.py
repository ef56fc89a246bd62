"""The YAML file store: reading what people write, refusing what is broken, atomic writes."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from occ.errors import ConfigError, DeadlineError, LinkError
from server.config.file import FileStore
from server.config.file_text import dump, parse
from server.config.runs import new_run_number
from server.config.tree import Folder

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=8)
TREES = st.recursive(
    st.dictionaries(NAMES, TEXTS, max_size=4), lambda deeper: st.dictionaries(NAMES, TEXTS | deeper, max_size=4)
)


@given(TREES)
def test_every_tree_comes_back_from_its_file(tree: dict[str, object]) -> None:
    assert parse(dump(tree), "t") == tree  # type: ignore[arg-type]


def test_scalars_keep_their_spelling() -> None:
    text = "a: 1.50\nb: 0x10\nc: yes\nd: 2001-01-01\ne: 'null'\nf: 010\ng:\nh: |\n  two\n  lines\ni: {j: 1e3}\n"
    assert parse(text, "t") == {
        "a": "1.50", "b": "0x10", "c": "yes", "d": "2001-01-01", "e": "null", "f": "010", "g": "",
        "h": "two\nlines\n", "i": {"j": "1e3"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("a: 1\nb: [1\nc: 2\n", "c.yaml:3:", ""),
        ("a: 1\n  b: 2\n", "c.yaml:2:", ""),
        ("a:\n\tb: 2\n", "c.yaml:2:", ""),
        ("a: 1\nb: 'x\n", "c.yaml:", ""),
        ("a:\n  b: 1\n  b: 2\n", "c.yaml:3:3", "twice"),
        ("a:\n  - 1\n", "c.yaml:2:3", "found a list"),
        ("just text\n", "c.yaml:1:1", "single value"),
        ("a:\n  b: null\n", "c.yaml:2:6", "found null"),
        ("a/b: 1\n", "c.yaml:1:1", "slash"),
        ("[a]: 1\n", "c.yaml:1:1", "name"),
        ("a: &x\n  b: *x\n", "c.yaml:", "contains it"),
        ("a: *nowhere\n", "c.yaml:1:4", "undefined alias"),
        ("a: 1\n---\nb: 2\n", "c.yaml:2:1", "single document"),
        ("a: \x01\n", "c.yaml", ""),
    ],
)
def test_a_broken_file_is_refused_with_line_and_column(tmp_path: Path, text: str, where: str, problem: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        FileStore(path).get("a")
    assert where in str(caught.value)
    assert problem in str(caught.value)
    assert path.read_text() == text


def test_a_broken_file_is_not_overwritten_by_a_put(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: [\n")
    with pytest.raises(ConfigError):
        FileStore(path).put("b", "1")
    assert path.read_text() == "a: [\n"


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        FileStore(path).get("a")


def test_a_missing_file_is_made_and_an_existing_one_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "c.yaml"
    FileStore(path).prepare()
    assert path.exists()
    path.write_text("a: 1 # mine\n")
    FileStore(path).prepare()
    assert path.read_text() == "a: 1 # mine\n"


def test_an_edit_by_hand_is_seen_by_the_next_lookup(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    store = FileStore(path)
    store.put("a", "1")
    for value in ("2", "33", "4"):
        path.write_text(f"a: {value}\n")
        assert store.get("a") == value
    path.unlink()
    assert store.get("a") is None


def test_a_file_that_breaks_and_heals_is_refused_and_then_read(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    store = FileStore(path)
    store.put("a", "1")
    path.write_text("a: [\n")
    with pytest.raises(ConfigError):
        store.get("a")
    path.write_text("a: 2\n")
    assert store.get("a") == "2"


def test_a_folder_written_without_content_can_be_filled(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("o2:\n  runtime:\n")
    FileStore(path).put("o2/runtime/run_number", "1")
    assert FileStore(path).get("o2/runtime/run_number") == "1"


def test_a_write_keeps_the_mode_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: 1\n")
    path.chmod(0o640)
    FileStore(path).put("a", "2")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(file.name for file in tmp_path.iterdir()) == ["c.yaml", "c.yaml.lock"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: 1\n")
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read"):
        FileStore(path).get("a")


def test_a_path_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be"):
        FileStore(tmp_path).get("a")


def _take(path: Path, count: int) -> list[int]:
    store = FileStore(path, lock_s=120)
    return [new_run_number(store, attempts=1000) for _ in range(count)]


def test_no_update_of_another_process_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        taken = pool.starmap(_take, [(path, 20)] * 3)
    assert sorted(number for numbers in taken for number in numbers) == list(range(1, 61))
    assert FileStore(path).get("o2/runtime/run_number") == "60"


def test_bytes_that_are_not_utf8_stand_as_binary_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    FileStore(path).put("a", "\udcff\udc80 x")
    assert "!!binary" in path.read_text()
    assert FileStore(path).get("a") == "\udcff\udc80 x"
    path.write_text("a: !!binary aGVsbG8=\nb: !!binary 'no base64!'\n")
    with pytest.raises(ConfigError, match=r"c\.yaml:2:4: !!binary is not base64"):
        FileStore(path).get("a")


def test_a_json_file_is_read_as_it_is_spelled_and_stays_json(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text('{\n\t"a": {"n": 1.50, "big": 12345678901234567890, "yes": true, "text": "x", "none": {}}\n}\n')
    store = FileStore(path)
    assert store.get_tree("a") == {"n": "1.50", "big": "12345678901234567890", "yes": "true", "text": "x"}
    store.put("a/new", "é\n")
    assert json.loads(path.read_text())["a"]["new"] == "é\n"
    assert FileStore(path).get("a/n") == "1.50"
    assert FileStore(path).exists("a/none")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": [1]}', r"c\.json: at 'a' expected a text or an object, found a list"),
        ('{"a": null}', r"c\.json: at 'a' expected a text or an object, found null"),
        ('{"a": 1, "a": 2}', r"c\.json: 'a' stands there twice"),
        ('{"a/b": 1}', r"c\.json: 'a/b' is no name of a key"),
        ('{"": 1}', r"c\.json: '' is no name of a key"),
        ("[1]", r"c\.json: expected an object, found a list"),
        ("1", r"c\.json: expected an object, found a single value"),
        ('{"a":\n x}', r"c\.json:2:2: Expecting value"),
    ],
)
def test_a_json_file_of_something_else_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        FileStore(path).get("a")


def test_a_lookup_and_a_change_parse_only_a_file_that_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []

    def counted(text: str, name: str) -> Folder:
        parsed.append(name)
        return parse(text, name)

    monkeypatch.setattr("server.config.file.parse", counted)
    store, other = FileStore(tmp_path / "c.yaml"), FileStore(tmp_path / "c.yaml")
    store.put("a", "1")
    for number in range(5):
        store.put("a", str(number))
        assert store.get("a") == str(number)
    assert len(parsed) == 0
    other.put("a", "other")
    assert len(parsed) == 1
    assert store.put_if("a", "mine", "other")
    assert len(parsed) == 2


BOMB = "a0: &a0 {x: y}\n" + "".join(f"a{n}: &a{n} {{p: *a{n - 1}, q: *a{n - 1}}}\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bomb.yaml", BOMB, "more than 1000000 values"),
        ("flow.yaml", "{a: " * 50_000, "nested deeper than 100"),
        ("block.yaml", "".join(f"{' ' * n}a:\n" for n in range(200)), "101:101: nested deeper than 100"),
        ("deep.json", '{"a":' * 100_000, "nested deeper than 100"),
        ("deeper.json", '{"a":' * 101 + "1" + "}" * 101, "nested deeper than 100"),
        ("half.json", '{"a": "\\ud83d"}', "half a character"),
        ("half-a-name.json", '{"\\ud83d": "a"}', "names of keys are UTF-8"),
    ],
)
def test_a_file_that_would_never_be_read_to_its_end_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        FileStore(tmp_path / name).get("o2")
    assert message in f"{caught.value.message} {caught.value.hint}"
    assert name in caught.value.message


@pytest.mark.parametrize("suffix", ["yaml", "json"])
@pytest.mark.parametrize("key", ["o2/\ud83d", "o2/\udc80", "/".join("a" * 101)])
def test_a_name_that_could_not_be_read_again_is_refused(tmp_path: Path, suffix: str, key: str) -> None:
    store = FileStore(tmp_path / f"c.{suffix}")
    with pytest.raises(ConfigError, match="cannot be set"):
        store.put(key, "x")
    store.put("o2/a", "b")
    assert store.get_tree("") == {"o2/a": "b"}


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A file whose lock another program has, until the test is over."""
    path = tmp_path / "c.yaml"
    FileStore(path).put("a", "1")
    other = os.open(f"{path}.lock", os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    return path


def test_a_writer_that_never_ends_keeps_others_from_writing_for_a_limited_time_only(locked: Path) -> None:
    store = FileStore(locked, lock_s=0.05)
    with pytest.raises(DeadlineError, match=r"was not written: another program has had its lock") as caught:
        store.put("a", "2")
    assert "fuser" in caught.value.hint
    assert FileStore(locked).get("a") == "1"


def test_a_file_is_read_while_a_change_waits_for_another_writer_and_closing_ends_the_wait(locked: Path) -> None:
    store = FileStore(locked, lock_s=120)
    ended: list[str] = []

    def change() -> None:
        try:
            store.put("a", "2")
        except LinkError as error:
            ended.append(error.message)

    writer = threading.Thread(target=change)
    writer.start()
    with open(locked, "a") as file:
        file.write("b: 2\n")
    assert store.get("b") == "2"
    store.close()
    writer.join(60)
    assert ended == [f"configuration {locked} was closed while a change waited for another writer"]


def test_a_link_stays_one_and_its_users_keep_each_other_out(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "c.yaml", tmp_path / "c.yaml"
    FileStore(real).put("a", "1")
    link.symlink_to(real)
    FileStore(link).put("b", "2")
    assert link.is_symlink()
    assert FileStore(real).get_tree("") == {"a": "1", "b": "2"}
    assert sorted(os.listdir(tmp_path)) == ["c.yaml", "real"], "the lock is beside the file itself"
