"""The configuration store in one YAML or JSON file, with the same keys as Consul; nested mappings are folders.

Several processes may use one file: writers take a lock beside it and look at it again before they write, readers see
whole files only. Comments are lost at the first write. A missing file is an empty store, made by the first write or
by prepare(). The file is parsed again only if it has changed. What its text means: file_text.py.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from occ.errors import ConfigError
from server.config.file_text import dump, dump_json, parse, parse_json
from server.config.tree import Change, Folder, TreeStore


class FileStore(TreeStore):
    """A Store on a file. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"file://{path}")
        self.path = path
        self._lock = threading.RLock()
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

    def _read(self) -> Folder:
        """Return the file's content; a new parse only if the file is another or has changed."""
        with self._lock:
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
        """Keep out all other writers, of this and of other processes."""
        with self._lock:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                raise _unusable(self.path, "written", error) from error
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)

    def _write(self, root: Folder) -> None:
        """Replace the file at once: readers see the old or the new one, also after a crash."""
        text = dump_json(root) if self._is_json else dump(root)
        try:
            mode = self.path.stat().st_mode & 0o777 if self.path.exists() else 0o644
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fchmod(file.fileno(), mode)
                    os.fsync(file.fileno())
                    held = _Held(file.fileno())
                os.replace(name, self.path)
            except BaseException:
                os.unlink(name)
                raise
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise _unusable(self.path, "written", error) from error
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
