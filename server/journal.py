"""The durable record of the core: what was decided, written before it is done; recovery reads it.

One SQLite file, one writer thread; everything that waits when the thread is free goes into one transaction. Values
are bytes made by whoever writes them: nothing here knows what an environment or a task is.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, TypeVar

from occ.errors import AliecsError, ConfigError, DeadlineError

FORMAT = 1
"""``user_version`` of the file."""


class Table(StrEnum):
    """Kinds of records that are kept by key, the last value only."""

    ENVIRONMENTS = "environments"
    """Facts of an environment, by environment id; go with delete_environment."""
    TASKS = "tasks"
    EXECUTORS = "executors"
    RUNS = "runs"
    DURATIONS = "durations"
    """How long transitions took, by template and event."""
    DRAINS = "drains"
    """Who keeps tasks from a host, since when and why, by its name."""
    META = "meta"


class Put(NamedTuple):
    """Set a value, new or not."""

    table: Table
    key: str
    value: bytes


class Delete(NamedTuple):
    """Forget a value; nothing happens if there is none."""

    table: Table
    key: str


class Stimulus(NamedTuple):
    """Add one event to the history of an environment, after all that were added before."""

    environment_id: str
    payload: bytes


class DeleteEnvironment(NamedTuple):
    """Forget the history and the facts of an environment."""

    environment_id: str


Record = Put | Delete | Stimulus | DeleteEnvironment

_T = TypeVar("_T")


class Journal:
    """An open journal. Make it with ``await Journal.open(path)``; used from the loop that opened it."""

    def __init__(self, path: Path, deadline_s: float, on_failure: Callable[[AliecsError], None] | None) -> None:
        self.path = path
        self._deadline_s = deadline_s
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._work: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._closed = False
        self._lock_file = -1
        self._thread: threading.Thread | None = None

    @classmethod
    async def open(
        cls, path: Path, *, deadline_s: float = 10.0, on_failure: Callable[[AliecsError], None] | None = None
    ) -> Journal:
        """Open the file, or make it, and start the writer.

        Args:
            path: the database; ``<path>.lock`` beside it says who has it.
            deadline_s: longest wait for one append or read.
            on_failure: called on the loop when a write failed; facts given to append_nowait are then kept in memory
                and tried again with the next write.

        Raises:
            ConfigError: another process has it, it cannot be opened, or it is broken: names file, reason and remedy.
        """
        journal = cls(path, deadline_s, on_failure)
        await asyncio.to_thread(journal._take_lock)
        started: asyncio.Future[None] = journal._loop.create_future()
        # A daemon, so that a core that ends without close() does not hang; close() waits for what is queued.
        journal._thread = threading.Thread(target=journal._run, args=(started,), name="journal", daemon=True)
        journal._thread.start()
        try:
            await journal._answer(started, "opening")
        except BaseException:
            await asyncio.to_thread(journal._release)
            raise
        return journal

    async def append(self, records: Sequence[Record]) -> None:
        """Write the records in one transaction; returns when they are on the disk.

        Raises:
            AliecsError: they could not be written, none of them was.
            DeadlineError: no answer from the disk in time; they may or may not have been written.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        self._submit(_Write(tuple(records), done))
        await self._answer(done, "write")

    def append_nowait(self, records: Sequence[Record]) -> None:
        """Queue records that nobody waits for. They are written in order with all others."""
        self._submit(_Write(tuple(records), None))

    async def put(self, table: Table, key: str, value: bytes) -> None:
        """Write one value, durably."""
        await self.append((Put(table, key, value),))

    async def delete(self, table: Table, key: str) -> None:
        """Forget one value, durably."""
        await self.append((Delete(table, key),))

    async def append_stimulus(self, environment_id: str, payload: bytes) -> None:
        """Add one event to an environment's history, durably; the order of calls is the order read back."""
        await self.append((Stimulus(environment_id, payload),))

    async def delete_environment(self, environment_id: str) -> None:
        """Forget an environment, durably."""
        await self.append((DeleteEnvironment(environment_id),))

    async def load(self, table: Table) -> dict[str, bytes]:
        """Return all values of a table by key, sorted by key; sees everything queued before."""
        sql = "SELECT key, value FROM records WHERE kind = ? ORDER BY key"
        return await self._read(lambda db: dict(db.execute(sql, (table.value,)).fetchall()))

    async def stimuli(self, environment_id: str) -> list[bytes]:
        """Return the history of an environment, oldest first."""
        sql = "SELECT payload FROM stimuli WHERE environment = ? ORDER BY seq"
        return await self._read(lambda db: [row[0] for row in db.execute(sql, (environment_id,))])

    async def environments(self) -> list[str]:
        """Return the ids of the environments that have a history, the one that began first at the front."""
        sql = "SELECT environment FROM stimuli GROUP BY environment ORDER BY min(seq)"
        return await self._read(lambda db: [row[0] for row in db.execute(sql)])

    async def close(self) -> None:
        """Write what is queued and let go of the file. May be called twice."""
        if not self._closed:
            self._closed = True
            self._work.put(None)
        if self._thread is not None:
            thread, self._thread = self._thread, None
            await asyncio.to_thread(thread.join, self._deadline_s)
            self._release()

    async def _read(self, query: Callable[[sqlite3.Connection], _T]) -> _T:
        done: asyncio.Future[_T] = self._loop.create_future()

        def run(db: sqlite3.Connection) -> None:
            try:
                rows = query(db)
            except sqlite3.Error as error:
                self._tell(done, None, ConfigError(f"journal {self.path} cannot be read: {error}", hint=REMEDY))
            else:
                self._tell(done, rows, None)

        self._submit(run)
        return await self._answer(done, "read")

    async def _answer(self, done: asyncio.Future[_T], what: str) -> _T:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await done
        except TimeoutError:
            message = f"journal {self.path}: no {what} within {self._deadline_s:g} s, outcome unknown"
            raise DeadlineError(message, hint="is the disk full or hanging?") from None

    def _submit(self, job: _Job) -> None:
        if self._closed:
            raise AliecsError(f"journal {self.path} is closed")
        self._work.put(job)

    def _tell(self, done: asyncio.Future[_T], result: _T | None, error: AliecsError | None) -> None:
        """Resolve a future from the writer thread."""
        try:
            self._loop.call_soon_threadsafe(_resolve, [(done, result, error)])
        except RuntimeError:  # the loop has been closed: nobody waits any more
            return

    def _run(self, started: asyncio.Future[None]) -> None:
        """Body of the writer thread."""
        try:
            db = _open_database(self.path)
        except ConfigError as error:
            self._tell(started, None, error)
            return
        self._tell(started, None, None)
        try:
            _Writer(self, db).run(self._work)
        finally:
            db.close()

    def _take_lock(self) -> None:
        name = self.path.with_name(self.path.name + ".lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigError(
                f"journal {self.path} cannot be opened: {error.strerror}",
                hint="the folder must exist and be writable; coreWorkingDir says where it is",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise ConfigError(
                f"journal {self.path} is in use by process {owner}",
                hint="stop that core, or give this one another coreWorkingDir",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._lock_file = descriptor

    def _release(self) -> None:
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1


class _Write(NamedTuple):
    records: tuple[Record, ...]
    done: asyncio.Future[None] | None


_Job = _Write | Callable[[sqlite3.Connection], None] | None
"""What the writer thread is given: records, a question, or None: end."""

REMEDY = (
    "move the file away and start again: the core then knows nothing of earlier environments, "
    "and what they left running must be ended by hand"
)


class _Writer:
    """The loop of the writer thread."""

    def __init__(self, journal: Journal, db: sqlite3.Connection) -> None:
        self._journal = journal
        self._db = db
        self._kept: list[Record] = []
        """Facts nobody waits for whose write failed; they go first into the next transaction."""

    def run(self, work: queue.SimpleQueue[_Job]) -> None:
        """Take jobs until None; all writes that wait together make one transaction."""
        going_on = True
        while going_on:
            writes: list[_Write] = []
            job: _Job = work.get()
            while True:
                if isinstance(job, _Write):
                    writes.append(job)
                else:
                    self._commit(writes)
                    writes = []
                    if job is None:
                        going_on = False
                        break
                    job(self._db)
                try:
                    job = work.get_nowait()
                except queue.Empty:
                    break
            self._commit(writes)

    def _commit(self, writes: list[_Write]) -> None:
        if not writes:
            return
        error: AliecsError | None = None
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for record in self._kept:
                _apply(self._db, record)
            for write in writes:
                for record in write.records:
                    _apply(self._db, record)
            self._db.execute("COMMIT")
            self._kept.clear()
        except (sqlite3.Error, OverflowError) as reason:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            error = AliecsError(f"journal {self._journal.path} cannot be written: {reason}", hint="is the disk full?")
            self._kept.extend(record for write in writes if write.done is None for record in write.records)
        outcomes = [(write.done, None, error) for write in writes if write.done is not None]
        try:
            if error is not None and self._journal._on_failure is not None:
                self._journal._loop.call_soon_threadsafe(self._journal._on_failure, error)
            if outcomes:
                self._journal._loop.call_soon_threadsafe(_resolve, outcomes)
        except RuntimeError:  # the loop has been closed: nobody waits any more
            return


def _resolve(outcomes: list[tuple[asyncio.Future[_T], _T | None, AliecsError | None]]) -> None:
    for done, result, error in outcomes:
        if done.done():
            continue
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # None only where the future is of None


def _apply(db: sqlite3.Connection, record: Record) -> None:
    match record:
        case Put(table, key, value):
            db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (table.value, key, value))
        case Delete(table, key):
            db.execute("DELETE FROM records WHERE kind = ? AND key = ?", (table.value, key))
        case Stimulus(environment_id, payload):
            db.execute("INSERT INTO stimuli (environment, payload) VALUES (?, ?)", (environment_id, payload))
        case DeleteEnvironment(environment_id):
            db.execute("DELETE FROM stimuli WHERE environment = ?", (environment_id,))
            db.execute("DELETE FROM records WHERE kind = ? AND key = ?", (Table.ENVIRONMENTS.value, environment_id))


def _open_database(path: Path) -> sqlite3.Connection:
    """Open and check the file, make its tables if it is new."""
    db: sqlite3.Connection | None = None
    try:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version not in (0, FORMAT):
            raise ConfigError(
                f"journal {path} has format {version}, this core reads format {FORMAT}",
                hint="start the core that wrote it, or move the file away",
            )
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise ConfigError(f"journal {path} is broken: {verdict}", hint=REMEDY)
        db.executescript(
            "CREATE TABLE IF NOT EXISTS records (kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
            " PRIMARY KEY (kind, key)) WITHOUT ROWID;"
            "CREATE TABLE IF NOT EXISTS stimuli (seq INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL,"
            " payload BLOB NOT NULL);"
            "CREATE INDEX IF NOT EXISTS stimuli_of ON stimuli (environment, seq);"
            f"PRAGMA user_version = {FORMAT};"
        )
    except sqlite3.Error as error:
        if db is not None:
            db.close()
        raise ConfigError(f"journal {path} cannot be opened: {error}", hint=REMEDY) from error
    except ConfigError:
        if db is not None:
            db.close()
        raise
    return db
