"""The journal: durability, order, group commit, refusals."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from occ.errors import AliecsError, ConfigError, DeadlineError
from server.journal import Delete, DeleteEnvironment, Journal, Put, Stimulus, Table


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "journal.db")
    yield opened
    await opened.close()


async def test_what_was_appended_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.db"
    first = await Journal.open(path)
    await first.append([Put(Table.TASKS, "b", b"2"), Put(Table.TASKS, "a", b"1"), Put(Table.META, "a", b"meta")])
    await first.append_stimulus("env", b"one")
    first.append_nowait([Stimulus("env", b"two"), Delete(Table.TASKS, "b"), Delete(Table.TASKS, "none")])
    await first.close()
    second = await Journal.open(path)
    assert await second.load(Table.TASKS) == {"a": b"1"}
    assert await second.load(Table.META) == {"a": b"meta"}
    assert await second.stimuli("env") == [b"one", b"two"]
    await second.close()


async def test_stimuli_keep_the_order_of_calls_per_environment(journal: Journal) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(200):
            group.create_task(journal.append_stimulus(f"env{number % 3}", str(number).encode()))
    assert await journal.environments() == ["env0", "env1", "env2"]
    for environment in range(3):
        expected = [str(number).encode() for number in range(environment, 200, 3)]
        assert await journal.stimuli(f"env{environment}") == expected


async def test_deleting_an_environment_takes_its_history_and_facts_only(journal: Journal) -> None:
    await journal.append(
        [Stimulus("a", b"1"), Stimulus("b", b"2"), Put(Table.ENVIRONMENTS, "a", b"f"), Put(Table.TASKS, "a", b"t")]
    )
    await journal.append([DeleteEnvironment("a")])
    assert await journal.environments() == ["b"]
    assert await journal.load(Table.ENVIRONMENTS) == {}
    assert await journal.load(Table.TASKS) == {"a": b"t"}


async def test_concurrent_appends_share_transactions(journal: Journal) -> None:
    await journal.put(Table.META, "warm", b"")
    commits = [0]
    original = sqlite3.Connection.execute

    class Counting(sqlite3.Connection):
        def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:  # type: ignore[override]
            commits[0] += sql == "COMMIT"
            return original(self, sql, *arguments)  # type: ignore[arg-type]

    await journal.close()
    factory = sqlite3.connect
    sqlite3.connect = lambda *a, **k: factory(*a, factory=Counting, **k)  # type: ignore[assignment]
    try:
        counted = await Journal.open(journal.path)
    finally:
        sqlite3.connect = factory
    commits[0] = 0
    is_free = threading.Event()
    counted._submit(lambda db: is_free.wait(60) and None)  # the disk is busy while all of them come
    puts = [asyncio.ensure_future(counted.put(Table.RUNS, str(number), b"x")) for number in range(500)]
    await asyncio.sleep(0)
    is_free.set()
    await asyncio.gather(*puts)
    assert len(await counted.load(Table.RUNS)) == 500
    await counted.close()
    assert commits[0] < 100


async def test_what_was_acknowledged_survives_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    program = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from server.journal import Journal\n"
        "async def main():\n"
        f"    journal = await Journal.open(Path({str(path)!r}))\n"
        "    for number in range(20):\n"
        "        await journal.append_stimulus('e', str(number).encode())\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    async with asyncio.timeout(60):
        assert await process.wait() == -9
    journal = await Journal.open(path)
    assert await journal.stimuli("e") == [str(number).encode() for number in range(20)]
    await journal.close()


async def test_a_second_core_is_refused_with_the_process_of_the_first(journal: Journal) -> None:
    with pytest.raises(ConfigError, match=f"in use by process {os.getpid()}"):
        await Journal.open(journal.path)
    await journal.put(Table.META, "still", b"works")


async def test_children_of_a_core_do_not_keep_its_journal_locked(journal: Journal) -> None:
    child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    await journal.close()
    again = await Journal.open(journal.path)
    await again.close()
    assert child.returncode is None
    assert child.stdin is not None
    child.stdin.close()
    async with asyncio.timeout(60):
        assert await child.wait() == 0


@pytest.mark.parametrize(
    "content", [b"this is no database, but long enough to be looked at" * 20, b"SQLite format 3\x00"]
)
async def test_a_broken_file_is_refused_with_name_reason_and_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        await Journal.open(path)
    assert str(path) in caught.value.message
    assert "file is not a database" in caught.value.message or "malformed" in caught.value.message
    assert "move the file away" in caught.value.hint
    assert path.read_bytes() == content


async def test_a_damaged_page_is_found_when_opening(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await Journal.open(path)
    await journal.append([Stimulus("e", b"x" * 500) for _ in range(200)])
    await journal.close()
    damaged = bytearray(path.read_bytes())
    damaged[4096 * 4 : 4096 * 8] = b"\xff" * (4096 * 4)
    path.write_bytes(bytes(damaged))
    with pytest.raises(ConfigError, match=r"journal\.db"):
        await Journal.open(path)


async def test_a_journal_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(ConfigError, match="format 99"):
        await Journal.open(path)


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be opened"):
        await Journal.open(tmp_path / "file" / "journal.db")


async def test_a_failed_write_is_told_and_unwaited_facts_are_tried_again(tmp_path: Path) -> None:
    told: list[AliecsError] = []
    path = tmp_path / "journal.db"
    journal = await Journal.open(path, on_failure=told.append)
    blocker = sqlite3.connect(path, isolation_level=None, timeout=0)
    blocker.execute("DROP TABLE records")
    journal.append_nowait([Put(Table.RUNS, "1", b"kept")])
    with pytest.raises(AliecsError, match="cannot be written"):
        await journal.put(Table.RUNS, "2", b"refused")
    assert told
    blocker.execute("CREATE TABLE records (kind TEXT, key TEXT, value BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID")
    blocker.close()
    await journal.put(Table.RUNS, "3", b"now")
    assert await journal.load(Table.RUNS) == {"1": b"kept", "3": b"now"}
    await journal.close()


async def test_a_disk_that_does_not_answer_is_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    journal = await Journal.open(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(journal, "_deadline_s", 1.0)
    with pytest.raises(DeadlineError, match="outcome unknown"):
        await journal.put(Table.META, "a", b"")
    monkeypatch.undo()
    blocker.execute("ROLLBACK")
    blocker.close()
    await journal.put(Table.META, "b", b"")
    await journal.close()


async def test_after_close_nothing_is_taken(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.db")
    await journal.close()
    await journal.close()
    with pytest.raises(AliecsError, match="is closed"):
        await journal.put(Table.META, "a", b"")
