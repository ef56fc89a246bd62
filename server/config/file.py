"""The configuration store in one YAML or JSON file, with the same keys as Consul; nested mappings are folders.

Several processes may use one file: writers take a lock beside it and look at it again before they write, readers see
whole files only, and wait for nobody. Comments are lost at the first write. A missing file is an empty store, made by the
first write or by prepare(). The file is parsed again only if it has changed. What its text means: file_text.py.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from occ.errors import ConfigError, DeadlineError, LinkError
from server.config.file_text import dump, dump_json, parse, parse_json
from server.config.tree import Change, Folder, TreeStore

LOCK_S = 3.0
"""Longest wait for other writers."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.05
"""Between two attempts to get a lock that another process has: the system cannot be asked to wait for a limited time."""


class FileStore(TreeStore):
    """A Store on a file. Safe to use from several threads and processes.

    Args:
        path: of the file; a link stays one, what it leads to is read and written.
        lock_s: longest wait for other writers.
    """

    def __init__(self, path: Path, *, lock_s: float = LOCK_S) -> None:
        super().__init__(f"file://{path}")
        self.path = path
        self._lock_s = lock_s
        self._guard = threading.Lock()
        """Of what is held of the file, in this process."""
        self._writer = threading.Lock()
        self._over = threading.Event()
        self._held: _Held | None = None
        self._root: Folder = {}
        self._is_json = path.suffix.lower() == ".json"

    def prepare(self) -> None:
        """Write an empty file if there is none, and read what is there."""
        if not self.path.exists():
            with self._writing():
                if not self.path.exists():
                    self._write({})
        self._read()

    def close(self) -> None:
        """End what waits for other writers."""
        self._over.set()

    def _read(self) -> Folder:
        """Return the file's content; a new parse only if the file is another or has changed."""
        with self._guard:
            try:
                if self._held is None or not self._held.is_still(self.path.stat()):
                    with open(self.path, "rb") as file:
                        held, data = _Held(file.fileno()), file.read()
                    self._root, self._held = self._parse(data), held
            except FileNotFoundError:
                self._root, self._held = {}, None
            except OSError as error:
                raise _unusable(self.path, "read", error) from error
            return self._root

    def _parse(self, data: bytes) -> Folder:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ConfigError(f"configuration {self.path} is not UTF-8 text: {error}") from error
        return parse_json(text, str(self.path)) if self._is_json else parse(text, str(self.path))

    def _change(self, change: Change) -> bool:
        with self._writing():
            changed = change(self._read())
            if changed is not None:
                self._write(changed)
            return changed is not None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Keep out all other writers, of this and of other processes.

        Raises:
            DeadlineError: another one did not end in time.
            LinkError: the store was closed while it waited.
        """
        until = time.monotonic() + self._lock_s
        if not self._writer.acquire(timeout=self._lock_s):
            raise self._locked()
        try:
            try:
                file = self._file()
                file.parent.mkdir(parents=True, exist_ok=True)
                lock = os.open(file.with_name(f"{file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise _unusable(self.path, "written", error) from error
            try:
                self._take(lock, until)
                yield
            finally:
                os.close(lock)
        finally:
            self._writer.release()

    def _take(self, lock: int, until: float) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise self._locked() from None
            except OSError as error:
                raise _unusable(self.path, "locked", error) from error
            if self._over.wait(pause_s):
                raise LinkError(f"configuration {self.path} was closed while a change waited for another writer")
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _locked(self) -> DeadlineError:
        message = (
            f"configuration {self.path} was not written: another program has had its lock for {self._lock_s:.2g} s"
        )
        return DeadlineError(message, hint=f"which one tells: fuser {self._file()}.lock")

    def _file(self) -> Path:
        """Return the file itself, where the path is that of a link."""
        return Path(os.path.realpath(self.path))

    def _write(self, root: Folder) -> None:
        """Replace the file at once: readers see the old or the new one, also after a crash."""
        text = dump_json(root) if self._is_json else dump(root)
        target = self._file()
        try:
            mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
            descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fchmod(file.fileno(), mode)
                    os.fsync(file.fileno())
                    held = _Held(file.fileno())
                os.replace(name, target)
            except BaseException:
                os.unlink(name)
                raise
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise _unusable(self.path, "written", error) from error
        with self._guard:
            self._root, self._held = root, held


class _Held:
    """A file that was read or written, kept open: as long as it is, no other file can have its number."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = os.dup(descriptor)
        self._status = os.fstat(descriptor)

    def is_still(self, status: os.stat_result) -> bool:
        """Tell whether a status is that of this file, and the file not written to since."""
        seen = self._status
        return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns) == (
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns,
        )  # fmt: skip

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self._descriptor)  # a default, because at the end of the process no module may be left


def _unusable(path: Path, what: str, error: OSError) -> ConfigError:
    return ConfigError(f"configuration {path} cannot be {what}: {error.strerror or error}")
